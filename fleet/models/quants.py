"""What a quantisation costs: bits for each weight, and what the model loses by it.

Source: bits of Llama-3.1-8B: llama.cpp tools/quantize/README.md; losses: quality. Numbers of file
    types: llama.cpp include/llama.h, `llama_ftype`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from fleet.models import quality

WORST_ADVISED = 0.7  # rise of the perplexity; beyond it a smaller model at Q4_K_M serves better
OLD = frozenset({"Q4_0", "Q4_1", "Q5_0", "Q5_1"})


@dataclass(frozen=True, slots=True)
class Quant:
    """One way in which llama.cpp packs a whole model: mixtures of block types under one name."""

    name: str
    bits: float  # for each weight, over the whole file
    loss: float | None  # rise of the perplexity of Llama-3-8B; None where nobody published it
    divergence: float | None  # Kullback-Leibler, mean
    is_imatrix: bool  # the loss was measured with an importance matrix; without one it is larger

    @property
    def is_k(self) -> bool:
        """Packed in super-blocks of 256 with scales inside scales: costly to unpack."""
        return "_K" in self.name or self.name.startswith("IQ")

    @property
    def is_advised(self) -> bool:
        """Whether it may be proposed without being asked for, or needs no warning."""
        return self.loss is None or self.loss <= WORST_ADVISED


# Best first. BF16, Q5_0, MXFP4 and NVFP4: bits of their blocks.
_BITS = (
    ("F32", 32.0),
    ("BF16", 16.0),
    ("F16", 16.0),
    ("Q8_0", 8.5),
    ("Q6_K", 6.56),
    ("Q5_K_M", 5.70),
    ("Q5_1", 6.0),
    ("Q5_K_S", 5.57),
    ("Q5_0", 5.5),
    ("Q4_K_M", 4.89),
    ("Q4_1", 5.0),
    ("IQ4_NL", 4.68),
    ("IQ4_XS", 4.46),
    ("Q4_K_S", 4.67),
    ("NVFP4", 4.5),
    ("Q4_0", 4.5),
    ("MXFP4_MOE", 4.25),
    ("Q3_K_L", 4.30),
    ("Q3_K_M", 4.00),
    ("IQ3_M", 3.76),
    ("IQ3_S", 3.66),
    ("Q3_K_S", 3.64),
    ("IQ3_XXS", 3.25),
    ("IQ2_M", 2.93),
    ("Q2_K", 3.16),
    ("IQ2_XS", 2.59),
    ("IQ2_XXS", 2.38),
    ("IQ1_M", 2.15),
    ("IQ1_S", 2.00),
)


def _quant(name: str, bits: float) -> Quant:
    row = quality.measured(name)
    if row is None:
        return Quant(name, bits, 0.0 if name == "F32" else None, 0.0 if name == "F32" else None, False)
    return Quant(name, bits, row.rise, row.divergence, row.is_imatrix)


TABLE = tuple(_quant(name, bits) for name, bits in _BITS)
QUANTS: Mapping[str, Quant] = {quant.name: quant for quant in TABLE}

# `general.file_type` of a GGUF header -> name. What is missing here is unknown to us.
FILE_TYPES: Mapping[int, str] = {
    0: "F32",
    1: "F16",
    2: "Q4_0",
    3: "Q4_1",
    7: "Q8_0",
    8: "Q5_0",
    9: "Q5_1",
    10: "Q2_K",
    11: "Q3_K_S",
    12: "Q3_K_M",
    13: "Q3_K_L",
    14: "Q4_K_S",
    15: "Q4_K_M",
    16: "Q5_K_S",
    17: "Q5_K_M",
    18: "Q6_K",
    19: "IQ2_XXS",
    20: "IQ2_XS",
    23: "IQ3_XXS",
    24: "IQ1_S",
    25: "IQ4_NL",
    26: "IQ3_S",
    27: "IQ3_M",
    29: "IQ2_M",
    30: "IQ4_XS",
    31: "IQ1_M",
    32: "BF16",
    38: "MXFP4_MOE",
    39: "NVFP4",
}


def find(name: str) -> Quant | None:
    """The quantisation of a name as people and files spell it: `q4_k_m`, `UD-Q4_K_M`, `Q4_K - Medium`."""
    word = name.strip().upper().removeprefix("UD-").removeprefix("MOSTLY_")
    for size, short in ((" - SMALL", "_S"), (" - MEDIUM", "_M"), (" - LARGE", "_L")):
        word = word.replace(size, short)
    return QUANTS.get(word) or QUANTS.get(f"{word}_MOE")


def named(text: str) -> Quant | None:
    """The quantisation that a model's file name or title mentions; the longest name wins."""
    words = "".join(letter if letter.isalnum() or letter == "_" else " " for letter in text.upper()).split()
    found = [quant for word in words if (quant := find(word)) is not None]
    return max(found, key=lambda quant: len(quant.name), default=None)


def of_file(number: int) -> Quant | None:
    """The quantisation of a header's `general.file_type`."""
    return QUANTS.get(FILE_TYPES.get(number, ""))


def ratio(held: Quant, other: Quant) -> float:
    """Size of a model in `other`, for each byte that it has in `held`."""
    return other.bits / held.bits


def smaller(held: Quant) -> tuple[Quant, ...]:
    """What the same model can be packed in to take less, least loss first; only what we would advise.

    Types whose loss nobody published are left out: a proposal says what it costs. So are those of
    before the K-quants: at nearly the same size these lose less.
    """
    good = (one for one in TABLE if one.loss is not None and one.is_advised and one.name not in OLD)
    return tuple(sorted((one for one in good if one.bits < held.bits), key=lambda one: one.loss or 0.0))


def warning(quant: Quant) -> str | None:
    """A sentence where a quantisation costs more than it saves, else None."""
    if quant.is_advised or quant.loss is None:
        return None
    how = "with an importance matrix" if quant.is_imatrix else "without an importance matrix"
    return (
        f"{quant.name} raises the perplexity of Llama-3-8B by {quant.loss:.3g} ({how}; Q4_K_M: 0.175): "
        "a smaller model at Q4_K_M is usually better"
    )
