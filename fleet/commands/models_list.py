"""All models: what they are, where they lie, who uses them; and the room that hosts have for more."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from fleet.commands.base import WIDTH, Request, Results, Verb, split
from fleet.core.errors import FleetError
from fleet.core.facts import Facts
from fleet.core.flow import Flow, probe
from fleet.core.plan import count_text, size_text
from fleet.core.render import table
from fleet.core.stock import ReadStock, Stocked, Survey
from fleet.models.catalogue import Entry, Place, catalogue
from fleet.models.keeping import spare, wanted
from fleet.models.space import Space, space

if TYPE_CHECKING:
    from fleet.core.inventory import Inventory

NAME = 24  # columns of a name
FOUND = 8  # files of other programs that are shown of a host


@dataclass(frozen=True, slots=True)
class Listed:
    """For one host; what the controller knows is the same in each."""

    inventory: "Inventory"
    stocked: Stocked
    facts: Facts | None
    space: Space | None
    error: FleetError | None


def flow(request: Request, inventory: "Inventory", host: str) -> Flow[Listed]:
    """The host's models and room, or why it does not say; the controller's are told all the same."""
    stocked: Stocked = yield ReadStock()
    try:
        facts = yield from probe(host)
        folders: Mapping[str, int] = yield Survey(host)
    except FleetError as error:
        return Listed(inventory, stocked, None, None, error)
    return Listed(inventory, stocked, facts, space(facts, folders), None)


def failure(result: Any) -> FleetError | None:
    error: FleetError | None = result.error
    return error


def entries(results: Results) -> tuple[Entry, ...]:
    good, _ = split(results)
    first: Listed | None = next(iter(good.values()), None)
    if first is None:
        return ()
    hosts = {host: one.facts for host, one in good.items() if one.facts is not None}
    return catalogue(first.inventory, first.stocked, hosts)


def document(request: Request, results: Results) -> dict[str, Any]:
    """`fleet.models/1`."""
    good, errors = split(results)
    first: Listed | None = next(iter(good.values()), None)
    parts = [one for one in first.stocked.cached if one.sha256 is None] if first else []
    return {
        "models": [one.document() for one in entries(results)],
        "controller": {
            "free": first.stocked.free if first else None,
            "parts": [{"path": one.path, "bytes": one.size} for one in parts],
        },
        "hosts": [_host(host, good.get(host), errors.get(host)) for host in results],
    }


def _host(name: str, listed: Listed | None, error: FleetError | None) -> dict[str, Any]:
    error = error or (listed.error if listed else None)
    found = listed.facts.found if listed and listed.facts else ()
    return {
        "name": name,
        "space": listed.space.document() if listed and listed.space else None,
        "found": [
            {"path": one.path, "label": one.label, "bytes": one.size, "sha256": one.sha256} for one in found
        ],
        "error": error.document() if error else None,
    }


def lines(request: Request, results: Results) -> Iterable[str]:
    good, _ = split(results)
    listed = entries(results)
    if not listed:
        yield "no models yet"
    else:
        rows = [(_name(one), one.quantisation or "--", _size(one.size), _pin(one)) for one in listed]
        for head, *rest in zip(
            table(("model", "packed", "bytes", "pinned"), rows),
            *[("", *(_where(one) for one in listed))],
            strict=True,
        ):
            yield head
            yield from _folded(rest[0])
    for host, one in good.items():
        yield from _room(host, one)
    spared = {host: n for host, one in good.items() if (n := _spare(host, one))}
    if spared:
        yield f"nothing uses {count_text(sum(spared.values()), 'model')} on {', '.join(spared)}"[:WIDTH]
        yield "-> next: fleet models gc all --dry-run"


def _spare(host: str, one: Listed) -> int:
    """Models on the host that gc would remove."""
    if one.facts is None:
        return 0
    return len(spare(one.facts, wanted(one.inventory, host, one.stocked)))


def _name(one: Entry) -> str:
    name = ", ".join(one.names) or f"sha256 {(one.sha256 or '')[:12]}"
    return name if len(name) <= NAME else f"{name[: NAME - 1]}…"


def _size(size: int | None) -> str:
    return "--" if size is None else size_text(size)


def _pin(one: Entry) -> str:
    return one.pin or ("no" if one.names else "--")


def _where(one: Entry) -> str:
    places = ["controller"] if one.controller else []
    places += [_place(place, one.size) for place in one.places]
    where = ", ".join(places) or "nowhere yet"
    return f"{where}; used by {', '.join(one.servers)}" if one.servers else where


def _place(place: Place, size: int | None) -> str:
    kept = ", kept" if place.is_kept else ""
    match place.state:
        case "there":
            return f"{place.host}{' (kept)' if kept else ''}"
        case "part":
            share = f"{100 * place.size // size} %" if size else size_text(place.size)
            return f"{place.host} (part, {share}{kept})"
        case "found":
            return f"{place.host} (to adopt{kept})"
        case _:
            return f"{place.host} (DAMAGED, put aside)"


def _room(host: str, one: Listed) -> Iterable[str]:
    if one.error is not None or one.space is None or one.facts is None:
        yield from _folded(f"{host}: {one.error.what if one.error else 'unknown'}", "")
        return
    room = one.space
    shares = [
        f"{name} {size_text(size)}"
        for name in ("models", "builds", "parts", "damaged", "other")
        if (size := getattr(room, name))
    ]
    free = "an unknown number of bytes" if room.free is None else size_text(room.free)
    used = f"; {', '.join(shares)}" if shares else ""
    yield from _folded(f"{host}: {free} free, {size_text(room.reserve)} of it reserved{used}", "")
    for found in one.facts.found[:FOUND]:
        yield from _folded(f"found {found.label}, {size_text(found.size)}")
    if len(one.facts.found) > FOUND:
        yield f"  and {len(one.facts.found) - FOUND} more files of other programs"


def _folded(text: str, indent: str = "  ") -> Iterable[str]:
    return wrap(text, WIDTH, initial_indent=indent, subsequent_indent="    ") if text else ()


verb = Verb(
    help="Models: what they are, where they lie, who uses them, and the room on hosts.",
    level=0,
    flow=flow,
    document=document,
    lines=lines,
    failure=failure,
    schema="fleet.models/1",
)
