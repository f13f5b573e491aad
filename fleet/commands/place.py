"""Which servers of the inventory go on which hosts so that all fit; what must go if they do not."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fleet.commands.base import Request, Results, Verb, split
from fleet.commands.fit import told as oracle
from fleet.core.errors import FleetError
from fleet.core.facts import Facts
from fleet.core.flow import Flow, ReadWeights, probe
from fleet.core.plan import size_text
from fleet.core.render import WIDTH, rate_text, table, wrapped
from fleet.models.fit import Fit
from fleet.models.judge import judge, likely, usable
from fleet.models.layout import layout
from fleet.models.own import learn
from fleet.models.place import Option, Pool, Proposal, Want, propose
from fleet.models.placement import Placement
from fleet.models.room import HOST, pools, spread
from fleet.models.room import Pool as Room
from fleet.models.speed import Speed
from fleet.models.weights import Weights
from fleet.servers.companions import read_extra
from fleet.servers.memory import cache_ram
from fleet.servers.shares import wished
from fleet.servers.tenants import running

if TYPE_CHECKING:
    from fleet.core.inventory import Inventory


@dataclass(frozen=True, slots=True)
class Wanted:
    """A server, and the hosts of this run that its `on` means."""

    server: str
    model: str
    hosts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Offer:
    """What one host can hold, if nothing of ours ran there."""

    rooms: tuple[Room, ...]
    options: Mapping[str, tuple[Option, ...]]  # by server
    lacks: Mapping[str, str]  # server -> why it has no options here
    there: frozenset[str]  # servers that run here now
    notes: tuple[str, ...]  # what was assumed of its backend
    wanted: tuple[Wanted, ...]  # of the whole run, the same for all hosts


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


def needs(placed: Placement, rooms: Iterable[Room], beside: Mapping[str, int]) -> dict[str, int]:
    """Bytes by pool; on unified memory those of a device are main memory's too."""
    found = {use.pool: use.total + beside.get(use.pool, 0) for use in placed.uses}
    shared = sum(found.get(room.name, 0) for room in rooms if room.is_unified)
    return found | {HOST: found.get(HOST, 0) + shared}


def proposal(results: Results) -> tuple[Proposal, dict[Pool, int], tuple[Wanted, ...]]:
    """The arrangement, the rooms it was made for, and what was wanted."""
    offers, errors = split(results)
    rooms = {(host, room.name): room.available or 0 for host, offer in offers.items() for room in offer.rooms}
    wanted = next((offer.wanted for offer in offers.values()), ())
    wants = [_want(one, offers, errors) for one in wanted]
    return propose(wants, rooms), rooms, wanted


def document(request: Request, results: Results) -> dict[str, Any]:
    """`fleet.place/1`: bytes, tokens/s."""
    found, rooms, wanted = proposal(results)
    offers, errors = split(results)
    gone = {one.server: one.why for one in found.gone}
    return {
        "verdict": "unknown" if not wanted else "partly" if gone else "fits",
        "is_proven": found.is_proven,
        "servers": [
            {
                "name": one.server,
                "model": one.model,
                "hosts": [
                    {
                        "name": option.host,
                        "state": _state(offers[option.host], one.server),
                        "bytes": dict(option.needs),
                        "tps": option.tps,
                        "change": option.change,
                    }
                    for option in found.of(one.server)
                ],
                "leaves": _leaves(one, found, offers),
                "must_go": one.server in gone,
                "reason": gone.get(one.server),
            }
            for one in wanted
        ],
        "hosts": [
            {
                "name": host,
                "pools": [
                    {"name": name, "available": size, "left": found.left[there, name]}
                    for (there, name), size in rooms.items()
                    if there == host
                ],
                "notes": list(offers[host].notes) if host in offers else [],
                "error": errors[host].document() if host in errors else None,
            }
            for host in results
        ],
    }


def lines(request: Request, results: Results) -> Iterable[str]:
    found, _, wanted = proposal(results)
    offers, errors = split(results)
    for host, error in errors.items():
        yield from wrapped(f"{host}: left out, {error.what}")
    if not wanted:
        yield "no server of the inventory may go on these hosts"
        return
    yield from table(("SERVER", "HOST", "TAKES", "t/s", "NOW", "CHANGE"), _rows(found, offers, wanted), WIDTH)
    for host, offer in offers.items():
        held = [
            f"{size_text(found.left[host, room.name])} of {size_text(room.available)} left on {room.name}"
            for room in offer.rooms
            if room.available is not None
        ]
        for text in (", ".join(held) or "nobody knows its memory", *offer.notes):
            yield from wrapped(f"{host}: {text}")
    for gone in found.gone:
        yield from wrapped(f"{gone.server} must go: {gone.why}")
    if found.gone and found.is_proven:
        yield "no other arrangement holds more of them"
    elif found.gone:
        yield "not every arrangement was tried: a better one may exist"
    yield from _settings(found, wanted, offers)


def _rows(
    found: Proposal, offers: Mapping[str, Offer], wanted: Iterable[Wanted]
) -> Iterable[tuple[str, ...]]:
    for one in wanted:
        for number, option in enumerate(found.of(one.server)):
            yield (
                one.server if not number else "",
                option.host,
                f"{size_text(option.bytes)} of {option.scarce}",
                rate_text(option.tps),
                _state(offers[option.host], one.server),
                option.change or "",
            )
        if not found.of(one.server):
            yield (one.server, "-", "-", "--", "must go", "")


def _settings(found: Proposal, wanted: Iterable[Wanted], offers: Mapping[str, Offer]) -> Iterable[str]:
    """What to write in the inventory where the proposal differs from it."""
    told = False
    for one in wanted:
        options = found.of(one.server)
        changes = sorted({option.change for option in options if option.change})
        leaves = _leaves(one, found, offers)
        if not options or not (leaves or changes):
            continue
        if not told:
            yield "in inventory.toml:"
            told = True
        hosts = [f'"{host}"' for host in one.hosts if host not in leaves]
        line = "; ".join((f"  [servers.{one.server}] on = [{', '.join(hosts)}]", *changes))
        if len(line) <= WIDTH:
            yield line
            continue
        yield f"  [servers.{one.server}]"
        yield from ("  on = [", *(f"    {host}," for host in hosts), "  ]")
        yield from (f"  {change}" for change in changes)
    if not told and not found.gone:
        yield "everything fits as the inventory has it"


def _want(one: Wanted, offers: Mapping[str, Offer], errors: Mapping[str, FleetError]) -> Want:
    here = [(host, offers[host]) for host in one.hosts if host in offers]
    options = [option for _, offer in here for option in offer.options.get(one.server, ())]
    # Where it runs already, then where it is fast; what needs a change comes last.
    options.sort(
        key=lambda option: (
            option.change is not None,
            one.server not in offers[option.host].there,
            -(option.tps or 0.0),
        )
    )
    lacks = [f"{host}: {offer.lacks[one.server]}" for host, offer in here if one.server in offer.lacks]
    lacks += [f"{host}: {errors[host].what}" for host in one.hosts if host in errors]
    return Want(one.server, one.hosts, tuple(options), "; ".join(lacks) or None)


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


def _leaves(one: Wanted, found: Proposal, offers: Mapping[str, Offer]) -> list[str]:
    """Hosts of its `on` that answered and are not for it; of the others nobody knows."""
    taken = {option.host for option in found.of(one.server)}
    return [host for host in one.hosts if host in offers and host not in taken]


def _state(offer: Offer, server: str) -> str:
    return "there" if server in offer.there else "new"


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
