"""How large a server may be on its host: context, cache type and layers, from what stays as it is.

Two questions, both before anything moves. What is best: the largest context that leaves the host
room for itself and for its other servers. What is possible at all: it fits when nothing else runs.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fleet.core.errors import PlanError
from fleet.core.facts import Facts
from fleet.core.plan import size_text
from fleet.core.proof import Expected
from fleet.models import kv, placement, room, wish
from fleet.models.fit import fit
from fleet.models.layout import Layout
from fleet.models.placement import Model, Placement
from fleet.models.repack import reordered
from fleet.models.room import Pool
from fleet.models.wish import Wish
from fleet.servers.pace import pace
from fleet.servers.settings import Sized, Sizing, cache_ram

if TYPE_CHECKING:
    from fleet.core.inventory import Server

MIB = 2**20
RESERVE = 2 * 2**30  # bytes of main memory that the system and its people keep
ROUND = (1, 3)  # contexts are these times a power of two: 2048, 3072, 4096, 6144 ...
ENOUGH = 8192  # tokens; for less than that a cache of half the size is worth its loss
LEAST = 2048  # tokens
SMALL_TYPE = "q8_0"
MOST_CHANGES = 3  # that are named


@dataclass(frozen=True, slots=True)
class Case:
    """One server on one host."""

    name: str
    server: "Server"
    layout: Layout


def size(
    host: str,
    case: Case,
    others: Iterable[Case],
    facts: Facts,
    backend: str,
    build: int | None,
) -> Sized:
    """What is recommended, expected, and to be said.

    Args:
        others: servers that are wanted on the same host; their models take memory too.
        build: number of the llama.cpp that will run.

    Raises:
        PlanError: it cannot fit, not even alone; `next` names what to change.
    """
    layout = case.layout
    if not layout.formula:
        weights = layout.sums.total
        reason = f"{layout.why or 'its kind is unlike others'}; llama-fit-params on the host can tell"
        return Sized(Sizing(None, None, None, None, weights, reason))
    wanted = wish.wish(case.server, cache_ram(facts) * MIB)
    taken = sum(_least(other, facts, backend, build) for other in others)
    pools = recommended(facts, backend, taken)
    if any(pool.available is None for pool in pools):
        reason = "; ".join(pool.notes[0] for pool in pools if pool.available is None and pool.notes)
        return Sized(Sizing(None, None, None, None, layout.sums.total, reason))
    kept_twice = reordered(facts, backend)

    def placed(one: Wish) -> Placement:
        return placement.filled(Model(layout, one, build=build, reordered=kept_twice), pools)

    chosen, reason, kv_reason = _choose(case.server, wanted, layout, placed, pools)
    if wanted.context is not None or not placement.holds(placed(chosen), pools):
        _check(host, case, chosen, facts, backend, build)
    best = placed(chosen)
    is_whole = best.gpu_layers == layout.layers + 1 if best.devices else None
    sizing = Sizing(
        context=kv.context(layout, chosen),
        kv_type=None if chosen.kv_type_k == wanted.kv_type_k else chosen.kv_type_k,
        is_whole=is_whole,
        layers=best.gpu_layers,
        weights=layout.sums.total,
        reason=reason,
        kv_reason=kv_reason,
    )
    return Sized(
        sizing,
        _expected(case, wanted, chosen, best, facts, backend, build, is_whole),
        tuple(_notes(best, layout, pools, is_whole)),
    )


def recommended(facts: Facts, backend: str, taken: int = 0) -> tuple[Pool, ...]:
    """The memory that a server may have for good: what is there, less what others need.

    Not what is free this minute: that would be another recommendation at every look.

    Args:
        taken: bytes that the host's other servers need.
    """
    pools = _still(facts, backend)
    devices = [pool for pool in pools if not pool.is_host and pool.available is not None]
    left = taken
    found = []
    for pool in pools:
        available = pool.available
        if available is not None:
            share = left if pool.is_host or len(devices) < 2 else taken // len(devices)
            share = min(share, available) if not pool.is_host else share
            left -= share
            keep = RESERVE if pool.is_host else 0
            found.append(replace(pool, available=max(0, available - share - keep)))
        else:
            found.append(pool)
    return tuple(found)


def _still(facts: Facts, backend: str) -> tuple[Pool, ...]:
    """The pools of the host when nothing runs on it."""
    quiet = replace(
        facts,
        memory=replace(facts.memory, available=facts.memory.total),
        gpus=tuple(replace(gpu, memory_free=gpu.memory_total) for gpu in facts.gpus),
        builds=tuple(
            replace(build, devices=tuple(replace(each, free=each.total) for each in build.devices))
            for build in facts.builds
        ),
    )
    return room.pools(quiet, backend)


def _choose(
    server: "Server",
    wanted: Wish,
    layout: Layout,
    placed: Callable[[Wish], Placement],
    pools: tuple[Pool, ...],
) -> tuple[Wish, str, str]:
    """The wish with its context and cache type settled, and why they are so."""
    if wanted.context is not None:
        return wanted, "set by hand", ""
    trained = layout.trained or ENOUGH

    def largest(one: Wish, is_whole: bool) -> int | None:
        for tokens in contexts(trained):
            other = placed(replace(one, context=tokens))
            whole = not is_whole or other.gpu_layers in (None, layout.layers + 1)
            if whole and placement.holds(other, pools):
                return tokens
        return None

    packed = replace(wanted, kv_type_k=SMALL_TYPE, kv_type_v=SMALL_TYPE)
    may_pack = server.kv_type is None and wanted.kv_type_k == wish.KV_TYPE and _divides(layout)
    for is_whole in (True, False):
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
    return replace(wanted, context=least), f"the least that is of use; {layout.layers} layers do not fit", ""


def contexts(trained: int) -> Iterator[int]:
    """Round numbers of tokens, the largest first, none beyond what the model was trained for."""
    yield trained
    steps = sorted({part << power for part in ROUND for power in range(10, 22)}, reverse=True)
    yield from (tokens for tokens in steps if LEAST <= tokens < trained)


def _divides(layout: Layout) -> bool:
    """Whether a quantised cache is possible: its blocks have 32 elements."""
    return all(one.key % 32 == 0 and one.value % 32 == 0 for one in layout.attention)


def _reason(tokens: int, trained: int, is_whole: bool, pools: tuple[Pool, ...]) -> str:
    scarce = [pool for pool in pools if not pool.is_host] or list(pools)
    names = ", ".join(pool.name for pool in scarce)
    have = f"{size_text(sum(pool.available or 0 for pool in scarce))} for it on {names}"
    if tokens == trained:
        return f"as the model was trained; there are {have}"
    less = "" if is_whole else ", with layers in main memory"
    return f"the largest round number that fits{less}: the model was trained for {trained}; there are {have}"


def _least(case: Case, facts: Facts, backend: str, build: int | None) -> int:
    """Bytes that another server of the host needs at least."""
    if not case.layout.formula:
        return case.layout.sums.total
    wanted = wish.wish(case.server, 0)
    if wanted.context is None:
        wanted = replace(wanted, context=min(ENOUGH, case.layout.trained or ENOUGH))
    placed = placement.whole(Model(case.layout, wanted, build=build), _still(facts, backend))
    return sum(use.total for use in placed.devices) or placed.host.total


def _check(host: str, case: Case, chosen: Wish, facts: Facts, backend: str, build: int | None) -> None:
    """Refuses what cannot fit even if nothing else runs there.

    Raises:
        PlanError: names what is lacking, and the best change.
    """
    pools = _still(facts, backend)
    model = Model(case.layout, chosen, build=build, reordered=reordered(facts, backend))
    if placement.holds(placement.filled(model, pools), pools):
        return
    found = fit(case.layout, chosen, pools, build=build, reordered=reordered(facts, backend))
    enough = [change.what for change in found.changes if change.fits][:MOST_CHANGES]
    raise PlanError(
        f"server {case.name}: {case.server.model} does not fit: {found.why}",
        host=host,
        next=(
            f"in [servers.{case.name}]: {' - or - '.join(enough)}"
            if enough
            else f"fleet fit {case.server.model} --host {host}"
        ),
        kind="does-not-fit",
    )


def _expected(
    case: Case,
    wanted: Wish,
    chosen: Wish,
    best: Placement,
    facts: Facts,
    backend: str,
    build: int | None,
    is_whole: bool | None,
) -> Expected:
    """What the start should show. Cached prompts come later, and are no part of it."""
    is_by_hand = (
        wanted.gpu_layers is not None or wanted.experts_on_host or "override-tensor" in case.server.args
    )
    speed = pace(best, case.layout, facts, backend, build)
    return Expected(
        sum(use.total for use in best.uses) - chosen.cache_ram,
        None if is_by_hand else is_whole,
        *((speed.tps, speed.low, speed.high) if speed is not None else (None, None, None)),
    )


def _notes(best: Placement, layout: Layout, pools: tuple[Pool, ...], is_whole: bool | None) -> Iterator[str]:
    if is_whole is False:
        left = size_text(best.host.weights)
        yield (
            f"fits only in part: {best.gpu_layers} of {layout.layers + 1} layers on "
            f"{', '.join(use.pool for use in best.devices)}, {left} in main memory: slow"
        )
    elif not placement.holds(best, pools):
        yield "it fits, but leaves the host little memory for anything else"
