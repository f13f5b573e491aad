"""The best quantisation of each model on each host, by fit, speed and quality, with the reason."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from fleet.commands.base import Option, Request, Results, Verb, split
from fleet.commands.fit import MOST_CONTEXT, MOST_PARALLEL, wished
from fleet.commands.fit import told as oracle
from fleet.core.choices import ListFiles
from fleet.core.errors import FleetError, UsageError
from fleet.core.flow import Flow, ReadWeights, probe
from fleet.core.plan import count_text
from fleet.models import quality, suggest
from fleet.models.changes import Change
from fleet.models.judge import laid, likely
from fleet.models.layout import layout
from fleet.models.offered import Offered
from fleet.models.own import learn
from fleet.models.requant import CHECKED, UNCHECKED
from fleet.models.suggest import GOALS, Advice, Choice
from fleet.models.weights import Weights
from fleet.models.wish import Wish
from fleet.servers.tenants import running

if TYPE_CHECKING:
    from fleet.core.inventory import Inventory

WIDTH = 80  # columns
CONTEXT = 8192  # tokens over all slots, where neither a server nor the command says
MOST_CHANGES = 3


@dataclass(frozen=True, slots=True)
class Answer:
    """For one model on one host."""

    wish: Wish
    choices: tuple[Choice, ...]
    advice: Advice
    instead: tuple[tuple[str, Change], ...]  # where nothing fits: the quantisation, and its change
    bits: float | None  # per weight, that would fit; only where nothing does
    notes: tuple[str, ...]
    there: bool  # the held file lies on the host
    line: str | None  # for the inventory; None where nothing is to change


Page = Mapping[str, Answer | FleetError]  # by model


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
    names = tuple(dict.fromkeys(request["model"] or inventory.models))
    if not names:
        raise UsageError("the inventory has no models", next="fleet models suggest --model FILE.gguf")
    found: dict[str, Answer | FleetError] = {}
    facts = yield from probe(host)
    backend, notes = likely(inventory.hosts[host], facts)
    own = yield from learn(inventory, facts, backend)
    for name in names:
        try:
            weights: Weights = yield ReadWeights(name)
            offered: Offered = yield ListFiles(name)
            model = layout(weights.header, weights.sums)
            one = replace(request, options={**request.options, "model": name})
            wish = wished(one, inventory, host, facts)
            if wish.context is None:
                wish = replace(wish, context=min(CONTEXT, model.trained or CONTEXT))
            held, returned = yield from running(inventory, host, facts, backend, name)
            said = None
            if not model.formula:
                said = yield from oracle(host, facts, backend, weights, model, wish)
            listed = inventory.models[name].source if name in inventory.models else None
            choices = []
            for variant in suggest.variants(model, weights.size, listed, offered.files):
                fit = laid(
                    *(facts, backend, variant.layout, wish),
                    held=held, returned=returned, factor=own.factor, ram=own.ram,
                    oracle=said if variant.is_held else None,
                )  # fmt: skip
                choices.append(suggest.judged(variant, fit))
        except FleetError as error:
            found[name] = error
            continue
        more = (f"other quantisations are not listed: {offered.problem}",) if offered.problem else ()
        is_there = any(file.sha256 == weights.sha256 for file in facts.models)
        found[name] = _answer(name, wish, choices, goal, (*notes, *more), is_there)
    return found


def _answer(
    name: str, wish: Wish, choices: Sequence[Choice], goal: str, notes: tuple[str, ...], is_there: bool
) -> Answer:
    advice = suggest.choose(choices, GOALS[goal])
    best, bits = advice.best, None
    instead: tuple[tuple[str, Change], ...] = ()
    if best is None:
        instead = _instead(choices)
        bits = suggest.room_bits(choices[0].variant.layout, choices[0].fit)
    line = None if best is None or best.is_held else _line(name, best)
    return Answer(wish, tuple(choices), advice, instead, bits, notes, is_there, line)


def _instead(choices: Sequence[Choice]) -> tuple[tuple[str, Change], ...]:
    """What else would make a good quantisation fit, the least loss first."""
    good = [one for one in choices if one.is_held or (one.loss and one.loss.likely <= suggest.USUAL)]
    changes = [
        (one.name, change)
        for one in sorted(good, key=lambda one: one.size)
        for change in one.fit.changes
        if change.fits and "quantisation" not in change.settings
    ]
    return tuple(changes[:MOST_CHANGES])


def _line(name: str, best: Choice) -> str:
    """For [models.NAME]."""
    return f'source = "{best.variant.source or f"file:{_plain(name)}-{best.name}.gguf"}"'


def _plain(name: str) -> str:
    """A name for a table, of a file or an address that has none yet."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name.rpartition("/")[2].removesuffix(".gguf")) or "model"


def document(request: Request, results: Results) -> dict[str, Any]:
    """`fleet.suggest/1`: bytes, tokens/s; losses in parts of the perplexity."""
    if request["table"]:
        return {"table": [row.document() for row in quality.ROWS]}
    hosts: list[dict[str, Any]] = []
    for host, page in results.items():
        if isinstance(page, FleetError):
            hosts.append({"name": host, "models": [], "error": page.document()})
        else:
            models = [_model(name, one) for name, one in page.items()]
            hosts.append({"name": host, "models": models, "error": None})
    return {"goal": request["goal"] or "balanced", "hosts": hosts}


def _model(name: str, one: Answer | FleetError) -> dict[str, Any]:
    keys = ("context", "parallel", "best", "second", "why", "bits_that_fit", "line", "on_host")
    if isinstance(one, FleetError):
        empty: dict[str, Any] = dict.fromkeys(keys)
        lists: dict[str, Any] = {"instead": [], "choices": [], "notes": []}
        return {"name": name} | empty | lists | {"error": one.document()}
    advice = one.advice
    instead = [
        {"quantisation": quant, "change": change.what, "settings": change.settings}
        for quant, change in one.instead
    ]
    return {
        "name": name,
        "context": one.wish.context,
        "parallel": one.wish.parallel,
        "best": None if advice.best is None else _choice(advice.best),
        "second": None if advice.second is None else _choice(advice.second),
        "why": advice.why,
        "bits_that_fit": one.bits,
        "line": one.line,
        "on_host": one.there,
        "instead": instead,
        "choices": [_choice(choice) for choice in one.choices],
        "notes": list(one.notes),
        "error": None,
    }


def _choice(one: Choice) -> dict[str, Any]:
    speed, loss = one.fit.speed, one.loss
    spread = {"tps": speed.tps, "low": speed.low, "high": speed.high} if speed else None
    lost = {"low": loss.low, "likely": loss.likely, "high": loss.high, "why": loss.why} if loss else None
    return {
        "quantisation": one.variant.name,
        "bytes": one.size,
        "estimated": one.variant.is_estimate,
        "held": one.is_held,
        "verdict": one.fit.verdict,
        "speed": spread,
        "loss": lost,
    }


def lines(request: Request, results: Results) -> Iterable[str]:
    if request["table"]:
        yield from quality.table()
        return
    pages, errors = split(results)
    guessed: list[Choice] = []
    for host, page in pages.items():
        yield from _said("", f"{host}, goal {request['goal'] or 'balanced'}")
        for name, one in page.items():
            if isinstance(one, FleetError):
                yield from _said("  ", f"{name}: unknown, {one.what}")
                continue
            yield from _told(name, one)
            named = (one.advice.best, one.advice.second)
            guessed += [each for each in named if each and each.variant.is_estimate]
        yield ""
    for host, error in errors.items():
        yield from _said("", f"{host}: unknown, {error.what}")
    if guessed:
        text = f"~ a size nobody told, computed from the tensors: {CHECKED}"
        if any(each.variant.layout.experts for each in guessed):
            text += f"; {UNCHECKED}"
        yield from _said("", text)


def _told(name: str, one: Answer) -> Iterable[str]:
    best, second = one.advice.best, one.advice.second
    asked = f"{one.wish.context} tokens, {count_text(one.wish.parallel, 'slot')}"
    if best is None:
        yield from _said("  ", f"{name}: nothing fits ({asked})")
        usual = [each for each in one.choices if each.loss and each.loss.likely <= suggest.USUAL]
        least = min(usual or one.choices, key=lambda each: each.size)
        yield from _said("    why   ", one.advice.why)
        yield from _said("    why   ", f"{least.name}: {least.fit.why}")
        if one.bits:
            text = f"{one.bits:.1f} bits per weight, where Q4_K_M has 4.9; or a smaller model"
            yield from _said("    fits  ", text)
        for quant, change in one.instead:
            speed = f", {change.speed.tps:.0f} tokens/s" if change.speed else ""
            yield from _said("    or    ", f"{quant} with {change.what}{speed}")
    else:
        yield from _said("  ", f"{name}: {_words(best)} ({asked})")
        yield from _said("    why   ", one.advice.why)
        if best.loss and best.loss.likely > 0:
            yield from _said("    loss  ", f"{_range(best)} {best.loss.why}")
        if second is not None:
            yield from _said("    else  ", f"{second.name}: {suggest.trade(best, second)}")
        if one.line is None:
            has = "the inventory has it" if best.variant.source else "it is the file you named"
            there = ", and lies there already" if one.there else ""
            yield from _said("    do    ", f"nothing: {has}{there}")
        else:
            yield f"    do    [models.{_plain(name)}]"
            yield f"          {one.line}"
            if best.variant.source is None:
                how = "get that file from the model's publisher, or make it of the unpacked model"
                yield from _said("          ", how)
    for text in one.notes:
        yield from _said("    note  ", text)


def _words(one: Choice) -> str:
    about = "~" if one.variant.is_estimate else ""
    speed = one.fit.speed
    rate = f", {speed.tps:.0f} tokens/s ({speed.low:.0f} to {speed.high:.0f})" if speed else ", speed unknown"
    return f"{one.name}, {about}{one.size / 1e9:.2f} GB{rate}"


def _range(one: Choice) -> str:
    assert one.loss is not None
    low, high = one.loss.low * 100, one.loss.high
    top = f"{high * 100:.2g} %" if high is not None else f"{one.loss.likely * 100:.2g} % or more"
    return f"{low:.2g} to {top} of the perplexity, by those"


def _said(label: str, text: str) -> Iterable[str]:
    indent = " " * len(label)
    yield from wrap(text, WIDTH, initial_indent=label, subsequent_indent=indent) or [label.rstrip()]


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
