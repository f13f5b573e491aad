"""What llama.cpp's tools measured of quantised models, read from what they print."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

NUMBER = r"(-?\d+(?:\.\d+)?(?:e[+-]?\d+)?|nan|inf)"
# Source: llama.cpp b11434, tools/perplexity/perplexity.cpp, `kl_divergence` and `perplexity`;
# src/llama-quant.cpp, `llama_model_quantize_impl`.
BITS = re.compile(rf"quant size += +{NUMBER} MiB \({NUMBER} BPW\)")
FINAL = re.compile(rf"Final estimate: PPL = {NUMBER} \+/- {NUMBER}")
MEANS = {
    "ppl": re.compile(rf"Mean PPL\(Q\) *: *{NUMBER} ± *{NUMBER}"),
    "base": re.compile(rf"Mean PPL\(base\) *: *{NUMBER} ± *{NUMBER}"),
    "more": re.compile(rf"Mean PPL\(Q\)-PPL\(base\) *: *{NUMBER} ± *{NUMBER}"),
    "kld": re.compile(rf"Mean +KLD: *{NUMBER} ± *{NUMBER}"),
    "same": re.compile(rf"Same top p: *{NUMBER} ± *{NUMBER} %"),
}


@dataclass(frozen=True, slots=True)
class Mean:
    """A mean and its standard error."""

    value: float
    error: float


@dataclass(frozen=True, slots=True)
class Measured:
    """Of one quantised file. None: it was not measured, or the tool said no number."""

    bits: float | None  # for each weight
    ppl: Mean | None  # perplexity on the text
    more: Mean | None  # perplexity above that of the base
    kld: Mean | None  # Kullback-Leibler divergence from the base, over tokens
    same: Mean | None  # percent of tokens whose most likely next one is the base's


def measured(quantised: Iterable[str], checked: Iterable[str]) -> Measured:
    """From the lines of llama-quantize, and those of llama-perplexity --kl-divergence."""
    bits = _first(BITS, quantised)
    lines = tuple(checked)
    means = {name: _mean(pattern, lines) for name, pattern in MEANS.items()}
    size = bits and _number(bits[2])
    return Measured(size or None, means["ppl"], means["more"], means["kld"], means["same"])


def perplexity(lines: Iterable[str]) -> Mean | None:
    """Of the base, from the lines of either run of llama-perplexity: the first may lose its last ones."""
    found = tuple(lines)
    return _mean(MEANS["base"], found) or _mean(FINAL, found)


def _mean(pattern: re.Pattern[str], lines: Iterable[str]) -> Mean | None:
    found = _first(pattern, lines)
    value, error = (_number(found[1]), _number(found[2])) if found else (None, None)
    return None if value is None or error is None else Mean(value, error)


def _number(text: str) -> float | None:
    """None for `nan` and `inf`, which a broken model gives."""
    return None if text in ("nan", "inf") else float(text)


def _first(pattern: re.Pattern[str], lines: Iterable[str]) -> re.Match[str] | None:
    return next((found for line in lines if (found := pattern.search(line))), None)
