"""Models in the shapes of published ones, as files without weights: a real header, then a hole.

llama.cpp maps such a file and plans with it as with the real one; it takes no disk and no memory.
"""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

F32, Q8_0, Q4_K = 0, 8, 12
BLOCKS = {F32: (1, 4), Q8_0: (32, 34), Q4_K: (256, 144)}
ALIGNMENT = 32
Value = bool | int | float | str | list[int] | list[bool]


@dataclass(frozen=True, slots=True)
class Shape:
    """Dimensions of a model, as its publisher names them."""

    name: str
    architecture: str
    layers: int
    width: int
    heads: int
    kv_heads: int
    head: int
    feed: int
    vocabulary: int
    trained: int = 40960
    experts: int = 0
    used: int = 0
    expert_feed: int = 0
    window: int = 0
    is_tied: bool = False
    has_bias: bool = False
    has_head_norms: bool = False
    has_post_norms: bool = False
    state: tuple[int, int, int, int] | None = None  # inner, state, groups, ranks of a recurrent layer
    keys: Mapping[str, Value] = field(default_factory=dict)
    general: Mapping[str, Value] = field(default_factory=dict)  # keys without the architecture before them

    @property
    def is_recurrent(self) -> bool:
        return self.state is not None


# Source: config.json of each publisher's repository.
SHAPES = {
    one.name: one
    for one in (
        Shape("llama3-8b", "llama", 32, 4096, 32, 8, 128, 14336, 128256, trained=8192),
        Shape("llama3-70b", "llama", 80, 8192, 64, 8, 128, 28672, 128256, trained=8192),
        Shape("llama3.2-1b", "llama", 16, 2048, 32, 8, 64, 8192, 128256, trained=131072, is_tied=True),
        Shape("qwen2.5-7b", "qwen2", 28, 3584, 28, 4, 128, 18944, 152064, trained=32768, has_bias=True),
        Shape("qwen3-0.6b", "qwen3", 28, 1024, 16, 8, 128, 3072, 151936, is_tied=True, has_head_norms=True),
        Shape("qwen3-8b", "qwen3", 36, 4096, 32, 8, 128, 12288, 151936, has_head_norms=True),
        Shape("qwen3-32b", "qwen3", 64, 5120, 64, 8, 128, 25600, 151936, has_head_norms=True),
        Shape(
            *("gemma2-9b", "gemma2", 42, 3584, 16, 8, 256, 14336, 256000),
            trained=8192, window=4096, is_tied=True, has_post_norms=True,
        ),
        Shape(
            *("gemma3-270m", "gemma3", 18, 640, 4, 1, 256, 2048, 262144),
            trained=32768, window=512, is_tied=True, has_head_norms=True, has_post_norms=True,
        ),
        Shape(
            *("gemma3-27b", "gemma3", 62, 5376, 32, 16, 128, 21504, 262208),
            trained=131072, window=1024, is_tied=True, has_head_norms=True, has_post_norms=True,
        ),
        Shape(
            *("qwen3-30b-a3b", "qwen3moe", 48, 2048, 32, 4, 128, 6144, 151936),
            experts=128, used=8, expert_feed=768, has_head_norms=True,
        ),
        Shape(
            *("mixtral-8x7b", "llama", 32, 4096, 32, 8, 128, 14336, 32000),
            trained=32768, experts=8, used=2, expert_feed=14336,
        ),
        Shape(
            *("qwen3.5-27b", "qwen35", 64, 5120, 24, 4, 256, 17408, 248320),
            trained=262144, has_head_norms=True, state=(6144, 128, 16, 48),
            keys={"full_attention_interval": 4, "rope.dimension_sections": [11, 11, 10, 0]},
        ),
    )
}  # fmt: skip


def write(
    path: Path, shape: Shape, layers: int | None = None, file_type: int = 7, packed: int = Q8_0
) -> Path:
    """The file of a shape; with fewer layers where a number is given, and its matrices packed so."""
    count = shape.layers if layers is None else layers
    tensors = [
        (name, sizes, packed if kind == Q8_0 else kind) for name, sizes, kind in _tensors(shape, count)
    ]
    head = _pairs(shape, count, file_type)
    infos, offset = [], 0
    for name, dimensions, kind in tensors:
        infos.append(
            _text(name) + struct.pack(f"<I{len(dimensions)}QIQ", len(dimensions), *dimensions, kind, offset)
        )
        offset += size(dimensions, kind)
        offset += -offset % ALIGNMENT
    begin = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(head))
    data = begin + b"".join(head) + b"".join(infos)
    with open(path, "wb") as file:
        file.write(data)
        file.truncate(len(data) + -len(data) % ALIGNMENT + offset)
    return path


def size(dimensions: tuple[int, ...], kind: int) -> int:
    """Bytes of a tensor."""
    elements = 1
    for one in dimensions:
        elements *= one
    block, taken = BLOCKS[kind]
    return elements // block * taken


def _tensors(shape: Shape, layers: int) -> Iterator[tuple[str, tuple[int, ...], int]]:
    width, reads = shape.width, shape.heads * shape.head
    keys = shape.kv_heads * shape.head
    yield "token_embd.weight", (width, shape.vocabulary), Q8_0
    for number in range(layers):
        block = f"blk.{number}."
        yield block + "attn_norm.weight", (width,), F32
        if shape.state and (number + 1) % 4:
            yield from _recurrent(shape, block)
        else:
            yield block + "attn_q.weight", (width, reads * (2 if shape.state else 1)), Q8_0
            yield block + "attn_k.weight", (width, keys), Q8_0
            yield block + "attn_v.weight", (width, keys), Q8_0
            yield block + "attn_output.weight", (reads, width), Q8_0
            if shape.has_bias:
                yield from (
                    (block + f"attn_{name}.bias", (count,), F32)
                    for name, count in (("q", reads), ("k", keys), ("v", keys))
                )
            if shape.has_head_norms:
                yield block + "attn_q_norm.weight", (shape.head,), F32
                yield block + "attn_k_norm.weight", (shape.head,), F32
        if shape.has_post_norms or shape.state:
            yield block + "post_attention_norm.weight", (width,), F32
        if shape.has_post_norms:
            yield block + "post_ffw_norm.weight", (width,), F32
        if not shape.state:
            yield block + "ffn_norm.weight", (width,), F32
        if shape.experts:
            inner, many = shape.expert_feed, shape.experts
            yield block + "ffn_gate_inp.weight", (width, many), F32
            yield block + "ffn_gate_exps.weight", (width, inner, many), Q8_0
            yield block + "ffn_up_exps.weight", (width, inner, many), Q8_0
            yield block + "ffn_down_exps.weight", (inner, width, many), Q8_0
        else:
            yield block + "ffn_gate.weight", (width, shape.feed), Q8_0
            yield block + "ffn_up.weight", (width, shape.feed), Q8_0
            yield block + "ffn_down.weight", (shape.feed, width), Q8_0
    yield "output_norm.weight", (width,), F32
    if not shape.is_tied:
        yield "output.weight", (width, shape.vocabulary), Q8_0


def _recurrent(shape: Shape, block: str) -> Iterator[tuple[str, tuple[int, ...], int]]:
    assert shape.state
    inner, state, groups, ranks = shape.state
    mixed = inner + 2 * state * groups
    yield block + "attn_qkv.weight", (shape.width, mixed), Q8_0
    yield block + "attn_gate.weight", (shape.width, inner), Q8_0
    yield block + "ssm_conv1d.weight", (4, mixed), F32
    yield block + "ssm_dt.bias", (ranks,), F32
    yield block + "ssm_a", (ranks,), F32
    yield block + "ssm_beta.weight", (shape.width, ranks), F32
    yield block + "ssm_alpha.weight", (shape.width, ranks), F32
    yield block + "ssm_norm.weight", (inner // ranks,), F32
    yield block + "ssm_out.weight", (inner, shape.width), Q8_0


def _pairs(shape: Shape, layers: int, file_type: int) -> list[bytes]:
    own: dict[str, Value] = {
        "context_length": shape.trained,
        "embedding_length": shape.width,
        "block_count": layers,
        "feed_forward_length": shape.feed,
        "attention.head_count": shape.heads,
        "attention.head_count_kv": shape.kv_heads,
        "attention.key_length": shape.head,
        "attention.value_length": shape.head,
        "rope.dimension_count": shape.head,
        "attention.layer_norm_rms_epsilon": 1e-6,
        "vocab_size": shape.vocabulary,
    }
    if shape.window:
        own["attention.sliding_window"] = shape.window
    if shape.experts:
        own |= {"expert_count": shape.experts, "expert_used_count": shape.used}
        own["expert_feed_forward_length"] = shape.expert_feed
    if shape.state:
        inner, state, groups, ranks = shape.state
        own |= {"ssm.conv_kernel": 4, "ssm.inner_size": inner, "ssm.state_size": state}
        own |= {"ssm.group_count": groups, "ssm.time_step_rank": ranks}
    own |= shape.keys
    general: dict[str, Value] = {
        "general.architecture": shape.architecture,
        "general.name": shape.name,
        "general.file_type": file_type,
        "tokenizer.ggml.model": "no_vocab",
        **shape.general,
    }
    named = general | {f"{shape.architecture}.{key}": value for key, value in own.items()}
    return [_text(key) + _value(value) for key, value in named.items()]


def _value(value: Value) -> bytes:
    if isinstance(value, bool):
        return struct.pack("<I?", 7, value)
    if isinstance(value, int):
        return struct.pack("<II", 4, value)
    if isinstance(value, float):
        return struct.pack("<If", 6, value)
    if isinstance(value, str):
        return struct.pack("<I", 8) + _text(value)
    return struct.pack(f"<IIQ{len(value)}i", 9, 5, len(value), *value)


def _text(value: str) -> bytes:
    data = value.encode()
    return struct.pack("<Q", len(data)) + data
