"""What a conversion made, with what was measured of it, as rows and lines."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from fleet.core.names import PATTERN
from fleet.models.convert import Job, Result, predicted
from fleet.models.measured import Mean, Measured, measured, perplexity
from fleet.models.quants import QUANTS

SLOW = 0.6  # of the fastest type's tokens/s; a better type that is slower than this is not advised


@dataclass(frozen=True, slots=True)
class Made:
    """The files of one model; none where it is not done."""

    job: Job
    results: tuple[Result, ...]
    said: Mapping[str, Sequence[str]]  # what llama.cpp's tools said, by stage
    paths: Mapping[str, str] | None = None  # sha256 -> path in this machine's cache

    def measured(self, result: Result) -> Measured:
        return measured(
            self.said.get(f"quantise-{result.type}", ()), self.said.get(f"check-{result.type}", ())
        )

    def base(self) -> Mean | None:
        names = ("check-base", *(f"check-{result.type}" for result in self.results))
        return perplexity(line for name in names for line in self.said.get(name, ()))

    def at(self, paths: Mapping[str, str]) -> "Made":
        return replace(self, paths=paths)

    def document(self) -> dict[str, Any]:
        return {
            "name": self.job.origin.name,
            "source": self.job.origin.place,
            "base_ppl": _pair(self.base()),
            "files": [self._file(result) for result in self.results],
        }

    def _file(self, result: Result) -> dict[str, Any]:
        found = self.measured(result)
        return {
            "type": result.type,
            "model": name(self.job.origin.name, result.type),
            "sha256": result.sha256,
            "bytes": result.size,
            "predicted_bytes": predicted(self.job.origin, result.type),
            "bits": found.bits,
            "ppl": _pair(found.ppl),
            "more_ppl": _pair(found.more),
            "kld": _pair(found.kld),
            "same_top_percent": _pair(found.same),
            "path": (self.paths or {}).get(result.sha256) or None,
        }


@dataclass(frozen=True, slots=True)
class Judged:
    """One file on one host."""

    result: Result
    fits: bool
    tps: float | None  # tokens/s, predicted
    loss: float | None  # measured divergence, else the published one


def best(judged: Sequence[Judged]) -> Judged | None:
    """The one to serve: of those that fit and are not much slower than another, the one that loses least."""
    good = [one for one in judged if one.fits]
    fastest = max((one.tps for one in good if one.tps is not None), default=None)
    if fastest is not None:
        good = [one for one in good if one.tps is None or one.tps >= SLOW * fastest]
    return min(good, key=lambda one: (one.loss is None, one.loss or 0.0, one.result.size), default=None)


def loss(found: Measured, type_: str) -> float | None:
    """What is compared: the divergence that was measured here, else the published one."""
    return found.kld.value if found.kld else QUANTS[type_].divergence


def row(made: Made, result: Result) -> tuple[str, ...]:
    """A line of the table."""
    found = made.measured(result)
    return (
        result.type,
        str(result.size),
        f"{found.bits:.2f}" if found.bits else "--",
        _text(found.ppl, 4),
        _text(found.more, 4, sign="+"),
        _text(found.kld, 5),
        f"{found.same.value:.1f} %" if found.same else "--",
    )


def shown(made: Made, listed: Collection[str] = ()) -> Iterable[str]:
    """The base, what was not asked for, and lines for the inventory but for the models that it has."""
    base = made.base()
    if base is not None:
        yield f"base: perplexity {_text(base, 4)} on the check text"
    if not any(made.measured(result).kld for result in made.results):
        yield "the loss was not measured: --check TEXTFILE does that"
    named = [(name(made.job.origin.name, result.type), result) for result in made.results]
    if any(model not in listed for model, _ in named):
        yield "for inventory.toml:"
    for model, result in named:
        if model in listed:
            continue
        path = (made.paths or {}).get(result.sha256)
        yield f'  [models."{model}"]'
        yield f'  source = "file:{path}"' if path else "  # its file is on the host only"
        yield f'  sha256 = "{result.sha256}"'


def name(origin: str, type_: str) -> str:
    """A name that the inventory takes."""
    end = f"-{type_.lower().replace('_', '-')}"
    text = re.sub(r"[^a-z0-9._-]+", "-", origin.lower()).strip("._-")[: 63 - len(end)].strip("._-") or "model"
    assert re.fullmatch(PATTERN, text + end)
    return text + end


def _text(mean: Mean | None, digits: int, sign: str = "") -> str:
    if mean is None:
        return "--"
    return f"{mean.value:{sign}.{digits}f} ± {mean.error:.{digits}f}"


def _pair(mean: Mean | None) -> dict[str, float] | None:
    return None if mean is None else {"value": mean.value, "error": mean.error}
