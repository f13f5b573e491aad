"""What a quantisation costs: bits for each weight, and what the model loses by it.

Source: bits and GiB of Llama-3.1-8B: llama.cpp tools/quantize/README.md; loss on Llama-3-8B
    (perplexity on wikitext-2 above F16's, Kullback-Leibler divergence): llama.cpp
    tools/perplexity/README.md. Numbers of file types: llama.cpp include/llama.h, `llama_ftype`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

WORST_ADVISED = 0.7  # perplexity above F16's; beyond it a smaller model at Q4_K_M serves better


@dataclass(frozen=True, slots=True)
class Quant:
    """One way in which llama.cpp packs a whole model: mixtures of block types under one name."""

    name: str
    bits: float  # for each weight, over the whole file
    loss: float | None  # perplexity above F16's on Llama-3-8B; None where nobody published it
    divergence: float | None  # Kullback-Leibler, mean
    is_imatrix: bool  # the loss was measured with an importance matrix; without one it is larger

    @property
    def is_k(self) -> bool:
        """Packed in super-blocks of 256 with scales inside scales: costly to unpack."""
        return "_K" in self.name or self.name.startswith("IQ")

    @property
    def is_advised(self) -> bool:
        """Whether we would propose it without being asked."""
        return self.loss is None or self.loss <= WORST_ADVISED


# Best first. BF16, Q5_0, MXFP4 and NVFP4: bits of their blocks, loss not published for this model.
TABLE = (
    Quant("F32", 32.0, 0.0, 0.0, False),
    Quant("BF16", 16.0, None, None, False),
    Quant("F16", 16.0, 0.002, 0.0006, False),
    Quant("Q8_0", 8.5, 0.003, 0.0014, False),
    Quant("Q6_K", 6.56, 0.022, 0.0055, False),
    Quant("Q5_K_M", 5.70, 0.057, 0.011, False),
    Quant("Q5_1", 6.0, None, None, False),
    Quant("Q5_K_S", 5.57, 0.105, 0.017, False),
    Quant("Q5_0", 5.5, None, None, False),
    Quant("Q4_K_M", 4.89, 0.175, 0.031, False),
    Quant("Q4_1", 5.0, None, None, False),
    Quant("IQ4_NL", 4.68, 0.224, 0.036, True),
    Quant("IQ4_XS", 4.46, 0.228, 0.036, True),
    Quant("Q4_K_S", 4.67, 0.269, 0.043, False),
    Quant("NVFP4", 4.5, None, None, False),
    Quant("Q4_0", 4.5, None, None, False),
    Quant("MXFP4_MOE", 4.25, None, None, False),
    Quant("Q3_K_L", 4.30, 0.556, 0.087, False),
    Quant("Q3_K_M", 4.00, 0.657, None, False),
    Quant("IQ3_M", 3.76, 0.667, 0.103, True),
    Quant("IQ3_S", 3.66, 0.734, 0.111, True),
    Quant("Q3_K_S", 3.64, 1.632, 0.228, False),
    Quant("IQ3_XXS", 3.25, 1.227, 0.184, True),
    Quant("IQ2_M", 2.93, 2.369, 0.326, True),
    Quant("Q2_K", 3.16, 3.52, 0.445, False),
    Quant("IQ2_XS", 2.59, 4.53, 0.55, True),
    Quant("IQ2_XXS", 2.38, 7.86, 0.81, True),
    Quant("IQ1_M", 2.15, 19.3, 1.39, True),
    Quant("IQ1_S", 2.00, 54.0, 2.25, True),
)
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

    Types whose loss nobody published are left out: a proposal says what it costs.
    """
    return tuple(
        sorted(
            (one for one in TABLE if one.bits < held.bits and one.loss is not None and one.is_advised),
            key=lambda one: one.loss or 0.0,
        )
    )


def warning(quant: Quant) -> str | None:
    """A sentence where a quantisation costs more than it saves, else None."""
    if quant.is_advised or quant.loss is None:
        return None
    how = "with an importance matrix" if quant.is_imatrix else "without an importance matrix"
    return (
        f"{quant.name} raises the perplexity of Llama-3-8B by {quant.loss:g} ({how}; Q4_K_M: 0.175): "
        "a smaller model at Q4_K_M is usually better"
    )
