"""How much memory computing takes beside weights and caches: llama.cpp's "compute buffer".

It has no published formula. This one was measured on files of many shapes with the real program
(benchmarks/fit.py prints predicted against real): per token of a ubatch the graph allocator holds
three times the feed-forward part or twice what the attention reads, five times the width, and a row
of every attention mask. With dense models whose feed-forward part is at least twice as wide as a
token it was exact to 0.1 MiB; with experts or latent attention it is at most 10 % too much; in a shape nobody
publishes (a feed-forward part narrower than a token) up to half too much. It was never
too little by more than that tenth.

Source: llama-server b11434 on the CPU and with a loopback RPC device; src/llama-context.cpp
    (sched_reserve, output_reserve); ggml/src/ggml-alloc.c.
"""

from dataclasses import dataclass

from fleet.models.kv import Cells, cells, context
from fleet.models.layout import Layout
from fleet.models.wish import Wish

FLOAT, HALF = 4, 2  # bytes
SMALL = 40  # bytes per token: its number, position and place in the cache
ALL_OUTPUTS = 8586  # the newest build we know that keeps the logits of every token of a ubatch
FEW_OUTPUTS = 10434  # the oldest we know that keeps those of one token per slot
COPIES = 4  # of every input, where several GPUs work as a pipeline (GGML_SCHED_MAX_COPIES)


@dataclass(frozen=True, slots=True)
class Compute:
    """Bytes that computing takes."""

    device: int  # on each device that holds layers
    host: int  # in main memory, beside devices
    alone: int  # in main memory, where there is no device
    output: int  # in main memory: the logits of the tokens that are asked for
    is_known: bool  # False: a guess, for a model of another kind


def compute(layout: Layout, wish: Wish, *, build: int | None = None, devices: int = 1) -> Compute:
    """What computing takes.

    Args:
        build: number of the llama.cpp that will run; None for one of today.
        devices: how many share the layers.

    Raises:
        PlanError: the context is not known.
    """
    tokens = min(wish.ubatch, context(layout, wish))
    width, masks = FLOAT * layout.width, _masks(layout, cells(layout, wish))
    live = FLOAT * _live(layout)
    if wish.all_outputs or (build is not None and build < FEW_OUTPUTS):
        live = max(live, FLOAT * layout.vocabulary)
    small = SMALL + (SMALL // 2 if _is_mixed(layout) else 0)
    turned = _turned(layout, wish)
    each = live + 4 * width + masks * (COPIES if devices > 1 else 1) + small
    return Compute(
        device=tokens * each + turned,
        host=tokens * (4 * width + masks + small),
        alone=tokens * (live + 5 * width + masks + small) + turned,
        output=FLOAT * wish.parallel * layout.vocabulary,
        is_known=layout.formula,
    )


def _live(layout: Layout) -> int:
    """Elements per token that are alive at the widest place of the graph."""
    attention = 2 * layout.query + layout.opened
    feed = 3 * layout.feed
    if layout.used:  # every expert gives a whole token back
        feed = max(feed, 2 * layout.used * layout.width + layout.feed)
    return max(attention, feed)


def _masks(layout: Layout, place: Cells) -> int:
    """Bytes per token of the masks: which cell it may see, f16; one for each kind of cache."""
    kinds = {one.is_window for one in layout.attention if one.key}
    return HALF * sum(place.window if is_window else place.full for is_window in kinds)


def _is_mixed(layout: Layout) -> bool:
    return len({one.is_window for one in layout.attention if one.key}) > 1


def _turned(layout: Layout, wish: Wish) -> int:
    """Bytes of the matrices that turn keys and values before they are quantised.

    Source: src/llama-kv-cache.cpp, attn_rot_k: heads in multiples of 64.
    """
    kinds = [kind for kind in (wish.kv_type_k, wish.kv_type_v) if kind not in ("f32", "f16", "bf16")]
    return len(kinds) * FLOAT * layout.head**2 if layout.head % 64 == 0 else 0
