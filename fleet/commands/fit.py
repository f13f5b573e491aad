"""Whether a model fits on each host, what it takes there, how fast it will be, and what to change."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from fleet.commands.base import Option, Request, Results, Verb, split
from fleet.core.errors import FleetError, PlanError, UsageError
from fleet.core.facts import Facts
from fleet.core.flow import AskOracle, Flow, ReadWeights, probe
from fleet.core.plan import count_text, size_text
from fleet.models import oracle
from fleet.models.changes import Change
from fleet.models.fit import Fit
from fleet.models.judge import judge, likely, unrated
from fleet.models.kv import KINDS, context
from fleet.models.layout import Layout, layout
from fleet.models.own import learn
from fleet.models.placement import Use
from fleet.models.plan import held_path
from fleet.models.quants import of_file
from fleet.models.speed import Speed
from fleet.models.weights import Weights
from fleet.models.wish import PARALLEL, Wish
from fleet.servers import shares
from fleet.servers.companions import notes as served_with
from fleet.servers.companions import read_extra
from fleet.servers.memory import cache_ram
from fleet.servers.tenants import running

if TYPE_CHECKING:
    from fleet.core.inventory import Inventory

WIDE = 78  # columns
MOST_CONTEXT, MOST_PARALLEL = 2**31 - 1, 4096  # as in the inventory


@dataclass(frozen=True, slots=True)
class Answer:
    """For one host."""

    weights: Weights
    layout: Layout
    wish: Wish
    fit: Fit
    notes: tuple[str, ...]
    unrated: str | None  # why the speed is unknown


def flow(request: Request, inventory: "Inventory", host: str) -> Flow[Answer]:
    """The header, the host, and the verdict; nothing is fetched or changed.

    Raises:
        UsageError: no such model, a cache type that is none, or a number that no server takes.
    """
    kind = request["kv_type"]
    if kind is not None and kind not in KINDS:
        raise UsageError(f"no KV cache type called {kind!r}", next=f"--kv-type, one of: {', '.join(KINDS)}")
    for option, most in (("context", MOST_CONTEXT), ("parallel", MOST_PARALLEL)):
        if request[option] is not None and not 0 < request[option] <= most:
            raise UsageError(
                f"--{option} {request[option]} is not between 1 and {most}", next="fleet fit --help"
            )
    name = str(request["model"])
    weights: Weights = yield ReadWeights(name)
    facts = yield from probe(host)
    backend, notes = likely(inventory.hosts[host], facts)
    wanted = wished(request, inventory, host, facts)
    held, returned = yield from running(inventory, host, facts, backend, name)
    model = layout(weights.header, weights.sums)
    said = None
    if not model.formula:
        said = yield from told(host, facts, backend, weights, model, wanted)
    own = yield from learn(inventory, facts, backend)
    beside = yield from read_extra(inventory, name)
    taken = beside.beside(model, wanted)
    found = judge(
        facts,
        backend,
        model,
        wanted,
        held=held,
        returned=returned,
        oracle=said,
        factor=own.factor,
        ram=own.ram,
        beside=taken,
    )
    notes = (*notes, *served_with(beside, taken))
    return Answer(weights, model, wanted, found, notes, unrated(facts, backend, found))


def wished(request: Request, inventory: "Inventory", host: str, facts: Facts) -> Wish:
    """What was asked for; what was not, as the host's own server of that model has it."""
    lent = cache_ram(facts) * 2**20
    servers = inventory.servers_on(host).values()
    server = next((one for one in servers if one.model == request["model"]), None)
    found = shares.wished(server, lent) if server else Wish(cache_ram=lent)
    if request["context"] is not None:
        found = replace(found, context=request["context"])
    if request["parallel"] is not None:
        found = replace(found, parallel=request["parallel"], unified=request["parallel"] == 1)
    if request["kv_type"] is not None:
        found = replace(found, kv_type_k=request["kv_type"], kv_type_v=request["kv_type"])
    return found


def told(
    host: str, facts: Facts, backend: str, weights: Weights, model: Layout, wanted: Wish
) -> Flow[Mapping[str, Use] | None]:
    """What llama-fit-params on the host says; None where build or model are not there."""
    build = next((one for one in reversed(facts.builds) if one.backend == backend), None)
    path = None if weights.sha256 is None else held_path(facts, weights.sha256)
    if build is None or path is None:
        return None
    words = oracle.arguments(wanted, context(model, wanted))
    text: str = yield AskOracle(host, build.fingerprint, path, words)
    return oracle.parse(text, model, wanted)


def document(request: Request, results: Results) -> dict[str, Any]:
    """`fleet.fit/1`."""
    good = [host for host, one in results.items() if isinstance(one, Answer) and one.fit.verdict == "fits"]
    hosts = [_host(name, result, good, results) for name, result in results.items()]
    return {"model": request["model"], "hosts": hosts}


def _host(name: str, result: Any, good: list[str], results: Results) -> dict[str, Any]:
    if isinstance(result, FleetError):
        sizes = dict.fromkeys(("weights", "kv", "compute", "other", "total"))
        body: dict[str, Any] = {
            "verdict": "unknown",
            "bytes": sizes,
            "available": None,
            "speed": None,
            "speed_unknown": None,
            "changes": [],
        }
        return {"name": name} | body | {"error": result.document()}
    found: Fit = result.fit
    error = None
    if found.verdict == "unknown":
        error = PlanError(found.why, host=name, next=_help(name, result)).document()
    changes = [
        {
            "change": change.what,
            "settings": change.settings,
            "saves": change.saves,
            "fits": change.fits,
            "speed": _speed(change.speed),
        }
        for change in found.changes
    ]
    if found.verdict in ("changes", "no"):
        changes += [_elsewhere(other, results[other].fit) for other in good]
    return {
        "name": name,
        "verdict": found.verdict,
        "bytes": {key: getattr(found, key) for key in ("weights", "kv", "compute", "other", "total")},
        "available": found.available,
        "speed": _speed(found.speed),
        "speed_unknown": result.unrated,
        "changes": changes,
        "error": error,
    }


def _elsewhere(other: str, found: Fit) -> dict[str, Any]:
    return {
        "change": f"on {other} it fits as it is",
        "settings": {"on": [other]},
        "saves": found.total,
        "fits": True,
        "speed": _speed(found.speed),
    }


def _help(host: str, answer: Answer) -> str:
    return f"fleet facts {host}" if answer.layout.formula else f"fleet deploy {host}"


def _speed(found: Speed | None) -> dict[str, float] | None:
    if found is None:
        return None
    return {key: round(getattr(found, key), 2) for key in ("tps", "low", "high", "ceiling")}


def lines(request: Request, results: Results) -> Iterable[str]:
    answers, errors = split(results)
    first = next(iter(answers.values()), None)
    if first is not None:
        yield from _wrapped("", _title(str(request["model"]), first))
    good = [host for host, one in answers.items() if one.fit.verdict == "fits"]
    for host, answer in answers.items():
        yield ""
        yield from _answer(host, answer, [other for other in good if other != host])
    for host, error in errors.items():
        yield ""
        yield from _wrapped("", f"{host}: unknown, {error.what}")


def _title(name: str, answer: Answer) -> str:
    model = answer.layout
    quant = of_file(model.file_type) if model.file_type is not None else None
    packed = f" of {quant.name}" if quant else ""
    return f"{name}: {size_text(model.sums.total)}{packed}, {model.architecture}, {model.layers} layers"


def _answer(host: str, answer: Answer, good: list[str]) -> Iterable[str]:
    found, wanted = answer.fit, answer.wish
    words = {"fits": "fits", "changes": "fits with changes", "no": "does not fit", "unknown": "unknown"}
    speed = f", {_speed_text(found.speed)}" if found.speed else ""
    yield f"{host}: {words[found.verdict]}{speed}"
    tokens = wanted.context or answer.layout.trained
    shared = "shared by" if wanted.unified and wanted.parallel > 1 else "over"
    kinds = (
        wanted.kv_type_k if wanted.kv_type_k == wanted.kv_type_v else f"{wanted.kv_type_k}/{wanted.kv_type_v}"
    )
    slots = count_text(wanted.parallel, "slot")
    yield f"  asked    {tokens or 'unknown'} tokens {shared} {slots}, KV {kinds}"
    if found.placement is not None:
        yield "  in MiB    weights      kv compute   other   total    room"
        for use, pool in zip(found.placement.uses, found.pools, strict=True):
            sizes = (use.weights, use.kv, use.compute, use.other, use.total)
            row = "".join(f"{size / 2**20:>8.0f}" for size in sizes)
            room = "unknown" if pool.available is None else f"{pool.available / 2**20:.0f}"
            yield f"  {use.pool[:8]:<8}{row}{room:>8}"
    yield from _wrapped("  why      ", found.why)
    if answer.unrated:
        yield from _wrapped("  speed    ", f"unknown: {answer.unrated}")
    for pool in found.pools:
        if pool.notes and not pool.is_host:
            yield from _wrapped("  room     ", f"{pool.name}: {'; '.join(pool.notes)}")
    for note in answer.notes:
        yield from _wrapped("  note     ", note)
    yield from _changes(found.changes)
    if found.verdict in ("changes", "no") and good:
        yield f"  or on    {', '.join(good)}, where it fits as it is"


def _changes(changes: tuple[Change, ...]) -> Iterable[str]:
    for number, change in enumerate(changes, 1):
        effect = _speed_text(change.speed) if change.speed else "" if change.fits else "not enough alone"
        saved = f"saves {size_text(change.saves)}"
        yield from _wrapped(f"  change {number:<2}", "; ".join(filter(None, (change.what, saved, effect))))


def _speed_text(speed: Speed | None) -> str:
    return "" if speed is None else f"{speed.tps:.0f} tokens/s ({speed.low:.0f} to {speed.high:.0f})"


def _wrapped(label: str, text: str) -> Iterable[str]:
    """Text in lines of at most 80 columns, below its label."""
    line = label
    for word in text.split():
        if len(line) > len(label) and len(line) + len(word) + 1 > WIDE:
            yield line.rstrip()
            line = " " * len(label)
        line += word if not line or line.endswith(" ") else f" {word}"
    yield line.rstrip()


verb = Verb(
    help="Say whether a model fits on each host, how fast it will be, and what to change.",
    level=0,
    flow=flow,
    document=document,
    lines=lines,
    schema="fleet.fit/1",
    options=(
        Option("MODEL", "a model of the inventory, a .gguf file, or an address", is_required=True),
        Option("--context", "tokens over all slots; else as the server has it, or as trained", "integer"),
        Option("--parallel", f"slots; else as the server has it, or {PARALLEL} that share", "integer"),
        Option("--kv-type", "how keys and values are packed: f16, q8_0 ..."),
    ),
)
