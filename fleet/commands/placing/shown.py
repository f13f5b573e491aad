"""What `fleet place` says: an arrangement of all servers on all hosts, out of what each host offers."""

from collections.abc import Iterable, Mapping
from typing import Any

from fleet.commands.base import Request, Results, split
from fleet.commands.placing.offer import Offer, Wanted
from fleet.core.errors import FleetError
from fleet.core.plan import size_text
from fleet.core.render import WIDTH, rate_text, table, wrapped
from fleet.models.place import Pool, Proposal, Want, propose


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
    """The arrangement as a table, what is left on each host, and what to write in the inventory."""
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


def _leaves(one: Wanted, found: Proposal, offers: Mapping[str, Offer]) -> list[str]:
    """Hosts of its `on` that answered and are not for it; of the others nobody knows."""
    taken = {option.host for option in found.of(one.server)}
    return [host for host in one.hosts if host in offers and host not in taken]


def _state(offer: Offer, server: str) -> str:
    return "there" if server in offer.there else "new"
