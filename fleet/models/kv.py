"""How much memory a model needs to remember conversations: keys, values and recurrent states.

Exact: llama.cpp's own sums for the same arguments, to the byte.

Source: src/llama-kv-cache.cpp, llama-kv-cache-iswa.cpp, llama-memory-recurrent.cpp and
    llama-context.cpp of llama.cpp b11434.
"""

from dataclasses import dataclass

from fleet.core.errors import PlanError
from fleet.models.layout import Layout
from fleet.models.wish import Wish

PAD = 256  # cells
# Elements in a block, bytes of a block (ggml/src/ggml-common.h).
KINDS: dict[str, tuple[int, int]] = {
    "f32": (1, 4),
    "f16": (1, 2),
    "bf16": (1, 2),
    "q8_0": (32, 34),
    "q5_1": (32, 24),
    "q5_0": (32, 22),
    "q4_1": (32, 20),
    "q4_0": (32, 18),
    "iq4_nl": (32, 18),
}


@dataclass(frozen=True, slots=True)
class Cells:
    """Places for tokens in one stream of a cache."""

    full: int
    window: int  # of the layers with a sliding window
    streams: int  # caches beside each other: 1 where all slots share one


@dataclass(frozen=True, slots=True)
class Cache:
    """What is remembered, layer by layer."""

    cells: Cells
    kv: tuple[int, ...]  # bytes per layer
    state: tuple[int, ...]  # bytes per layer

    @property
    def total(self) -> int:
        return sum(self.kv) + sum(self.state)


def context(layout: Layout, wish: Wish) -> int:
    """Tokens over all slots.

    Raises:
        PlanError: neither the wish nor the model says.
    """
    tokens = wish.context or layout.trained
    if not tokens:
        raise PlanError("the model does not say its context", next="--context 4096")
    return tokens


def cells(layout: Layout, wish: Wish) -> Cells:
    """Cells of the caches; all of them are multiples of 256."""
    tokens = _pad(context(layout, wish))
    streams = 1 if wish.unified else wish.parallel
    full = tokens if streams == 1 else _pad(tokens // streams)
    if wish.swa_full or not layout.window:
        return Cells(full, full, streams)
    conversations = wish.parallel if wish.unified else 1
    return Cells(full, _pad(min(full, layout.window * conversations + wish.ubatch)), streams)


def cache(layout: Layout, wish: Wish) -> Cache:
    """Keys, values and states.

    Raises:
        PlanError: a cache type that is not one, or that does not divide the model's heads.
    """
    place = cells(layout, wish)
    sizes = []
    for one in layout.attention:
        count = (place.window if one.is_window else place.full) * place.streams
        sizes.append(count * (row(one.key, wish.kv_type_k) + row(one.value, wish.kv_type_v)))
    return Cache(place, tuple(sizes), tuple(one.state * wish.parallel for one in layout.attention))


def row(elements: int, kind: str) -> int:
    """Bytes of one token's key or value in one layer.

    Raises:
        PlanError: no such type, or a row is not whole blocks of it (llama.cpp ends there).
    """
    if kind not in KINDS:
        raise PlanError(f"no KV cache type called {kind!r}", next=f"one of: {', '.join(KINDS)}")
    block, size = KINDS[kind]
    if elements % block:
        raise PlanError(
            f"a KV cache of type {kind} needs rows in multiples of {block}, the model's have {elements}",
            next='kv_type = "f16"',
        )
    return elements // block * size


def _pad(count: int) -> int:
    return -(-count // PAD) * PAD
