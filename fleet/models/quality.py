"""What a model loses by being packed: what was measured, on which model, and what that says of others.

A loss is the rise of the perplexity on wikitext-2 over the model as it was trained, in parts of that
perplexity: perplexities of models with other vocabularies cannot be compared, their ratios can.

Source: llama.cpp tools/perplexity/README.md, "LLaMA 3 8b Scoreboard" (revision f364eb6f) and "LLaMA 2
    vs. LLaMA 3 Quantization comparison"; read in the source of b11434. Sizes are those of its files.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fleet.models.layout import Layout

SCOREBOARD = "llama.cpp tools/perplexity/README.md, LLaMA 3 8b Scoreboard"
COMPARED = "llama.cpp tools/perplexity/README.md, LLaMA 2 vs. LLaMA 3"
LLAMA_3, LLAMA_2 = "Llama-3-8B", "Llama-2-7B"
# Perplexity before packing: that of a packed file less its rise.
BASE: Mapping[str, float] = {LLAMA_3: 6.231636, LLAMA_2: 5.794552}
MEASURED_ON = 7e9  # parameters; of smaller models nobody published a table that we could read
# Of the loss of Llama-3-8B, what Llama-2-7B loses: Q6_K 0.69, Q4_K_M 0.51, Q2_K 0.19. Trained on less
# text, its weights hold less that packing can destroy. Q8_0 lost 1.6 times as much there, within the noise.
OLDER = ((4.0, 0.5), (0.0, 0.19))  # from these bits per weight on


@dataclass(frozen=True, slots=True)
class Row:
    """One measurement."""

    name: str
    model: str
    size: float | None  # GiB of the whole file
    rise: float  # of the perplexity
    error: float  # of that, one standard deviation
    divergence: float  # Kullback-Leibler, mean, nats per token
    is_imatrix: bool
    source: str

    @property
    def loss(self) -> float:
        """Parts of the perplexity before packing."""
        return self.rise / BASE[self.model]

    def document(self) -> dict[str, Any]:
        """Bits per weight over the file; the rest as above."""
        return {
            "quantisation": self.name,
            "model": self.model,
            "bits": bits_of(self) if self.size else None,
            "perplexity": {"rise": self.rise, "error": self.error, "loss": self.loss},
            "divergence": self.divergence,
            "imatrix": self.is_imatrix,
            "source": self.source,
        }


def _row(name: str, size: float, rise: float, error: float, kld: float, imatrix: bool = False) -> Row:
    return Row(name, LLAMA_3, size, rise, error, kld, imatrix, SCOREBOARD)


# In the order of the divergence, as published.
ROWS = (
    _row("F16", 14.97, 0.001524, 0.000755, 0.000551),
    _row("Q8_0", 7.96, 0.002650, 0.001006, 0.001355),
    _row("Q6_K", 6.14, 0.021748, 0.001852, 0.005452),
    _row("Q5_K_M", 5.33, 0.056974, 0.002598, 0.010762),
    _row("Q5_K_S", 5.21, 0.104964, 0.003331, 0.016595),
    _row("Q5_1", 5.65, 0.106223, 0.003476, 0.018045),
    _row("Q5_0", 5.21, 0.131591, 0.003894, 0.022239),
    _row("Q4_K_M", 4.58, 0.151303, 0.004429, 0.028152, True),
    _row("Q4_K_M", 4.58, 0.175482, 0.004620, 0.031273),
    _row("Q4_K_S", 4.37, 0.178064, 0.004744, 0.031951, True),
    _row("IQ4_NL", 4.35, 0.223959, 0.005201, 0.035742, True),
    _row("IQ4_XS", 4.14, 0.228071, 0.005207, 0.036334, True),
    _row("Q4_K_S", 4.37, 0.268895, 0.005638, 0.043136),
    _row("Q4_1", 4.78, 0.451103, 0.008030, 0.071683),
    _row("Q4_0", 4.34, 0.468514, 0.007951, 0.071940),
    _row("Q3_K_L", 4.03, 0.439590, 0.008154, 0.073077, True),
    _row("Q3_K_M", 3.74, 0.502622, 0.008901, 0.084358, True),
    _row("Q3_K_L", 4.03, 0.556242, 0.009171, 0.087176),
    _row("Q3_K_M", 3.74, 0.656864, 0.010071, 0.101913),
    _row("IQ3_M", 3.53, 0.666694, 0.009449, 0.102534, True),
    _row("IQ3_S", 3.42, 0.733867, 0.010245, 0.111278, True),
    _row("IQ3_XXS", 3.05, 1.226803, 0.015234, 0.183625, True),
    _row("Q3_K_S", 3.41, 1.371244, 0.015688, 0.199821, True),
    _row("Q3_K_S", 3.41, 1.632152, 0.017733, 0.228217),
    _row("IQ2_M", 2.74, 2.369166, 0.025244, 0.325989, True),
    _row("Q2_K", 2.96, 2.416191, 0.025683, 0.332223, True),
    _row("Q2_K", 2.96, 3.519934, 0.033863, 0.445132),
    _row("IQ2_XS", 2.43, 4.529791, 0.042229, 0.546290, True),
    _row("IQ2_XXS", 2.24, 7.860148, 0.070752, 0.812022, True),
    _row("IQ1_M", 2.01, 19.262089, 0.152396, 1.393084, True),
    _row("IQ1_S", 1.88, 54.462959, 0.449644, 2.254554, True),
    Row("Q8_0", LLAMA_2, None, 0.003990, 0.000624, 0.000369, False, COMPARED),
    Row("Q6_K", LLAMA_2, None, 0.013941, 0.001110, 0.002098, False, COMPARED),
    Row("Q4_K_M", LLAMA_2, None, 0.082526, 0.002530, 0.012686, False, COMPARED),
    Row("Q2_K", LLAMA_2, None, 0.625552, 0.008725, 0.108903, False, COMPARED),
)


@dataclass(frozen=True, slots=True)
class Loss:
    """What a model is expected to lose.

    Attributes:
        low, likely, high: parts of its perplexity. `likely` is what Llama-3-8B lost;
            `high` is None where a model may lose more and nobody says how much.
        why: what the range stands on.
    """

    low: float
    likely: float
    high: float | None
    is_imatrix: bool
    why: str


def measured(name: str, model: str = LLAMA_3) -> Row | None:
    """The row of a quantisation; without an importance matrix where both were measured."""
    found = [row for row in ROWS if row.name == name and row.model == model]
    return min(found, key=lambda row: row.is_imatrix, default=None)


def expected(name: str, model: Layout, parameters: float) -> Loss | None:
    """What this model is expected to lose; None where nobody measured that quantisation."""
    row = measured(name)
    if row is None:
        return None
    bits = bits_of(row)
    older = next(share for least, share in OLDER if bits >= least)
    low, high = row.loss * older, row.loss
    if model.experts:
        return Loss(low, row.loss, None, row.is_imatrix, f"of {LLAMA_3}; no model of experts was measured")
    if parameters < MEASURED_ON:
        why = f"of {LLAMA_3}; a smaller model loses more, nobody published how much"
        return Loss(low, row.loss, None, row.is_imatrix, why)
    return Loss(low, row.loss, high, row.is_imatrix, f"of {LLAMA_3}; older and larger models lose less")


def bits_of(row: Row) -> float:
    """Bits per weight over the whole file of Llama-3-8B (8 030 261 248 parameters)."""
    return (row.size or 0.0) * 2**30 * 8 / 8_030_261_248


def table() -> Iterator[str]:
    """All rows, for people."""
    yield f"{'TYPE':<9}{'MODEL':<12}{'BITS':>6}{'LOSS %':>9}{'RISE':>9}{'+-':>7}{'KLD':>9}  IMATRIX"
    for row in ROWS:
        bits = f"{bits_of(row):.2f}" if row.size else "-"
        yield (
            f"{row.name:<9}{row.model:<12}{bits:>6}{row.loss * 100:>9.2f}{row.rise:>9.4f}"
            f"{row.error:>7.3f}{row.divergence:>9.4f}  {'yes' if row.is_imatrix else 'no'}"
        )
    yield "bits per weight; loss: rise of the perplexity on wikitext-2; KLD: nats per token"
    yield from (f"source: {source}" for source in dict.fromkeys(row.source for row in ROWS))
    yield "what the deployment guide promised of speeds, and what can be: fleet speed"
