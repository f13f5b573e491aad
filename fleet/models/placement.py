"""Where llama.cpp puts the layers of a model, and what lies on each device then.

Source: load_tensors in src/llama-model.cpp of llama.cpp b11434: of `-ngl N` layers, counted with the
    output as one, the last N go to the devices, in order, by the proportions of --tensor-split; the
    embedding stays in main memory, and where it serves as the output too, the device has a copy.
"""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

from fleet.models import kv
from fleet.models.compute import Compute, compute
from fleet.models.layout import Layout
from fleet.models.room import HOST, Pool
from fleet.models.wish import Wish


@dataclass(frozen=True, slots=True)
class Use:
    """What lies in one pool.

    `dense` and `experts` are what a token reads of the weights there (of the experts only those
    it goes through); an embedding it only looks up is in `weights` alone.
    """

    pool: str
    layers: int = 0  # repeating ones
    weights: int = 0  # bytes
    dense: int = 0  # bytes
    experts: int = 0  # bytes
    kv: int = 0  # bytes: keys, values and recurrent states
    compute: int = 0  # bytes
    other: int = 0  # bytes: logits, cached prompts, a second copy of weights whose file is locked
    again: int = 0  # bytes of the weights that the processor keeps in another order as well, of a mapped file

    @property
    def total(self) -> int:
        """Bytes that it needs: of what is kept twice once, as the file's pages of it are not read again."""
        return self.weights + self.kv + self.compute + self.other

    @property
    def logged(self) -> int:
        """Bytes of all its buffers, as llama.cpp says them."""
        return self.total + self.again


@dataclass(frozen=True, slots=True)
class Placement:
    """A whole answer: where everything lies."""

    uses: tuple[Use, ...]  # devices in their order, main memory last
    gpu_layers: int | None  # counted with the output; None where there is no device
    split: tuple[int, ...]  # of those, how many on each device; empty with fewer than two
    experts_on_host: int  # layers

    @property
    def host(self) -> Use:
        return self.uses[-1]

    @property
    def devices(self) -> tuple[Use, ...]:
        return self.uses[:-1]

    def is_whole(self, layout: Layout) -> bool:
        """Whether no layer and no expert is left to the processor."""
        return self.gpu_layers == layout.layers + 1 and not self.experts_on_host

    def of(self, pool: str) -> Use:
        return next((use for use in self.uses if use.pool == pool), Use(pool))


class Model:
    """One model under one wish, sized once for many placements."""

    def __init__(
        self,
        layout: Layout,
        wish: Wish,
        *,
        build: int | None = None,
        reordered: frozenset[int] = frozenset(),
    ) -> None:
        self.layout, self.wish, self.build, self.reordered = layout, wish, build, reordered
        cache = kv.cache(layout, wish)
        memory = [key + state for key, state in zip(cache.kv, cache.state, strict=True)]
        self.memory = memory or [0] * layout.layers  # bytes per layer; none known without a formula

    @property
    def is_twice(self) -> bool:
        """Whether the file of reordered weights lies in memory beside them, and may go."""
        return self.wish.mapped and not self.wish.locked

    @property
    def most(self) -> int:
        """Layers that can be offloaded, the output among them."""
        return self.layout.layers + 1

    def compute(self, devices: int) -> Compute:
        return compute(self.layout, self.wish, build=self.build, devices=max(1, devices))

    def place(self, names: Sequence[str], counts: Sequence[int], experts: int | None = None) -> Placement:
        """The model with so many layers on each device, the rest in main memory.

        Args:
            names: of the devices.
            counts: layers on each, the output counted on the last that has any.
            experts: layers whose experts stay in main memory; None: as wished.
        """
        experts = min(self.wish.experts_on_host if experts is None else experts, self.layout.layers)
        offloaded = sum(counts)
        takes = self.compute(sum(1 for count in counts if count) if offloaded == self.most else 1)
        uses, first = [], self.most - offloaded
        for name, count in zip(names, counts, strict=True):
            use = self._layers(Use(name), range(first, first + count), experts, is_host=False)
            uses.append(replace(use, compute=takes.device if count else 0))
            first += count
        host = self._layers(Use(HOST), range(self.most - offloaded), experts, is_host=True)
        moved = sum(layer.experts for layer in self.layout.sums.layers[:experts])
        moved -= sum(layer.experts for layer in self.layout.sums.layers[: min(experts, host.layers)])
        in_host = host.layers or moved or not offloaded
        host = replace(
            host,
            weights=host.weights + moved + self.layout.sums.input + self.layout.sums.rest,
            experts=host.experts + moved,
            compute=takes.alone if in_host else takes.host,
            other=host.other + takes.output + self.wish.cache_ram,
        )
        return Placement(
            (*uses, host),
            offloaded if names else None,
            tuple(counts) if len(names) > 1 and offloaded else (),
            experts,
        )

    def _layers(self, use: Use, numbers: range, experts: int, *, is_host: bool) -> Use:
        """Adds layers by their numbers; the one after the last is the output."""
        for number in numbers:
            if number == self.layout.layers:
                use = self._output(use, is_host)
                continue
            layer = self.layout.sums.layers[number]
            own = 0 if number < experts and not is_host else layer.experts
            dense = layer.bytes - layer.experts
            copy = sum(layer.kinds.get(kind, 0) for kind in self.reordered) if is_host else 0
            use = replace(
                use,
                layers=use.layers + 1,
                weights=use.weights + dense + own,
                dense=use.dense + dense,
                experts=use.experts + own,
                kv=use.kv + self.memory[number],
                other=use.other + copy * self.wish.locked,
                again=use.again + copy * self.is_twice,
            )
        return use

    def _output(self, use: Use, is_host: bool) -> Use:
        sums = self.layout.sums
        tied = sums.embedding if sums.is_tied else None
        matrix = sums.head or sums.embedding
        copied = matrix.bytes if is_host and matrix and matrix.kind in self.reordered else 0
        copy = tied.bytes if tied and not is_host else 0
        return replace(
            use,
            weights=use.weights + sums.output + copy,
            dense=use.dense + sums.output + (tied.bytes if tied else 0),
            other=use.other + copied * self.wish.locked,
            again=use.again + copied * self.is_twice,
        )


def shares(count: int, weights: Sequence[float]) -> tuple[int, ...]:
    """So many layers dealt to devices by proportion, as llama.cpp does it."""
    total = sum(weights)
    if total <= 0 or not weights:
        return (count, *[0] * (len(weights) - 1)) if weights else ()
    bounds = [edge / total for edge in accumulate(weights)]
    found = [0] * len(weights)
    for number in range(count):
        found[min(bisect_right(bounds, number / count), len(weights) - 1)] += 1
    return tuple(found)


def whole(model: Model, pools: Sequence[Pool]) -> Placement:
    """All layers on the devices, dealt as wished or by free memory; in main memory without a device."""
    devices = [pool for pool in pools if not pool.is_host]
    names = [pool.name for pool in devices]
    count = model.most if model.wish.gpu_layers is None else min(model.most, model.wish.gpu_layers)
    if not devices:
        return model.place((), ())
    weights = list(model.wish.split[: len(devices)]) or [float(pool.available or 0) for pool in devices]
    weights += [0.0] * (len(devices) - len(weights))
    return model.place(names, shares(count, weights))


def filled(model: Model, pools: Sequence[Pool], experts: int | None = None) -> Placement:
    """As many layers as fit on the devices, the last ones, dealt so that each holds its part."""
    devices = [pool for pool in pools if not pool.is_host]
    names = [pool.name for pool in devices]
    low, high, best = 0, model.most, (0,) * len(devices)
    while low < high:  # fits with fewer wherever it fits with more
        middle = (low + high + 1) // 2
        counts = _dealt(model, devices, middle, experts)
        if counts is not None:
            low, best = middle, counts
        else:
            high = middle - 1
    return model.place(names, best, experts)


def _dealt(model: Model, devices: Sequence[Pool], count: int, experts: int | None) -> tuple[int, ...] | None:
    """Layers on each device so that all hold; by proportion if that holds, else each filled in turn."""
    names = [pool.name for pool in devices]
    even = shares(count, [float(pool.available or 0) for pool in devices])
    if _hold(model.place(names, even, experts), devices):
        return even
    if len(devices) < 2:
        return None
    counts: list[int] = []
    for number in range(len(devices)):
        left = count - sum(counts)
        rest = [0] * (len(devices) - number - 1)
        low, high = 0, left
        while low < high:
            middle = (low + high + 1) // 2
            placed = model.place(
                names, [*counts, middle, *rest[:-1], left - middle] if rest else [*counts, middle], experts
            )
            if placed.devices[number].total <= (devices[number].available or 0):
                low = middle
            else:
                high = middle - 1
        counts.append(low)
    return (
        tuple(counts)
        if sum(counts) == count and _hold(model.place(names, counts, experts), devices)
        else None
    )


def _hold(placed: Placement, devices: Sequence[Pool]) -> bool:
    return all(use.total <= (pool.available or 0) for use, pool in zip(placed.devices, devices, strict=True))


def holds(placed: Placement, pools: Sequence[Pool]) -> bool:
    """Whether every pool has room; on unified memory a device's bytes are main memory's too."""
    devices = [pool for pool in pools if not pool.is_host]
    host = next(pool for pool in pools if pool.is_host)
    shared = sum(use.total for use, pool in zip(placed.devices, devices, strict=True) if pool.is_unified)
    return _hold(placed, devices) and placed.host.total + shared <= (host.available or 0)
