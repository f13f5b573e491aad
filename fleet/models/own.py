"""What a host's own measurements say of the speeds that are predicted for it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fleet.core.errors import FleetError
from fleet.core.facts import Facts
from fleet.core.flow import Flow, LastMeasured, ReadWeights
from fleet.models import bandwidth
from fleet.models.bandwidth import Bandwidth
from fleet.models.fit import Fit
from fleet.models.judge import judge
from fleet.models.layout import Layout, layout
from fleet.models.speed import CPU_MEASURED, Factor, active, learned
from fleet.models.weights import Weights
from fleet.models.wish import wish

if TYPE_CHECKING:
    from fleet.core.inventory import Inventory


@dataclass(frozen=True, slots=True)
class Own:
    """What was learnt from the last measured speeds; nothing where there are none.

    Attributes:
        factor: how much faster or slower than predicted it is.
        ram: how fast its processor reads, where no table has that processor.
    """

    factor: Factor | None
    ram: Bandwidth | None


def learn(inventory: "Inventory", facts: Facts, backend: str) -> Flow[Own]:
    """Compares what servers of the host gave with what is predicted for them."""
    measured: Mapping[str, tuple[float, float]]
    measured, _, now = yield LastMeasured(facts.host)
    is_known = bandwidth.find(facts, None) is not None
    seen, rates = [], []
    for name, (tps, at) in measured.items():
        server = inventory.servers.get(name)
        if server is None or server.model not in inventory.models or tps <= 0:
            continue
        if inventory.models[server.model].draft:
            continue  # how much faster it is with drafts says nothing of the host
        try:
            weights: Weights = yield ReadWeights(server.model)
            # Measured with the memory that it held then: what is free now does not matter.
            model = layout(weights.header, weights.sums)
            found = judge(facts, backend, model, wish(server), returned=emptied(facts))
        except FleetError:
            continue  # a model that nobody can read any more
        if found.speed is not None:
            seen.append((tps, found.speed.tps, at))
        elif not is_known and (read := read_by_processor(found, model)):
            rates.append(tps * read / CPU_MEASURED[1])
    rates.sort()
    ram = Bandwidth(rates[len(rates) // 2], "measured on this host", is_measured=True) if rates else None
    return Own(learned(seen, now), ram)


def read_by_processor(found: Fit, model: Layout) -> int:
    """Bytes of weights that a token reads from main memory, where nothing lies on a device; else 0."""
    if found.placement is None or any(use.layers for use in found.placement.devices):
        return 0
    use = found.placement.host
    return active(use.dense, use.experts, model.used or None, model.experts or None)


def emptied(facts: Facts) -> dict[str, int]:
    """Bytes by pool that would come back if all programs of the host ended."""
    used = {"host": (facts.memory.total or 0) - (facts.memory.available or 0)}
    for number, gpu in enumerate(facts.gpus):
        if gpu.memory_total is not None and gpu.memory_free is not None:
            for prefix in ("CUDA", "ROCm", "Vulkan", "SYCL"):
                used[f"{prefix}{number}"] = gpu.memory_total - gpu.memory_free
    return used
