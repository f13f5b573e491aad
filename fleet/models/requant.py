"""How large a model is in a quantisation that nobody has made of it yet: an estimate, from its tensors.

The matrices of the layers get the bits per weight that llama-quantize's mixture gave to those of
Llama-3-8B; the output gets Q6_K at least; a matrix whose rows are no multiple of 256 gets the type that
llama-quantize falls back to. Measured: five files of four dense models (0.27 to 70 billion weights), all
within ERROR. Of a model of experts no file was compared: its attention is a smaller part, and
llama-quantize packs that part better.

Source: src/llama-quant.cpp of llama.cpp b11434 (llama_tensor_get_type, tensor_type_fallback); sizes
    of the files of Llama-3-8B as in quality.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import prod

from fleet.models import quality
from fleet.models.layout import Layout
from fleet.models.packing import TYPES
from fleet.models.quants import FILE_TYPES, QUANTS, Quant
from fleet.models.tensors import Layer, Matrix

ERROR = 0.01  # no file of those was further off (tests/models/test_requant.py)
CHECKED = f"within {ERROR:.0%} of five files of dense models"
UNCHECKED = "of models of experts no file was compared"
ROW = 256  # elements of a super-block
MATRICES, EMBEDDING = 6_979_321_856, 525_336_576  # elements of Llama-3-8B: layers; input and output, each
FLOATS = frozenset({0, 1, 30})


@dataclass(frozen=True, slots=True)
class Mix:
    """Numbers of block types, as in packing.TYPES."""

    base: int  # most matrices, and the embedding where it is not the output too
    fallback: int  # where rows do not divide
    output: int


Q8_0, Q6_K, Q5_1, Q5_0, IQ4_NL = 8, 14, 7, 6, 20
MIXES: Mapping[str, Mix] = {
    "F16": Mix(1, 1, 1),
    "BF16": Mix(30, 30, 30),
    "Q8_0": Mix(Q8_0, Q8_0, Q8_0),
    "Q6_K": Mix(Q6_K, Q8_0, Q6_K),
    "Q5_K_M": Mix(13, Q5_1, Q6_K),
    "Q5_K_S": Mix(13, Q5_1, Q6_K),
    "Q4_K_M": Mix(12, Q5_0, Q6_K),
    "Q4_K_S": Mix(12, Q5_0, Q6_K),
    "IQ4_XS": Mix(23, IQ4_NL, Q6_K),
    "Q3_K_L": Mix(11, IQ4_NL, Q6_K),
    "Q3_K_M": Mix(11, IQ4_NL, Q6_K),
    "IQ3_M": Mix(21, IQ4_NL, Q6_K),
    "Q2_K": Mix(10, IQ4_NL, Q6_K),
}


def bits(kind: int) -> float:
    """For each weight, in blocks of a type."""
    elements, size = TYPES[kind]
    return size * 8 / elements


def parameters(model: Layout) -> int:
    """Weights of all matrices, whatever they are packed in."""
    sums = model.sums
    held = sum(prod(one.shape) for one in (sums.embedding, sums.head) if one is not None)
    return held + sum(_elements(layer) for layer in sums.layers)


def repacked(model: Layout, quant: Quant) -> Layout | None:
    """The layout of the same model in another quantisation; None where no mixture is known."""
    mix = MIXES.get(quant.name)
    if mix is None:
        return None
    sums, per_weight = model.sums, _bits(model, quant, mix)
    layers = tuple(_layer(layer, per_weight, mix.base) for layer in sums.layers)
    embedding = _matrix(sums.embedding, mix.output if model.is_tied else mix.base, mix)
    head = _matrix(sums.head, mix.output, mix)
    fresh = replace(
        sums,
        layers=layers,
        input=sums.input + _grown(sums.embedding, embedding),
        output=sums.output + _grown(sums.head, head),
        embedding=embedding,
        head=head,
    )
    number = next((number for number, name in FILE_TYPES.items() if name == quant.name), None)
    return replace(model, sums=fresh, file_type=number)


def _bits(model: Layout, quant: Quant, mix: Mix) -> float:
    """For each weight of the layers' matrices."""
    row = quality.measured(quant.name)
    whole = row.size if row else None
    if mix.base in FLOATS or mix.base == Q8_0 or whole is None:
        usual = bits(mix.base)
    else:
        ends = EMBEDDING * (bits(mix.base) + bits(mix.output))
        usual = (whole * 2**30 * 8 - ends) / MATRICES
    sizes = [(shape[0], prod(shape)) for shape in model.sums.shapes.values() if len(shape) > 1]
    odd = sum(size for length, size in sizes if length % ROW) / max(1, sum(size for _, size in sizes))
    return usual * (1 - odd) + bits(mix.fallback) * odd


def _elements(layer: Layer) -> int:
    return sum(
        int(size * 8 / bits(kind)) for kind, size in layer.kinds.items() if kind in TYPES and kind != 0
    )


def _layer(layer: Layer, per_weight: float, base: int) -> Layer:
    """Norms and whatever is kept in whole numbers stay as they are."""
    matrices = sum(size for kind, size in layer.kinds.items() if kind in TYPES and kind != 0)
    fresh = int(_elements(layer) * per_weight / 8)
    kept = {kind: size for kind, size in layer.kinds.items() if kind not in TYPES or kind == 0}
    experts = int(layer.experts * fresh / matrices) if matrices else layer.experts
    return Layer(layer.bytes - matrices + fresh, experts, kept | {base: fresh})


def _matrix(one: Matrix | None, kind: int, mix: Mix) -> Matrix | None:
    if one is None or one.kind == 0:
        return one
    if one.shape[0] % ROW and TYPES[kind][0] == ROW:
        kind = Q8_0 if kind == Q6_K else mix.fallback
    return Matrix(kind, one.shape, int(prod(one.shape) * bits(kind) / 8))


def _grown(before: Matrix | None, after: Matrix | None) -> int:
    return (after.bytes if after else 0) - (before.bytes if before else 0)


def named(model: Layout) -> Quant | None:
    """What the model's header says it is packed in."""
    return QUANTS.get(FILE_TYPES.get(-1 if model.file_type is None else model.file_type, ""))
