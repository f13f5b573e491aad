"""What our own servers hold of a host's memory: as their starts showed it, else as their models say."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from fleet.core.errors import FleetError
from fleet.core.facts import Facts, Instance
from fleet.core.flow import Flow, ReadWeights
from fleet.models.judge import takes
from fleet.models.layout import layout
from fleet.models.room import HOST
from fleet.models.weights import Weights
from fleet.servers.companions import read_extra
from fleet.servers.memory import cache_ram
from fleet.servers.shares import wished

if TYPE_CHECKING:
    from fleet.core.inventory import Inventory, Server


def running(
    inventory: "Inventory", host: str, facts: Facts, backend: str, name: str
) -> Flow[tuple[Mapping[str, int], Mapping[str, int]]]:
    """Bytes by pool that our servers there hold, and those that end with one of this very model."""
    held: dict[str, int] = {}
    returned: dict[str, int] = {}
    for instance in facts.instances:
        if instance.state != "running":
            continue
        server = inventory.servers.get(instance.server)
        try:
            found = yield from _of(inventory, facts, backend, instance, server)
        except FleetError:
            found = shown(instance)  # a model that nobody can read any more is not judged here
        into = returned if server is not None and server.model == name else held
        for pool, count in found.items():
            into[pool] = into.get(pool, 0) + count
    return held, returned


def _of(
    inventory: "Inventory", facts: Facts, backend: str, instance: Instance, server: "Server | None"
) -> Flow[dict[str, int]]:
    """Bytes by pool of one of them, with what is served with its model."""
    found = shown(instance)
    if server is None or server.model not in inventory.models:
        return found
    more = yield from read_extra(inventory, server.model)
    if found:
        # Of a projector a start shows its computing, not its weights; they lie on the first device.
        # Source: llama.cpp b11434 tools/mtmd/clip.cpp, `load_tensors` and the constructor of clip_ctx
        place = next((pool for pool in found if pool != HOST), HOST)
        return found | {place: found.get(place, 0) + more.projector}
    weights: Weights = yield ReadWeights(server.model)
    own = wished(server, cache_ram(facts) * 2**20)
    count = more.beside(layout(weights.header, weights.sums), own)
    return takes(facts, backend, weights, own, count, more.mapped)


def shown(instance: Instance) -> dict[str, int]:
    """Bytes by pool that its start showed; main memory's without the mapped file.

    Pages of a file may be pushed out by anyone who needs the room.
    """
    if instance.proof is None:
        return {}
    found, weights = dict(instance.proof.devices), dict(instance.proof.weights)
    return found | ({HOST: found[HOST] - weights.get(HOST, 0)} if HOST in found else {})
