"""One model's advice on one host, as lines for people and as a part of the document."""

import re
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from textwrap import wrap
from typing import Any

from fleet.core.errors import FleetError
from fleet.core.plan import count_text
from fleet.models import suggest
from fleet.models.changes import Change
from fleet.models.suggest import Advice, Choice
from fleet.models.wish import Wish

WIDTH = 80  # columns


@dataclass(frozen=True, slots=True)
class Answer:
    """For one model on one host."""

    wish: Wish
    choices: tuple[Choice, ...]
    advice: Advice
    instead: tuple[tuple[str, Change], ...]  # where nothing good fits: the quantisation, and its change
    bits: float | None  # per weight, that would fit; only where nothing does
    notes: tuple[str, ...]
    there: bool  # the held file lies on the host
    line: str | None  # for the inventory; None where nothing is to change


Page = Mapping[str, Answer | FleetError]  # by model


def model_document(name: str, one: Answer | FleetError) -> dict[str, Any]:
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


def told(name: str, one: Answer) -> Iterable[str]:
    best, second = one.advice.best, one.advice.second
    asked = f"{one.wish.context} tokens, {count_text(one.wish.parallel, 'slot')}"
    if best is None:
        yield from labelled("  ", f"{name}: nothing fits ({asked})")
        usual = [each for each in one.choices if suggest.is_usual(each)]
        least = min(usual or one.choices, key=lambda each: each.size)
        yield from labelled("    why   ", one.advice.why)
        yield from labelled("    why   ", f"{least.name}: {least.fit.why}")
        if one.bits:
            text = f"{one.bits:.1f} bits per weight, where Q4_K_M has 4.9; or a smaller model"
            yield from labelled("    fits  ", text)
        yield from _instead(one)
    else:
        yield from labelled("  ", f"{name}: {_words(best)} ({asked})")
        yield from labelled("    why   ", one.advice.why)
        if best.loss and best.loss.likely > 0:
            yield from labelled("    loss  ", f"{_range(best)} {best.loss.why}")
        if second is not None:
            yield from labelled("    else  ", f"{second.name}: {suggest.trade(best, second)}")
        yield from _instead(one)
        if one.line is None:
            has = "the inventory has it" if best.variant.source else "you hold that file"
            there = ", and lies there already" if one.there else ""
            yield from labelled("    do    ", f"nothing: {has}{there}")
        else:
            yield f"    do    [models.{_plain(name)}]"
            yield f"          {one.line}"
            if best.variant.source is None:
                yield from labelled("          ", "get that file from the model's publisher, or make it:")
                yield f"          fleet models convert {_origin(one)} --to {best.name}"
    for text in one.notes:
        yield from labelled("    note  ", text)


def _origin(one: Answer) -> str:
    """What it would be made from: the file that is held, where that is a whole one."""
    held = next(choice.variant for choice in one.choices if choice.is_held)
    is_whole = held.name in ("F32", "F16", "BF16") and (held.source or "").startswith("file:")
    return shlex.quote(held.source or "") if is_whole else "hf:OWNER/REPO"


def _instead(one: Answer) -> Iterable[str]:
    for quant, change in one.instead:
        speed = f", {change.speed.tps:.0f} tokens/s" if change.speed else ""
        yield from labelled("    or    ", f"{quant} with {change.what}{speed}")


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


def labelled(label: str, text: str) -> Iterable[str]:
    indent = " " * len(label)
    yield from wrap(text, WIDTH, initial_indent=label, subsequent_indent=indent) or [label.rstrip()]


def inventory_line(name: str, best: Choice) -> str:
    """For [models.NAME]."""
    return f'source = "{best.variant.source or f"file:{_plain(name)}-{best.name}.gguf"}"'


def _plain(name: str) -> str:
    """A name for a table, of a file or an address that has none yet."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name.rpartition("/")[2].removesuffix(".gguf")) or "model"
