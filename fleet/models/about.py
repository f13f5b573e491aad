"""What a model's header says of it, as a person asks."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fleet.models.packing import TYPES
from fleet.models.quants import of_file
from fleet.models.weights import Weights

# Numbers of ggml types -> names. Source: llama.cpp ggml/include/ggml.h, `ggml_type`.
FIRST = "F32 F16 Q4_0 Q4_1 Q4_2 Q4_3 Q5_0 Q5_1 Q8_0 Q8_1 Q2_K Q3_K Q4_K Q5_K Q6_K Q8_K"
SECOND = "IQ2_XXS IQ2_XS IQ3_XXS IQ1_S IQ4_NL IQ3_S IQ2_S IQ4_XS I8 I16 I32 I64 F64 IQ1_M BF16"
NAMES: Mapping[int, str] = dict(enumerate(f"{FIRST} {SECOND}".split())) | {
    34: "TQ1_0",
    35: "TQ2_0",
    39: "MXFP4",
    40: "NVFP4",
}


@dataclass(frozen=True, slots=True)
class About:
    """None where the header does not say."""

    title: str | None
    architecture: str | None
    parameters: int | None
    quantisation: str | None  # as the file is called
    types: tuple[tuple[str, float], ...]  # share of the bytes by type of tensor, largest first
    bits: float | None  # for each weight
    size: int | None  # bytes
    files: int
    trained: int | None  # tokens of context
    layers: int | None
    heads: int | None
    kv_heads: int | None
    has_template: bool
    licence: str | None

    def document(self) -> dict[str, Any]:
        values = {name: getattr(self, name) for name in self.__slots__ if name != "types"}
        return values | {"types": {name: round(share, 4) for name, share in self.types}}


def about(weights: Weights) -> About:
    """The facts of a model."""
    header, types = weights.header, weights.sums.types
    total = sum(types.values())
    elements = sum(size // TYPES[kind][1] * TYPES[kind][0] for kind, size in types.items())
    number = header.values.get("general.file_type")
    quant = of_file(number) if isinstance(number, int) else None
    shares = [(NAMES.get(kind, f"type {kind}"), size / total) for kind, size in types.items() if total]
    shares.sort(key=lambda pair: -pair[1])

    def text(key: str) -> str | None:
        value = header.values.get(key)
        return value[:200] if isinstance(value, str) and value else None

    return About(
        title=text("general.name"),
        architecture=header.architecture,
        parameters=elements or None,
        quantisation=quant.name if quant else None,
        types=tuple(shares),
        bits=8 * total / elements if elements else None,
        size=weights.size,
        files=header.split_count,
        trained=header.number("context_length"),
        layers=header.number("block_count"),
        heads=header.number("attention.head_count"),
        kv_heads=header.number("attention.head_count_kv"),
        has_template="tokenizer.chat_template" in header.values,
        licence=text("general.license"),
    )
