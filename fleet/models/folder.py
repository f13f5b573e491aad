"""Which files of a Hugging Face folder the converter gets: settings, tokenizer, weights; never code."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass

from fleet.core.errors import PlanError
from fleet.core.text import safe_line

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
WEIGHTS = re.compile(r".+\.safetensors")
# files with instructions of Python's pickle in them run what their author wrote, when they are read
PICKLES = re.compile(r".+\.(bin|pt|pth|ckpt|pkl)")
TOKENIZERS = ("tokenizer.json", "tokenizer.model", "tekken.json", "vocab.json", "vocab.txt", "spiece.model",
              "sentencepiece.bpe.model")  # fmt: skip
# Source: llama.cpp conversion/base.py and gguf-py/gguf/{metadata,vocab}.py, the files they open
LESSER = ("config.json", "generation_config.json", "tokenizer_config.json", "special_tokens_map.json",
          "added_tokens.json", "merges.txt", "chat_template.jinja", "chat_template.json",
          "preprocessor_config.json", "processor_config.json", "params.json", "model.safetensors.index.json",
          "modules.json", "1_Pooling/config.json")  # fmt: skip
MOST_FILES = 2000
MOST_LESSER = 64 << 20  # bytes of a file that is not weights


def chosen(names: Iterable[str], where: str) -> tuple[str, ...]:
    """Names of the files that are taken, weights last.

    Raises:
        PlanError: it is no folder that can be converted; says why.
    """
    there = [name for name in names if NAME.fullmatch(name)]
    weights = sorted(name for name in there if WEIGHTS.fullmatch(name))
    # Source: llama.cpp conversion/base.py: `model*.safetensors`; consolidated ones hold the same weights
    usual = [name for name in weights if name.startswith("model")]
    weights = usual or weights
    if "config.json" not in there:
        raise PlanError(
            f"{where} has no config.json: it is no Hugging Face folder",
            next="name the folder of a model, or a .gguf",
        )
    if not weights:
        pickles = sorted(name for name in there if PICKLES.fullmatch(name))
        if pickles:
            raise PlanError(
                f"{where} has its weights in {pickles[0]} only: reading such a file runs code that is in it",
                kind="pickle",
                next="take a repository with .safetensors; transformers' save_pretrained writes them",
            )
        raise PlanError(f"{where} has no .safetensors", next="name the folder of a model with its weights")
    if not any(name in there for name in TOKENIZERS):
        raise PlanError(
            f"{where} has no tokenizer: none of {', '.join(TOKENIZERS[:3])} …",
            kind="no-tokenizer",
            next="copy the tokenizer's files of the model that it was made from into the folder",
        )
    found = (*sorted({*TOKENIZERS, *LESSER} & set(there)), *weights)
    if len(found) > MOST_FILES:
        raise PlanError(f"{where} has {len(found)} files of weights", next="look at it: no model has so many")
    return found


@dataclass(frozen=True, slots=True)
class Config:
    """What config.json says that a plan needs."""

    architecture: str | None
    vocabulary: int | None
    quantised: str | None  # how its weights are packed already: fp8, gptq


def config(text: bytes, where: str) -> Config:
    """Raises PlanError where it is no table."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise PlanError(f"config.json of {where} is not JSON", next="download it again")
    names = document.get("architectures")
    first = names[0] if isinstance(names, list) and names and isinstance(names[0], str) else None
    inner = document.get("text_config")
    tables = (document, inner if isinstance(inner, dict) else {})
    sizes = [table.get("vocab_size") for table in tables]
    packed = document.get("quantization_config")
    method = packed.get("quant_method") if isinstance(packed, dict) else None
    return Config(
        safe_line(first, 120) if first else None,
        next((size for size in sizes if type(size) is int and 0 < size < 1 << 24), None),
        safe_line(method, 40) if isinstance(method, str) else None,
    )
