"""How long a context a server gets, and in which type it is kept, for the room that it has."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from fleet.core.plan import size_text
from fleet.models import placement, wish
from fleet.models.layout import Layout
from fleet.models.placement import Placement
from fleet.models.room import Pool
from fleet.models.wish import Wish
from fleet.servers.flags import translate
from fleet.servers.shares import ENOUGH

if TYPE_CHECKING:
    from fleet.core.inventory import Server

ROUND = (1, 3)  # contexts are these times a power of two: 2048, 3072, 4096, 6144 ...
LEAST = 2048  # tokens
SMALL_TYPE = "q8_0"


def choose(
    server: "Server",
    wanted: Wish,
    layout: Layout,
    ways: tuple[Callable[[Wish], Placement], Callable[[Wish], Placement]],
    pools: tuple[Pool, ...],
) -> tuple[Wish, str, str]:
    """The wish with its context and cache type settled, and why they are so.

    Args:
        ways: to place it: by whole layers, and with experts elsewhere, which takes longer to find.
    """
    if wanted.context is not None:
        return wanted, "set by hand", ""
    trained = layout.trained or ENOUGH

    def largest(one: Wish, is_whole: bool) -> int | None:
        # with layers in main memory every token of context pushes more of them there
        for tokens in contexts(trained if is_whole else min(trained, ENOUGH)):
            other = ways[0 if is_whole else 1](replace(one, context=tokens))
            whole = not is_whole or not other.devices or other.is_whole(layout)
            if whole and placement.holds(other, pools):
                return tokens
        return None

    packed = replace(wanted, kv_type_k=SMALL_TYPE, kv_type_v=SMALL_TYPE)
    attends = translate(server.args)[0].get("flash-attn", "auto") not in ("off", 0, "0")
    is_open = server.kv_type is None and wanted.kv_type_k == wanted.kv_type_v == wish.KV_TYPE
    may_pack = is_open and attends and _divides(layout)
    devices = [pool.available or 0 for pool in pools if not pool.is_host]
    is_too_big = bool(devices) and layout.sums.total - layout.sums.input > sum(devices)
    for is_whole in (False,) if is_too_big else (True, False):
        plain = largest(wanted, is_whole)
        if plain is not None and plain >= min(ENOUGH, trained):
            return replace(wanted, context=plain), _reason(plain, trained, is_whole, pools), ""
        small = largest(packed, is_whole) if may_pack else None
        if small is not None and small > (plain or 0):
            why = (
                f"f16 would leave {plain or 'no'} tokens of context; it takes half, at no loss that was shown"
            )
            return replace(packed, context=small), _reason(small, trained, is_whole, pools), why
        if plain is not None:
            return replace(wanted, context=plain), _reason(plain, trained, is_whole, pools), ""
    least = min(LEAST, trained)
    names = " and ".join(_place(pool) for pool in _scarce(pools))
    return replace(wanted, context=least), f"the least that is of use; its part of {names} holds no more", ""


def contexts(trained: int) -> Iterator[int]:
    """Round numbers of tokens, the largest first, none beyond what the model was trained for."""
    yield trained
    steps = sorted({part << power for part in ROUND for power in range(10, 22)}, reverse=True)
    yield from (tokens for tokens in steps if LEAST <= tokens < trained)


def _divides(layout: Layout) -> bool:
    """Whether a quantised cache is possible: its blocks have 32 elements."""
    return all(one.key % 32 == 0 and one.value % 32 == 0 for one in layout.attention)


def _reason(tokens: int, trained: int, is_whole: bool, pools: tuple[Pool, ...]) -> str:
    scarce = _scarce(pools)
    names = ", ".join(_place(pool) for pool in scarce)
    room = size_text(sum(pool.available or 0 for pool in scarce))
    have = f"{room} for it {'in' if scarce[0].is_host else 'on'} {names}"
    if tokens == trained:
        return f"as the model was trained; there are {have}"
    if not is_whole:
        return f"enough, and more would push more layers into main memory; there are {have}"
    return f"the largest round number that fits; the model was trained for {trained}, there are {have}"


def _scarce(pools: tuple[Pool, ...]) -> list[Pool]:
    """The devices, or main memory where there is none."""
    return [pool for pool in pools if not pool.is_host] or list(pools)


def _place(pool: Pool) -> str:
    return pool.title if pool.is_host else pool.name
