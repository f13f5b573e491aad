"""The best quantisation of each model on each host, by fit, speed and quality, with the reason."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from fleet.commands.base import Option, Request, Results, Verb, split
from fleet.commands.fit import MOST_CONTEXT, MOST_PARALLEL, wished
from fleet.commands.fit import told as oracle
from fleet.commands.suggesting.shown import Answer, Page, inventory_line, labelled, model_document, told
from fleet.core.choices import ListFiles
from fleet.core.errors import FleetError, UsageError
from fleet.core.facts import Facts
from fleet.core.flow import Flow, ReadWeights, probe
from fleet.core.stock import ReadStock, Stocked
from fleet.models import quality, suggest
from fleet.models.changes import Change
from fleet.models.judge import judge, likely
from fleet.models.layout import layout
from fleet.models.offered import Offered
from fleet.models.own import Own, learn
from fleet.models.plan import held_path
from fleet.models.requant import CHECKED, UNCHECKED
from fleet.models.suggest import GOALS, Choice
from fleet.models.weights import Weights
from fleet.models.wish import Wish
from fleet.servers.companions import notes as served_with
from fleet.servers.companions import read_extra
from fleet.servers.tenants import running

if TYPE_CHECKING:
    from fleet.core.inventory import Inventory

CONTEXT = 8192  # tokens over all slots, where neither a server nor the command says
MOST_CHANGES = 3


def flow(request: Request, inventory: "Inventory", host: str) -> Flow[Page]:
    """The host once, then each model's header and its repository's list; nothing is fetched or changed.

    Raises:
        UsageError: no such goal, or a number that no server takes.
    """
    if request["table"]:
        return {}
    goal = request["goal"] or "balanced"
    if goal not in GOALS:
        raise UsageError(f"no goal called {goal!r}", next=f"--goal, one of: {', '.join(GOALS)}")
    for option, most in (("context", MOST_CONTEXT), ("parallel", MOST_PARALLEL)):
        if request[option] is not None and not 0 < request[option] <= most:
            what = f"--{option} {request[option]} is not between 1 and {most}"
            raise UsageError(what, next="fleet models suggest --help")
    unnamed: dict[str, str | None] = {}  # paths in the cache, and their hashes
    if not request["model"]:
        stocked: Stocked = yield ReadStock()
        unnamed = {one.path: one.sha256 for one in stocked.unnamed()}
    names = tuple(dict.fromkeys(request["model"] or (*inventory.models, *unnamed)))
    if not names:
        raise UsageError("the inventory has no models", next="fleet models suggest --model FILE.gguf")
    found: dict[str, Answer | FleetError] = {}
    facts = yield from probe(host)
    backend, notes = likely(inventory.hosts[host], facts)
    own = yield from learn(inventory, facts, backend)
    for name in names:
        try:
            answer = yield from _answer(request, inventory, facts, (backend, own), name, unnamed.get(name))
            found[name] = replace(answer, notes=(*notes, *answer.notes))
        except FleetError as error:
            if name not in unnamed:  # there lie parts and projectors too, which are no models alone
                found[name] = error
    return found


def _answer(
    request: Request,
    inventory: "Inventory",
    facts: Facts,
    there: tuple[str, Own],
    name: str,
    sha256: str | None,
) -> Flow[Answer]:
    """The advice on one model.

    Args:
        there: what llama.cpp computes with, and what the host's measured speeds say.
        sha256: of a file of the cache that the inventory does not name.
    """
    host, (backend, own) = facts.host, there
    weights: Weights = yield ReadWeights(name)
    offered: Offered = yield ListFiles(name)
    model = layout(weights.header, weights.sums)
    asked = wished(replace(request, options={**request.options, "model": name}), inventory, host, facts)
    wish = asked
    if asked.context is None:
        wish = replace(asked, context=min(CONTEXT, model.trained or CONTEXT))
    held, returned = yield from running(inventory, host, facts, backend, name)
    said = None
    if not model.formula:
        said = yield from oracle(host, facts, backend, weights, model, wish)
    extra = yield from read_extra(inventory, name)
    listed = inventory.models[name].source if name in inventory.models else None
    variants = suggest.variants(model, weights.size, listed, offered.files)

    def judged(wanted: Wish) -> list[Choice]:
        fit = partial(
            judge, held=held, returned=returned, factor=own.factor, ram=own.ram,
            beside=extra.beside(model, wanted),
        )  # fmt: skip
        return [
            suggest.judged(one, fit(facts, backend, one.layout, wanted, oracle=said if one.is_held else None))
            for one in variants
        ]

    choices, notes = judged(wish), []
    tokens = suggest.shorter(choices) if asked.context is None and model.formula else None
    if tokens is not None:
        notes.append(
            f"with {wish.context} tokens nothing fits that loses as little as Q4_K_M: "
            f"context = {tokens} for its server"
        )
        wish = replace(wish, context=tokens)
        choices = judged(wish)
    notes += served_with(extra, extra.beside(model, wish))
    if offered.problem:
        notes.append(f"other quantisations are not listed: {offered.problem}")
    advice = suggest.choose(choices, GOALS[request["goal"] or "balanced"])
    best = advice.best
    sha256 = weights.sha256 or sha256
    return Answer(
        wish=wish,
        choices=tuple(choices),
        advice=advice,
        instead=() if best and suggest.is_usual(best) else _instead(choices),
        bits=None if best else suggest.room_bits(choices[0].variant.layout, choices[0].fit),
        notes=tuple(notes),
        there=sha256 is not None and held_path(facts, sha256) is not None,
        line=None if best is None or best.is_held else inventory_line(name, best),
    )


def _instead(choices: Sequence[Choice]) -> tuple[tuple[str, Change], ...]:
    """What else would make a good quantisation fit, the least loss first."""
    good = [one for one in choices if one.is_held or suggest.is_usual(one)]
    changes = [
        (one.name, change)
        for one in sorted(good, key=lambda one: one.size)
        for change in one.fit.changes
        if change.fits and "quantisation" not in change.settings
    ]
    return tuple(changes[:MOST_CHANGES])


def document(request: Request, results: Results) -> dict[str, Any]:
    """`fleet.suggest/1`: bytes, tokens/s; losses in parts of the perplexity."""
    if request["table"]:
        return {"table": [row.document() for row in quality.ROWS]}
    hosts: list[dict[str, Any]] = []
    for host, page in results.items():
        if isinstance(page, FleetError):
            hosts.append({"name": host, "models": [], "error": page.document()})
        else:
            models = [model_document(name, one) for name, one in page.items()]
            hosts.append({"name": host, "models": models, "error": None})
    return {"goal": request["goal"] or "balanced", "hosts": hosts}


def lines(request: Request, results: Results) -> Iterable[str]:
    if request["table"]:
        yield from quality.table()
        return
    pages, errors = split(results)
    guessed: list[Choice] = []
    for host, page in pages.items():
        yield from labelled("", f"{host}, goal {request['goal'] or 'balanced'}")
        for name, one in page.items():
            if isinstance(one, FleetError):
                yield from labelled("  ", f"{name}: unknown, {one.what}")
                continue
            yield from told(name, one)
            named = (one.advice.best, one.advice.second)
            guessed += [each for each in named if each and each.variant.is_estimate]
        yield ""
    for host, error in errors.items():
        yield from labelled("", f"{host}: unknown, {error.what}")
    if guessed:
        text = f"~ a size nobody told, computed from the tensors: {CHECKED}"
        if any(each.variant.layout.experts for each in guessed):
            text += f"; {UNCHECKED}"
        yield from labelled("", text)


verb = Verb(
    help="Say which quantisation of a model suits each host, and why.",
    level=0,
    flow=flow,
    document=document,
    lines=lines,
    schema="fleet.suggest/1",
    options=(
        Option("--model", "of the inventory, a .gguf file, or an address; else all", is_many=True),
        Option("--context", f"tokens over all slots; else as the server has it, or {CONTEXT}", "integer"),
        Option("--parallel", "slots; else as the server has it", "integer"),
        Option("--goal", "quality, balanced or speed", "text", "balanced"),
        Option("--table", "print what each quantisation was measured to lose, with the source", "flag"),
    ),
)
