"""What a model is, where it lies, and where it fits."""

from collections.abc import Generator, Iterable
from dataclasses import dataclass
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from fleet.commands import fit
from fleet.commands.base import WIDTH, Option, Request, Results, Verb, split
from fleet.core.errors import FleetError, UsageError
from fleet.core.facts import Facts
from fleet.core.flow import Flow, Need, Probe, ReadWeights, probe
from fleet.core.plan import size_text
from fleet.core.stock import ReadHeld, ReadStock, Stocked
from fleet.models.about import About, about
from fleet.models.catalogue import Entry, catalogue
from fleet.models.keeping import meant
from fleet.models.weights import Weights

if TYPE_CHECKING:
    from fleet.core.inventory import Inventory

STATES = {
    "there": "there",
    "part": "partly there",
    "damaged": "DAMAGED and put aside",
    "found": "there in another program's folder, push adopts it",
}


@dataclass(frozen=True, slots=True)
class Told:
    """What one host adds."""

    about: About | None
    entry: Entry | None
    verdict: str | None  # fits, changes, no, unknown; None where the host did not answer
    why: str | None
    error: FleetError | None


def flow(request: Request, inventory: "Inventory", host: str) -> Flow[Told]:
    """The header, from wherever it is nearest; the host's copy and verdict.

    Raises:
        UsageError: no such model anywhere.
    """
    stocked: Stocked = yield ReadStock()
    facts: Facts | None = None
    unreachable: FleetError | None = None
    try:
        facts = yield from probe(host)
    except FleetError as error:
        unreachable = error
    name = str(request["model"])
    sha256, place = _place(name, stocked, facts)
    weights = yield from _weights(place, sha256, host, facts)
    entry = None
    if sha256 is not None:
        every = catalogue(inventory, stocked, {} if facts is None else {host: facts})
        entry = next((one for one in every if one.sha256 == sha256), None)
    if entry is None:
        entry = next((one for one in catalogue(inventory, stocked, {}) if name in one.names), None)
    shown = about(weights) if weights else None
    if facts is None:
        return Told(shown, entry, None, None, unreachable)
    if place is None:
        return Told(shown, entry, "unknown", "it is not on the controller, so its fit is not computed", None)
    asked = Request("fit", (host,), {"model": place})
    try:
        answer: fit.Answer = yield from _knowing(fit.flow(asked, inventory, host), facts)
    except FleetError as error:
        return Told(shown, entry, "unknown", error.what, None)
    return Told(shown, entry, answer.fit.verdict, answer.fit.why, None)


def _place(name: str, stocked: Stocked, facts: Facts | None) -> tuple[str | None, str | None]:
    """The sha256, and what the controller can read: a name, a file or an address; None where nothing."""
    known = stocked.of(name)
    if known is not None:
        return known.sha256, name
    held = [one.sha256 for one in facts.models] if facts else []
    cached = {one.sha256: one.path for one in stocked.cached if one.sha256}
    try:
        sha256 = meant(name, stocked, [*held, *cached])
    except UsageError:
        if "/" in name or ":" in name or name.endswith(".gguf"):
            return None, name
        raise
    return sha256, next(iter(stocked.names(sha256)), cached.get(sha256))


def _weights(place: str | None, sha256: str | None, host: str, facts: Facts | None) -> Flow[Weights | None]:
    if place is not None:
        found: Weights = yield ReadWeights(place)
        return found
    held = next((one for one in facts.models if one.sha256 == sha256), None) if facts else None
    if held is None:
        return None
    there: Weights = yield ReadHeld(host, held.sha256, held.size)
    return there


def _knowing(inner: Flow[fit.Answer], facts: Facts) -> Generator[Need, Any, fit.Answer]:
    """A flow that is spared the question we have the answer to."""
    answer: Any = None
    problem: FleetError | None = None
    while True:
        try:
            need = inner.throw(problem) if problem else inner.send(answer)
        except StopIteration as stop:
            found: fit.Answer = stop.value
            return found
        problem = None
        try:
            answer = facts if isinstance(need, Probe) else (yield need)
        except FleetError as error:
            problem = error


def failure(result: Any) -> FleetError | None:
    error: FleetError | None = result.error
    return error


def document(request: Request, results: Results) -> dict[str, Any]:
    """`fleet.model-info/1`."""
    good, errors = split(results)
    shown = next((one.about for one in good.values() if one.about), None)
    entry = _entry(list(good.values()))
    return {
        "model": {"asked": request["model"]} | (shown.document() if shown else {}),
        "sha256": entry.sha256 if entry else None,
        "source": entry.source if entry else None,
        "pinned": entry.pin if entry else None,
        "controller": entry.controller if entry else None,
        "servers": list(entry.servers) if entry else [],
        "hosts": [_host(host, good.get(host), errors.get(host)) for host in results],
    }


def _entry(told: list[Told]) -> Entry | None:
    return next((one.entry for one in told if one.entry), None)


def _host(name: str, told: Told | None, error: FleetError | None) -> dict[str, Any]:
    error = error or (told.error if told else None)
    places = told.entry.places if told and told.entry else ()
    return {
        "name": name,
        "state": next((one.state for one in places if one.host == name), None),
        "verdict": told.verdict if told else None,
        "why": told.why if told else None,
        "error": error.document() if error else None,
    }


def lines(request: Request, results: Results) -> Iterable[str]:
    good, _ = split(results)
    shown = next((one.about for one in good.values() if one.about), None)
    entry = _entry(list(good.values()))
    if not good:
        return
    yield str(request["model"])
    if shown is not None:
        yield from _facts(shown)
    if entry is not None:
        yield from _row("sha256", entry.sha256 or "not known yet")
        yield from _row("source", entry.source)
        yield from _row("pinned", entry.pin or ("no" if entry.names else None))
        yield from _row("here", entry.controller or "not on the controller")
        yield from _row("used by", ", ".join(entry.servers) or "no server")
    words = {"fits": "fits", "changes": "fits with changes", "no": "does not fit", "unknown": "fit unknown"}
    for host, told in good.items():
        place = next((one for one in told.entry.places if one.host == host), None) if told.entry else None
        state = f"{STATES[place.state]}, " if place else "not there, "
        if told.error is not None:
            yield from _row(host, told.error.what)
        else:
            why = "" if told.verdict == "fits" else f": {told.why}"
            yield from _row(host, f"{state}{words[str(told.verdict)]}{why}")


def _facts(shown: About) -> Iterable[str]:
    yield from _row("title", shown.title)
    weights = "unknown" if shown.parameters is None else f"{shown.parameters / 1e6:,.0f} million parameters"
    yield from _row("is", f"{shown.architecture or 'unknown architecture'}, {weights}")
    bits = f", {shown.bits:.2f} bits per weight" if shown.bits else ""
    packed = ", ".join(f"{name} {share:.0%}" for name, share in shown.types[:5])
    yield from _row("packed", f"{shown.quantisation or 'mixed'}{bits} ({packed})")
    files = "" if shown.files == 1 else f" in {shown.files} files"
    yield from _row("size", f"{size_text(shown.size)}{files}" if shown.size else None)
    heads = f", {shown.heads} heads, {shown.kv_heads} for keys and values" if shown.heads else ""
    yield from _row("layers", f"{shown.layers}{heads}" if shown.layers else None)
    yield from _row("context", f"trained for {shown.trained} tokens" if shown.trained else None)
    yield from _row("chat", "has a template" if shown.has_template else "has no template of its own")
    yield from _row("licence", shown.licence or "not named in the file")


def _row(label: str, text: str | None) -> Iterable[str]:
    if not text:
        return ()
    return wrap(
        text,
        WIDTH,
        initial_indent=f"  {label:<9} ",
        subsequent_indent=" " * 12,
        break_on_hyphens=False,
    )


verb = Verb(
    help="What a model is: parameters, quantisation, context, where it lies and fits.",
    level=0,
    flow=flow,
    document=document,
    lines=lines,
    failure=failure,
    schema="fleet.model-info/1",
    options=(Option("MODEL", "a name, a .gguf file, an address, or how a sha256 begins", is_required=True),),
)
