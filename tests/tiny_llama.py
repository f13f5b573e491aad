"""A tiny Llama as a Hugging Face folder: random weights in safetensors, a small SentencePiece vocabulary."""

import json
import math
import struct
from collections.abc import Iterator
from pathlib import Path

import gguf
import numpy as np

WIDTH, LAYERS, HEADS, KV_HEADS, FORWARD, CONTEXT = 256, 2, 4, 2, 512, 512
WORDS = (
    "the of and a to in is was that it he she for on are as with his they at be this have from or one had by"
    " word but not what all were we when your can said there use an each which do how their if will up other"
    " about out many then them these so some her would make like him into time has look two more write go see"
    " number no way could people my than first water been call who oil its now find long down day did get"
).split()


def write(folder: Path, seed: int = 1) -> Path:
    """The folder, with everything that the converter reads."""
    folder.mkdir(parents=True, exist_ok=True)
    pieces = list(_pieces())
    (folder / "tokenizer.model").write_bytes(_sentencepiece(pieces))
    (folder / "config.json").write_text(json.dumps(_config(len(pieces)), indent=2))
    (folder / "tokenizer_config.json").write_text(
        json.dumps({"tokenizer_class": "LlamaTokenizer", "bos_token": "<s>", "eos_token": "</s>"})
    )
    _safetensors(folder / "model.safetensors", _weights(len(pieces), np.random.default_rng(seed)))
    return folder


def write_gguf(path: Path, seed: int = 1) -> Path:
    """The same model as a GGUF of F16, as llama.cpp's converter names and orders things."""
    pieces = list(_pieces())
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("tiny")
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    writer.add_vocab_size(len(pieces))
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(FORWARD)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list([piece.encode() for piece, _, _ in pieces])
    writer.add_token_scores([score for _, score, _ in pieces])
    writer.add_token_types([kind for _, _, kind in pieces])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    for name, array in _weights(len(pieces), np.random.default_rng(seed)).items():
        writer.add_tensor(_gguf_name(name), array if array.ndim == 1 else array.astype(np.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _gguf_name(name: str) -> str:
    short = {"model.embed_tokens": "token_embd", "lm_head": "output", "model.norm": "output_norm"}
    parts = {
        "self_attn.q_proj": "attn_q",
        "self_attn.k_proj": "attn_k",
        "self_attn.v_proj": "attn_v",
        "self_attn.o_proj": "attn_output",
        "mlp.gate_proj": "ffn_gate",
        "mlp.up_proj": "ffn_up",
        "mlp.down_proj": "ffn_down",
        "input_layernorm": "attn_norm",
        "post_attention_layernorm": "ffn_norm",
    }
    stem = name.removesuffix(".weight")
    if stem in short:
        return f"{short[stem]}.weight"
    _, _, layer, rest = stem.split(".", 3)
    return f"blk.{layer}.{parts[rest]}.weight"


def text(words: int, seed: int = 7) -> str:
    """Words of the vocabulary in some order."""
    order = np.random.default_rng(seed).integers(0, len(WORDS), words)
    return " ".join(WORDS[number] for number in order) + "\n"


def _pieces() -> Iterator[tuple[str, float, int]]:
    """Piece, score, type: 1 normal, 2 unknown, 3 control, 6 byte."""
    yield "<unk>", 0.0, 2
    yield "<s>", 0.0, 3
    yield "</s>", 0.0, 3
    for byte in range(256):
        yield f"<0x{byte:02X}>", 0.0, 6
    parts = {f"▁{word}"[:end] for word in WORDS for end in range(2, len(word) + 2)}
    for number, part in enumerate(
        [*sorted(parts, key=lambda part: (-len(part), part)), "▁", *"abcdefghijklmnopqrstuvwxyz"]
    ):
        yield part, -float(number), 1


def _config(vocabulary: int) -> dict[str, object]:
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": WIDTH,
        "intermediate_size": FORWARD,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "num_key_value_heads": KV_HEADS,
        "max_position_embeddings": CONTEXT,
        "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0,
        "vocab_size": vocabulary,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "hidden_act": "silu",
        "tie_word_embeddings": False,
        "torch_dtype": "float32",
    }


def _weights(vocabulary: int, random: np.random.Generator) -> dict[str, np.ndarray]:
    key = WIDTH // HEADS * KV_HEADS
    shapes = {
        "model.embed_tokens": (vocabulary, WIDTH),
        "lm_head": (vocabulary, WIDTH),
        "model.norm": (WIDTH,),
    }
    for layer in range(LAYERS):
        top = f"model.layers.{layer}"
        for name, rows in (("q", WIDTH), ("k", key), ("v", key), ("o", WIDTH)):
            shapes[f"{top}.self_attn.{name}_proj"] = (rows, WIDTH)
        shapes[f"{top}.mlp.gate_proj"] = shapes[f"{top}.mlp.up_proj"] = (FORWARD, WIDTH)
        shapes[f"{top}.mlp.down_proj"] = (WIDTH, FORWARD)
        shapes[f"{top}.input_layernorm"] = shapes[f"{top}.post_attention_layernorm"] = (WIDTH,)

    def one(shape: tuple[int, ...]) -> np.ndarray:
        if len(shape) == 1:
            return np.ones(shape, np.float32)
        return (random.standard_normal(shape) / math.sqrt(shape[-1]) * 2).astype(np.float32)

    return {f"{name}.weight": one(shape) for name, shape in shapes.items()}


def _safetensors(path: Path, tensors: dict[str, np.ndarray]) -> None:
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    at = 0
    for name, array in tensors.items():
        header[name] = {"dtype": "F32", "shape": list(array.shape), "data_offsets": [at, at + array.nbytes]}
        at += array.nbytes
    head = json.dumps(header).encode()
    head += b" " * (-len(head) % 8)
    path.write_bytes(
        struct.pack("<Q", len(head)) + head + b"".join(array.tobytes() for array in tensors.values())
    )


def _sentencepiece(pieces: list[tuple[str, float, int]]) -> bytes:
    """A ModelProto. Source: sentencepiece's sentencepiece_model.proto."""
    model = b""
    for piece, score, kind in pieces:
        inner = _field(1, piece.encode()) + b"\x15" + struct.pack("<f", score) + b"\x18" + bytes([kind])
        model += _field(1, inner)
    bpe, fallback = b"\x18\x02", b"\x98\x02\x01"  # model_type = BPE, byte_fallback = true
    return model + _field(2, bpe + fallback)


def _field(number: int, data: bytes) -> bytes:
    return bytes([number << 3 | 2]) + _varint(len(data)) + data


def _varint(value: int) -> bytes:
    out = b""
    while value > 127:
        out += bytes([value & 127 | 128])
        value >>= 7
    return out + bytes([value])
