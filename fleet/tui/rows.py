"""A host as a row of the Fleet screen: what stands in each column."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from fleet.core import ages
from fleet.core.state import HostState
from fleet.tui.columns import Column
from fleet.tui.paint import Part, fit
from fleet.tui.text import (
    UNKNOWN,
    Steady,
    age_text,
    gib_text,
    number_text,
    percent_text,
    rate_text,
    spark,
    state_text,
    tone_of,
)
from fleet.tui.widgets.row import Row


@dataclass(frozen=True, slots=True)
class Moment:
    """What a row depends on besides its host."""

    now: float
    interval: float  # seconds between signs of life
    ascii: bool
    steady: Steady


@dataclass(frozen=True, slots=True)
class Shown:
    """A host with what several columns need to know of it."""

    host: HostState
    word: str
    fresh: str
    moment: Moment
    width: int = 0

    @property
    def is_gone(self) -> bool:
        return self.fresh in (ages.GONE, ages.NEVER)

    def steady(self, column: str, value: float | None, digit: float) -> float | None:
        return self.moment.steady.value(self.host.name, column, value, digit)


def host_row(host: HostState, columns: Sequence[Column], moment: Moment, is_marked: bool) -> Row:
    """The row of a host; a stale one is dim."""
    fresh = ages.freshness(host, moment.now, moment.interval)
    word = ages.host_word(host, moment.now, moment.interval)
    ellipsis = "~" if moment.ascii else "…"
    parts: list[Part] = []
    text = "*" if is_marked else " "
    for column in columns:
        shown = Shown(host, word, fresh, moment, column.width)
        cell = fit(CELLS[column.key](shown), column.width, column.align, ellipsis)
        if column.key == "state":
            parts += [(text, ""), (cell, tone_of(word))]
            text = " "
        else:
            text += cell + " "
    parts.append((text, ""))
    tone = "dim" if fresh in (ages.STALE, ages.GONE, ages.NEVER) or word == "asleep" else ""
    line = tuple(parts)
    return Row((line, tone), line, tone)


def host_cells(host: HostState, columns: Sequence[Column], moment: Moment) -> list[str]:
    """The texts of a row, uncut."""
    fresh = ages.freshness(host, moment.now, moment.interval)
    word = ages.host_word(host, moment.now, moment.interval)
    return [CELLS[column.key](Shown(host, word, fresh, moment, column.width)) for column in columns]


def sort_value(host: HostState, key: str, now: float, interval: float) -> tuple[int, float | str]:
    """What the rows are sorted by; unknown values come last in both directions."""
    if key == "host":
        return (0, host.name)
    if key == "state":
        return (0, ages.host_word(host, now, interval))
    if key == "backend":
        return (0, host.backend or "~")
    if key == "model":
        return (0, _models(host) or "~")
    if key == "gen":
        value = ages.speed(host, now, interval)
    elif key == "pp":
        value = ages.speed(host, now, interval, "prompt_tps")
    elif key == "history":
        value = host.history.mean
    elif key == "age":
        value = ages.host_age(host, now)
    elif key in ("slots", "q", "kv"):
        value = _sum(host, {"slots": "slots_busy", "q": "deferred", "kv": "held"}[key])
    else:
        value = _sampled(host, key)
    return (1, 0.0) if value is None else (0, value)


def _models(host: HostState) -> str:
    models = [s.sample.model for s in host.servers.values() if s.sample is not None and s.sample.model]
    if not models:
        return ""
    return models[0] if len(models) == 1 else f"{models[0]} +{len(models) - 1}"


def _sum(host: HostState, name: str) -> int | None:
    found = [getattr(s.sample, name) for s in host.servers.values() if s.sample is not None]
    known = [value for value in found if value is not None]
    return sum(known) if known else None


def _sampled(host: HostState, key: str) -> float | None:
    sample = host.sample
    if sample is None:
        return None
    if key == "mem":
        return share(sample.memory_used, sample.memory_total)
    name = {
        "ram": "memory_used",
        "vram": "gpu_memory_used",
        "temp": "gpu_temperature",
        "gpu": "gpu_load",
        "power": "gpu_power",
        "load": "load",
        "swap": "swap_used",
        "disk": "disk_free",
    }[key]
    value: float | None = getattr(sample, name)
    return value


def share(part: float | None, whole: float | None) -> float | None:
    return part / whole if part is not None and whole else None


def _model(shown: Shown) -> str:
    return _models(shown.host) or ("-" if not shown.host.declared else ", ".join(shown.host.declared))


def _gen(shown: Shown) -> str:
    value = ages.speed(shown.host, shown.moment.now, shown.moment.interval)
    if value is None and shown.fresh == ages.STALE:
        rates = [s.sample.generation_tps for s in shown.host.servers.values() if s.sample is not None]
        value = sum(r for r in rates if r is not None) if any(r is not None for r in rates) else None
    if shown.is_gone or value is None:
        return UNKNOWN
    text = rate_text(shown.steady("gen", value, 0.1 if value < 99.95 else 1.0))
    return text if shown.fresh == ages.FRESH else "~" + text


def _pp(shown: Shown) -> str:
    value = ages.speed(shown.host, shown.moment.now, shown.moment.interval, "prompt_tps")
    if shown.is_gone or value is None:
        return UNKNOWN
    return number_text(shown.steady("pp", value, 1.0) or 0.0)


def _slots(shown: Shown) -> str:
    busy, total = _sum(shown.host, "slots_busy"), _sum(shown.host, "slots_total")
    if shown.is_gone or total is None:
        return UNKNOWN
    return f"{'?' if busy is None else busy}/{total}"


def _kv(shown: Shown) -> str:
    held, context = _sum(shown.host, "held"), _sum(shown.host, "context")
    value = share(held, context)
    return UNKNOWN if shown.is_gone else percent_text(shown.steady("kv", value, 0.01))


def _queue(shown: Shown) -> str:
    waiting = _sum(shown.host, "deferred")
    return UNKNOWN if shown.is_gone or waiting is None else str(min(waiting, 99))


def _from_sample(key: str, render: Callable[[float], str], digit: float) -> Callable[[Shown], str]:
    def cell(shown: Shown) -> str:
        value = shown.steady(key, _sampled(shown.host, key), digit)
        if shown.is_gone or value is None:
            return UNKNOWN
        return render(value)

    return cell


def _gpu_cell(key: str, render: Callable[[float], str], digit: float) -> Callable[[Shown], str]:
    """As _from_sample, with n/a on a host that was looked at and has no such thing."""
    inner = _from_sample(key, render, digit)

    def cell(shown: Shown) -> str:
        sample = shown.host.sample
        has_none = sample is not None and sample.gpu_load is None and sample.gpu_memory_total is None
        return "n/a" if has_none and not shown.is_gone and _sampled(shown.host, key) is None else inner(shown)

    return cell


def _history(shown: Shown) -> str:
    moment = shown.moment
    return spark(shown.host.history.cells(shown.width, moment.now), moment.ascii)


def _age(shown: Shown) -> str:
    return age_text(ages.host_age(shown.host, shown.moment.now))


TENTH = 0.1 * 2**30
CELLS: dict[str, Callable[[Shown], str]] = {
    "host": lambda shown: shown.host.name,
    "state": lambda shown: state_text(shown.word, shown.moment.ascii),
    "backend": lambda shown: shown.host.backend or "-",
    "model": _model,
    "gen": _gen,
    "pp": _pp,
    "slots": _slots,
    "q": _queue,
    "kv": _kv,
    "mem": _from_sample("mem", lambda value: f"{value * 100:.0f}%", 0.01),
    "ram": _from_sample("ram", gib_text, TENTH),
    "vram": _gpu_cell("vram", lambda value: gib_text(value, "G"), TENTH),
    "temp": _gpu_cell("temp", lambda value: f"{value:.0f}C", 1.0),
    "gpu": _gpu_cell("gpu", lambda value: f"{value * 100:.0f}%", 0.01),
    "power": _gpu_cell("power", lambda value: f"{value:.0f}W", 1.0),
    "load": _from_sample("load", lambda value: f"{value * 100:.0f}%", 0.01),
    "swap": _from_sample("swap", lambda value: gib_text(value) if value else "0", TENTH),
    "disk": _from_sample("disk", lambda value: f"{value / 2**30:.0f}G", 2**30),
    "history": _history,
    "age": _age,
}
