"""What the tensors of a model add up to, by the place llama.cpp puts them.

Sums and not a list: a header may claim 131 072 tensors, what is kept of them is bounded by the
number of layers times the number of types.

Source: src/llama-arch.cpp (LLM_TENSOR_INFOS) and src/llama-model.cpp (load_tensors) of llama.cpp
    b11434: input tensors stay in main memory, `blk.N.*` go with their layer, the rest with the output.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

MOST_LAYERS = 1024  # llama.cpp takes at most 512
LAYER = re.compile(r"(?:blk|dec\.blk|enc\.blk)\.(\d{1,6})\.(.*)")
INPUT = re.compile(r"(token_embd|token_embd_norm|token_types|position_embd|per_layer_token_embd)\b.*")
EXPERTS = re.compile(r"ffn_(up|down|gate|gate_up)_(ch)?exps\b.*")
EMBEDDING, OUTPUT = "token_embd.weight", "output.weight"


@dataclass(frozen=True, slots=True)
class Matrix:
    """One tensor that matters by itself."""

    kind: int  # number of the type, as in packing.TYPES
    shape: tuple[int, ...]  # elements of a row first
    bytes: int

    @property
    def rows(self) -> int:
        return self.shape[1] if len(self.shape) > 1 else 1


@dataclass(frozen=True, slots=True)
class Layer:
    """The tensors `blk.N.*`."""

    bytes: int = 0
    experts: int = 0  # bytes of those that --n-cpu-moe moves
    # Bytes of matrices by type: what a processor may want in another order (CPU_REPACK).
    kinds: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sums:
    """All tensors of a model, or of those of its files that were read."""

    layers: tuple[Layer, ...] = ()  # by number; gaps are empty
    input: int = 0  # bytes that stay in main memory whatever is offloaded
    output: int = 0  # bytes that go with the output layer; without it where the embedding serves as such
    rest: int = 0  # bytes that belong nowhere: adapters, projectors
    embedding: Matrix | None = None  # token_embd.weight
    head: Matrix | None = None  # output.weight; None where the model ties it to the embedding
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)  # of the first layer's matrices
    types: Mapping[int, int] = field(default_factory=dict)  # bytes of all tensors by number of their type

    @property
    def total(self) -> int:
        return sum(layer.bytes for layer in self.layers) + self.input + self.output + self.rest

    @property
    def experts(self) -> int:
        return sum(layer.experts for layer in self.layers)

    @property
    def is_tied(self) -> bool:
        return self.head is None and self.embedding is not None


class Tally:
    """Adds tensors up, one at a time."""

    def __init__(self) -> None:
        self._bytes: dict[int, int] = {}
        self._experts: dict[int, int] = {}
        self._kinds: dict[int, dict[int, int]] = {}
        self._shapes: dict[str, tuple[int, ...]] = {}
        self._types: dict[int, int] = {}
        self._input = self._output = self._rest = 0
        self._embedding: Matrix | None = None
        self._head: Matrix | None = None

    def add(self, name: str, shape: Sequence[int], kind: int, size: int) -> None:
        """One tensor: its name, elements in each direction, number of its type and bytes."""
        self._types[kind] = self._types.get(kind, 0) + size
        layer = LAYER.fullmatch(name)
        if layer and int(layer[1]) < MOST_LAYERS:
            self._layer(int(layer[1]), layer[2], tuple(shape), kind, size)
        elif INPUT.fullmatch(name):
            self._input += size
            if name == EMBEDDING:
                self._embedding = Matrix(kind, tuple(shape), size)
        elif name.startswith(("output", "cls", "rope_", "dec.output", "enc.output")):
            self._output += size
            if name == OUTPUT:
                self._head = Matrix(kind, tuple(shape), size)
        else:
            self._rest += size

    def _layer(self, number: int, name: str, shape: tuple[int, ...], kind: int, size: int) -> None:
        self._bytes[number] = self._bytes.get(number, 0) + size
        if EXPERTS.fullmatch(name):
            self._experts[number] = self._experts.get(number, 0) + size
        if len(shape) > 1 and shape[1] % 8 == 0:
            kinds = self._kinds.setdefault(number, {})
            kinds[kind] = kinds.get(kind, 0) + size
        if number == 0 and len(name) <= 64 and len(self._shapes) < 128:
            self._shapes[name] = shape

    def sums(self) -> Sums:
        layers = tuple(
            Layer(self._bytes.get(n, 0), self._experts.get(n, 0), self._kinds.get(n, {}))
            for n in range(max(self._bytes, default=-1) + 1)
        )
        return Sums(
            layers,
            self._input,
            self._output,
            self._rest,
            self._embedding,
            self._head,
            self._shapes,
            self._types,
        )


def together(parts: Iterable[Sums]) -> Sums:
    """The sums of a model whose tensors lie in several files."""
    found = Sums()
    for part in parts:
        count = max(len(found.layers), len(part.layers))
        found = Sums(
            tuple(_added(_at(found, n), _at(part, n)) for n in range(count)),
            found.input + part.input,
            found.output + part.output,
            found.rest + part.rest,
            found.embedding or part.embedding,
            found.head or part.head,
            {**part.shapes, **found.shapes},
            _sum(found.types, part.types),
        )
    return found


def _at(sums: Sums, number: int) -> Layer:
    return sums.layers[number] if number < len(sums.layers) else Layer()


def _added(one: Layer, other: Layer) -> Layer:
    return Layer(one.bytes + other.bytes, one.experts + other.experts, _sum(one.kinds, other.kinds))


def _sum(one: Mapping[int, int], other: Mapping[int, int]) -> dict[int, int]:
    return {kind: one.get(kind, 0) + other.get(kind, 0) for kind in {*one, *other}}
