"""What a host's own measurements say of the speeds that are predicted for it."""

from typing import TYPE_CHECKING

from fleet.core.errors import FleetError
from fleet.core.facts import Facts
from fleet.core.flow import Flow, LastMeasured, ReadWeights
from fleet.models.judge import judge
from fleet.models.speed import Factor, learned
from fleet.models.weights import Weights
from fleet.models.wish import wish

if TYPE_CHECKING:
    from fleet.core.inventory import Inventory


def factor(inventory: "Inventory", facts: Facts, backend: str) -> Flow[Factor | None]:
    """How much faster or slower than predicted the host was when its servers were last measured.

    Returns:
        None where nothing was measured, or no prediction can be made of what was.
    """
    measured, _, now = yield LastMeasured(facts.host)
    seen = []
    for name, (tps, at) in measured.items():
        server = inventory.servers.get(name)
        if server is None or server.model not in inventory.models:
            continue
        try:
            weights: Weights = yield ReadWeights(server.model)
            # Measured with the memory that it held then: what is free now does not matter.
            found = judge(facts, backend, weights, wish(server), returned=plenty(facts))
        except FleetError:
            continue  # a model that nobody can read any more
        if found.speed is not None:
            seen.append((tps, found.speed.tps, at))
    return learned(seen, now)


def plenty(facts: Facts) -> dict[str, int]:
    """Everything given back: a host on which nothing runs."""
    used = {"host": (facts.memory.total or 0) - (facts.memory.available or 0)}
    for number, gpu in enumerate(facts.gpus):
        if gpu.memory_total is not None and gpu.memory_free is not None:
            for prefix in ("CUDA", "ROCm", "Vulkan", "SYCL"):
                used[f"{prefix}{number}"] = gpu.memory_total - gpu.memory_free
    return used
