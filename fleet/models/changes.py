"""What to change so that a model fits: each change alone, what it saves and what is fast with it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from fleet.core.errors import PlanError
from fleet.models import kv, quants
from fleet.models.layout import Layout
from fleet.models.placement import Model, Placement, filled, holds, whole
from fleet.models.room import Pool
from fleet.models.speed import Speed
from fleet.models.tensors import Layer, Matrix, Sums
from fleet.models.wish import Wish

STEP = 1024  # tokens
LEAST = 4096  # tokens of context that --fit of llama.cpp goes down to
PACKED = "q8_0"  # the KV cache type that nobody has shown to cost quality

Sized = Callable[[Layout, Wish], Model]
Rated = Callable[[Placement], Speed | None]


@dataclass(frozen=True, slots=True)
class Change:
    """One proposal.

    Attributes:
        what: for people: `kv_type = "q8_0"`.
        settings: the same as keys of `[servers.NAME]`; below `args` with a dash.
        saves: bytes on the devices; in main memory where there is none.
        fits: it is enough by itself.
        placement: where everything lies then.
    """

    what: str
    settings: Mapping[str, object]
    saves: int
    fits: bool
    placement: Placement
    speed: Speed | None


@dataclass(frozen=True, slots=True)
class Case:
    """A model that does not fit as it is wished."""

    layout: Layout
    wish: Wish
    pools: Sequence[Pool]
    sized: Sized
    rated: Rated


def changes(case: Case) -> tuple[Change, ...]:
    """Proposals, the least harm first; those that are enough before those that only help."""
    now = taken(whole(case.sized(case.layout, case.wish), case.pools))
    found = []
    for what, settings, placed in _candidates(case):
        saves = now - taken(placed)
        fits = holds(placed, case.pools)
        if saves > 0:
            found.append(Change(what, settings, saves, fits, placed, case.rated(placed) if fits else None))
    enough: list[Change] = []
    for change in found:
        # what is enough by itself is not proposed again with more beside it
        if change.fits and not any(one.settings.items() <= change.settings.items() for one in enough):
            enough.append(change)
    helping = [change for change in found if not change.fits]
    return (*enough, *sorted(helping, key=lambda change: -change.saves))


def taken(placed: Placement) -> int:
    """Bytes where room is scarce: on the devices, or in main memory without one."""
    return sum(use.total for use in placed.devices) or placed.host.total


def _candidates(case: Case) -> Iterator[tuple[str, Mapping[str, object], Placement]]:
    """Every proposal worth weighing, the least harm first."""
    layout, wish = case.layout, case.wish
    packed = _packed(case)

    def laid(other: Wish, weights: Layout = layout) -> Placement:
        return whole(case.sized(weights, other), case.pools)

    if packed is not None:
        yield f'kv_type = "{PACKED}"', {"kv_type": PACKED}, laid(packed)
    if wish.parallel > 1:
        fewer = replace(wish, parallel=1)
        yield "parallel = 1", {"parallel": 1}, laid(fewer)
    for other in (wish, packed):
        if other is None:
            continue
        smaller = _context(case, other)
        if smaller is not None:
            text = f"context = {smaller}"
            settings: dict[str, object] = {"context": smaller}
            if other is packed:
                text = f'{text}, kv_type = "{PACKED}"'
                settings["kv_type"] = PACKED
            yield text, settings, laid(replace(other, context=smaller))
    if layout.sums.experts:
        yield from _experts(case)
    held = quants.of_file(layout.file_type) if layout.file_type is not None else None
    for quant in quants.smaller(held) if held else ():
        placed = laid(wish, packed_as(layout, quants.ratio(held, quant) if held else 1.0))
        if holds(placed, case.pools):
            yield (
                f"{quant.name} instead of {held.name if held else 'it'}",
                {"quantisation": quant.name},
                placed,
            )
            break
    yield from _partial(case, wish, {})
    if packed is not None:
        least = min(LEAST, kv.context(layout, wish))
        other = replace(packed, context=least)
        yield from _partial(case, other, {"kv_type": PACKED, "context": least})


def _partial(
    case: Case, wish: Wish, settings: Mapping[str, object]
) -> Iterator[tuple[str, Mapping[str, object], Placement]]:
    """Some of the layers in main memory."""
    devices = [pool.name for pool in case.pools if not pool.is_host]
    if not devices:
        return
    model = case.sized(case.layout, wish)
    placed = filled(model, case.pools)
    if placed.gpu_layers == model.most and not settings:
        split = ",".join(map(str, placed.split))
        if placed.split:
            yield f'args."tensor-split" = "{split}"', {"args": {"tensor-split": split}}, placed
        return
    args: dict[str, object] = {"gpu-layers": placed.gpu_layers}
    if placed.split:
        args["tensor-split"] = ",".join(map(str, placed.split))
    text = f"{placed.gpu_layers} of {model.most} layers on {', '.join(devices)}"
    others = [
        f'{key} = "{value}"' if isinstance(value, str) else f"{key} = {value}"
        for key, value in settings.items()
    ]
    yield ", ".join([*others, text]), {**settings, "args": args}, placed


def _experts(case: Case) -> Iterator[tuple[str, Mapping[str, object], Placement]]:
    """Experts of the first layers in main memory, as few as need be."""
    devices = [pool for pool in case.pools if not pool.is_host]
    model = case.sized(case.layout, case.wish)
    if not devices:
        return
    low, high = 1, case.layout.layers
    while low < high:
        middle = (low + high) // 2
        if filled(model, case.pools, middle).gpu_layers == model.most:
            high = middle
        else:
            low = middle + 1
    placed = filled(model, case.pools, low)
    if placed.gpu_layers == model.most:
        text = f'args."n-cpu-moe" = {low} (experts of {low} of {case.layout.layers} layers in main memory)'
        yield text, {"args": {"n-cpu-moe": low}}, placed


def _packed(case: Case) -> Wish | None:
    """The wish with a packed cache, where that is smaller and the model's heads allow it."""
    other = replace(case.wish, kv_type_k=PACKED, kv_type_v=PACKED)
    try:
        before, after = (kv.cache(case.layout, one).total for one in (case.wish, other))
    except PlanError:
        return None
    return other if after < before else None


def _context(case: Case, wish: Wish) -> int | None:
    """The largest context that fits, in whole thousands; None where none is worth having."""
    asked = kv.context(case.layout, wish)
    low, high = LEAST // STEP - 1, (asked - 1) // STEP
    if high <= low:
        return None
    while low < high:
        middle = (low + high + 1) // 2
        other = replace(wish, context=middle * STEP)
        if holds(whole(case.sized(case.layout, other), case.pools), case.pools):
            low = middle
        else:
            high = middle - 1
    return low * STEP if low * STEP >= LEAST else None


def packed_as(layout: Layout, ratio: float) -> Layout:
    """The same model in another quantisation: all its weights scaled alike."""

    def matrix(one: Matrix | None) -> Matrix | None:
        return None if one is None else replace(one, bytes=int(one.bytes * ratio))

    sums = layout.sums
    layers = tuple(
        Layer(
            int(one.bytes * ratio),
            int(one.experts * ratio),
            {kind: int(size * ratio) for kind, size in one.kinds.items()},
        )
        for one in sums.layers
    )
    scaled = Sums(
        layers,
        int(sums.input * ratio),
        int(sums.output * ratio),
        int(sums.rest * ratio),
        matrix(sums.embedding),
        matrix(sums.head),
        sums.shapes,
    )
    return replace(layout, sums=scaled)
