"""Writes fleet/builds/smoke.gguf: a Llama of random weights that proves a build on a host.

    python tools/make_smoke_gguf.py [FILE]

It generates nonsense, in milliseconds. Its head size (64) and its Q8_0 weights are what
GPU backends and the CPU's vector code meet in real models, so that a binary built for
another processor dies on it. The bytes are the same on every machine.
"""

import random
import struct
import sys
from pathlib import Path

WIDTH, HEADS, LAYERS, FEED_FORWARD, CONTEXT = 128, 2, 1, 256, 128
SEED = 11434
ALIGNMENT = 32
F32, Q8_0 = 0, 8  # ggml types
UINT32, INT32, FLOAT32, STRING, ARRAY = 4, 5, 6, 8, 9  # GGUF value types
UNKNOWN, CONTROL, NORMAL, BYTE = 2, 3, 1, 6  # token types


def smoke() -> bytes:
    """The file. Source of the format: ggml, docs/gguf.md, version 3."""
    dice = random.Random(SEED)
    words = [("<unk>", UNKNOWN), ("<s>", CONTROL), ("</s>", CONTROL)]
    words += [(f"<0x{byte:02X}>", BYTE) for byte in range(256)]
    words += [(f"\u2581{letter}", NORMAL) for letter in "abcdefghijklmnopqrstuvwxyz"] + [("\u2581", NORMAL)]
    words += [(f"\u2581{number}", NORMAL) for number in range(-len(words) % 32)]
    pairs = [
        _pair("general.architecture", STRING, "llama"),
        _pair("general.name", STRING, "fleet smoke"),
        _pair("general.file_type", UINT32, 7),
        _pair("llama.block_count", UINT32, LAYERS),
        _pair("llama.context_length", UINT32, CONTEXT),
        _pair("llama.embedding_length", UINT32, WIDTH),
        _pair("llama.feed_forward_length", UINT32, FEED_FORWARD),
        _pair("llama.attention.head_count", UINT32, HEADS),
        _pair("llama.attention.layer_norm_rms_epsilon", FLOAT32, 1e-5),
        _pair("llama.rope.dimension_count", UINT32, WIDTH // HEADS),
        _pair("tokenizer.ggml.model", STRING, "llama"),
        _array("tokenizer.ggml.tokens", STRING, [word for word, _ in words]),
        _array("tokenizer.ggml.scores", FLOAT32, [-float(rank) for rank in range(len(words))]),
        _array("tokenizer.ggml.token_type", INT32, [kind for _, kind in words]),
        _pair("tokenizer.ggml.unknown_token_id", UINT32, 0),
        _pair("tokenizer.ggml.bos_token_id", UINT32, 1),
        _pair("tokenizer.ggml.eos_token_id", UINT32, 2),
    ]
    tensors: list[tuple[str, tuple[int, ...]]] = [
        ("token_embd.weight", (WIDTH, len(words))),
        ("output.weight", (WIDTH, len(words))),
    ]
    tensors.append(("output_norm.weight", (WIDTH,)))
    for layer in range(LAYERS):
        tensors += [(f"blk.{layer}.{name}.weight", shape) for name, shape in _layer()]
    infos, data = b"", b""
    for name, shape in tensors:
        kind, body = (F32, _ones(shape[0])) if len(shape) == 1 else (Q8_0, _random(dice, shape[0] * shape[1]))
        infos += _text(name) + struct.pack("<I", len(shape)) + struct.pack(f"<{len(shape)}Q", *shape)
        infos += struct.pack("<IQ", kind, len(data))
        data += body + b"\0" * (-len(body) % ALIGNMENT)
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(pairs)) + b"".join(pairs) + infos
    return head + b"\0" * (-len(head) % ALIGNMENT) + data


def _layer() -> list[tuple[str, tuple[int, ...]]]:
    square = [(f"attn_{part}", (WIDTH, WIDTH)) for part in ("q", "k", "v", "output")]
    up = [(f"ffn_{part}", (WIDTH, FEED_FORWARD)) for part in ("gate", "up")]
    return [
        *square,
        *up,
        ("ffn_down", (FEED_FORWARD, WIDTH)),
        ("attn_norm", (WIDTH,)),
        ("ffn_norm", (WIDTH,)),
    ]


def _random(dice: random.Random, count: int) -> bytes:
    """Q8_0: blocks of a half-precision scale and 32 signed bytes."""
    scale = struct.pack("<e", 0.001)
    return b"".join(scale + bytes(dice.getrandbits(8) for _ in range(32)) for _ in range(count // 32))


def _ones(count: int) -> bytes:
    return struct.pack(f"<{count}f", *[1.0] * count)


def _text(text: str) -> bytes:
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def _value(kind: int, value: object) -> bytes:
    if kind == STRING:
        return _text(str(value))
    return struct.pack({UINT32: "<I", INT32: "<i", FLOAT32: "<f"}[kind], value)


def _pair(key: str, kind: int, value: object) -> bytes:
    return _text(key) + struct.pack("<I", kind) + _value(kind, value)


def _array(key: str, kind: int, values: list[object] | list[str] | list[float] | list[int]) -> bytes:
    items = b"".join(_value(kind, value) for value in values)
    return _text(key) + struct.pack("<IIQ", ARRAY, kind, len(values)) + items


if __name__ == "__main__":
    shipped = Path(__file__).parent.parent / "fleet/builds/smoke.gguf"
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else shipped
    target.write_bytes(smoke())
    sys.stdout.write(f"{target}: {target.stat().st_size} bytes\n")
