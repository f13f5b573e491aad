"""Which servers of the inventory go on which hosts so that all fit; what must go if they do not."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from fleet.commands.base import Request, Verb
from fleet.commands.fit import told as oracle
from fleet.commands.placing.offer import Offer, Wanted
from fleet.commands.placing.shown import document, lines
from fleet.core.errors import FleetError
from fleet.core.facts import Facts
from fleet.core.flow import Flow, ReadWeights, probe
from fleet.models.fit import Fit
from fleet.models.judge import judge, likely, usable
from fleet.models.layout import layout
from fleet.models.own import learn
from fleet.models.place import Option
from fleet.models.placement import Placement
from fleet.models.room import HOST, Pool, pools, spread
from fleet.models.speed import Speed
from fleet.models.weights import Weights
from fleet.servers.companions import read_extra
from fleet.servers.memory import cache_ram
from fleet.servers.shares import wished
from fleet.servers.tenants import running

if TYPE_CHECKING:
    from fleet.core.inventory import Inventory


def flow(request: Request, inventory: "Inventory", host: str) -> Flow[Offer]:
    """The host, and each server that may go there, sized on it as if it were empty of servers."""
    wanted = _wanted(request, inventory)
    facts = yield from probe(host)
    backend, notes = likely(inventory.hosts[host], facts)
    returned, _ = yield from running(inventory, host, facts, backend, "")
    own = yield from learn(inventory, facts, backend)
    rooms = pools(facts, backend, None, returned)
    options: dict[str, tuple[Option, ...]] = {}
    lacks: dict[str, str] = {}
    for one in wanted:
        if host not in one.hosts:
            continue
        server = inventory.servers[one.server]
        try:
            weights: Weights = yield ReadWeights(one.model)
            asked = wished(server, cache_ram(facts) * 2**20)
            model, said = layout(weights.header, weights.sums), None
            if not model.formula:
                said = yield from oracle(host, facts, backend, weights, model, asked)
            more = (yield from read_extra(inventory, one.model)).beside(model, asked)
            found = judge(
                facts,
                backend,
                model,
                asked,
                returned=returned,
                oracle=said,
                factor=own.factor,
                ram=own.ram,
                beside=more,
            )
        except FleetError as error:
            lacks[one.server] = error.what
            continue
        options[one.server] = ways(host, found, spread(usable(rooms, asked), more))
        if not options[one.server]:
            lacks[one.server] = found.why
    return Offer(rooms, options, lacks, _there(facts), notes, wanted)


def ways(host: str, found: Fit, beside: Mapping[str, int]) -> tuple[Option, ...]:
    """Options of a server on a host: as wished, else each change that is enough and needs no other file.

    Args:
        beside: bytes by pool of what is served with its model.
    """

    def way(placed: Placement, speed: Speed | None, change: str | None = None) -> Option:
        return Option(host, needs(placed, found.pools, beside), None if speed is None else speed.tps, change)

    if found.verdict == "fits" and found.placement is not None:
        return (way(found.placement, found.speed),)
    return tuple(
        way(change.placement, change.speed, change.what)
        for change in found.changes
        if change.fits and "quantisation" not in change.settings
    )


def needs(placed: Placement, rooms: Iterable[Pool], beside: Mapping[str, int]) -> dict[str, int]:
    """Bytes by pool; on unified memory those of a device are main memory's too."""
    found = {use.pool: use.total + beside.get(use.pool, 0) for use in placed.uses}
    shared = sum(found.get(room.name, 0) for room in rooms if room.is_unified)
    return found | {HOST: found.get(HOST, 0) + shared}


def _wanted(request: Request, inventory: "Inventory") -> tuple[Wanted, ...]:
    places = {
        name: tuple(host for host in request.hosts if name in inventory.servers_on(host))
        for name in inventory.servers
    }
    return tuple(
        Wanted(name, inventory.servers[name].model, hosts)
        for name, hosts in places.items()
        if hosts and (not request.servers or name in request.servers)
    )


def _there(facts: Facts) -> frozenset[str]:
    return frozenset(one.server for one in facts.instances if one.state == "running")


verb = Verb(
    help="Propose which servers go on which hosts so that all fit, and what must go if they do not.",
    level=0,
    flow=flow,
    document=document,
    lines=lines,
    schema="fleet.place/1",
)
