"""How architectures remember: which layers look back through a window, recur, or share.

A header often leaves this out, because llama.cpp knows it by the architecture's name.

Source: src/models/*.cpp (load_arch_hparams), src/llama-model.cpp (create_memory) and
    src/llama-hparams.cpp of llama.cpp b11434. A new architecture of a later llama.cpp is not
    known here: its memory is then asked of llama-fit-params, not guessed.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Window:
    """Layers with a sliding window, where the header has no pattern of its own.

    Attributes:
        every: of so many layers one looks back without limit; None: the header must say.
        is_full_first: it is the first of them, else the last.
        tokens: the window, where the header has none; None: then no layer has one.
        fixed: the window of a model that has one, whatever its header says of the length.
        layers: only models of so many layers have one.
    """

    every: int | None
    is_full_first: bool = False
    tokens: int | None = None
    fixed: int | None = None
    layers: int | None = None


WINDOWS: Mapping[str, Window] = {
    "afmoe": Window(4),
    "cohere2": Window(4),
    "cohere2moe": Window(4, is_full_first=True),
    "exaone-moe": Window(4, tokens=128),
    "exaone4": Window(4, tokens=4096, layers=64),
    "gemma2": Window(2, tokens=4096),
    "gemma3": Window(6),
    "gemma3n": Window(5),
    "gemma4": Window(None),
    "gpt-oss": Window(2),
    "granite_swa": Window(None),
    "laguna": Window(4, is_full_first=True),
    "llama4": Window(4, tokens=8192, fixed=8192),
    "maple": Window(None),
    "mellum": Window(4),
    "mimo2": Window(None),
    "muse-glimmer": Window(4),
    "olmo2": Window(4),
    "plamo3": Window(8),
    "smallthinker": Window(4, is_full_first=True, fixed=4096),
    "spark2_5": Window(None),
    "step35": Window(None),
}

# Every N-th layer attends, the others recur; the header may say which.
INTERVAL: Mapping[str, int] = {"qwen3next": 4, "qwen35": 4, "qwen35moe": 4}
# A layer without KV heads recurs.
HEADLESS = frozenset({"granitehybrid", "jamba", "lfm2", "lfm2moe", "plamo2"})
BOTH = frozenset({"falcon-h1"})  # every layer attends and recurs
RECURRENT = frozenset({"mamba", "mamba2"})
# Layers from here on use the keys and values of earlier ones; gemma4's header counts its own.
SHARED_FROM: Mapping[str, int] = {"gemma3n": 20}

WITHOUT_CACHE = frozenset(
    "bert clef dream eurobert gemma-embedding jina-bert-v2 jina-bert-v3 llada llada-moe modern-bert neo-bert"
    " nomic-bert nomic-bert-moe rnd1 wavtokenizer-dec".split()
)
PLAIN = frozenset(
    "apertus arcee arctic baichuan bailingmoe bailingmoe2 bitnet bloom chameleon chatglm codeshell cogvlm"
    " command-r dbrx deci deepseek deepseek2 deepseek2-ocr dots1 ernie4_5 ernie4_5-moe exaone falcon gemma"
    " glm4 glm4moe gpt2 gptneox granite granitemoe grok grovemoe hunyuan-dense hunyuan-moe hunyuan_vl hy_v3"
    " internlm2 jais jais2 llama llama-embed maincoder minicpm minicpm3 minimax-m2 mistral3 mistral4 mpt"
    " nemotron olmo olmoe openelm orion paddleocr pangu-embedded phi2 phi3 phimoe plamo plm qwen qwen2"
    " qwen2moe qwen2vl qwen3 qwen3moe qwen3vl qwen3vlmoe refact seed_oss smollm3 stablelm starcoder"
    " starcoder2 talkie xverse".split()
)
# Known, and too unlike the others for a formula that was checked.
UNLIKE: Mapping[str, str] = {
    **dict.fromkeys(
        ("deepseek32", "deepseek4", "dots3note", "glm-dsa", "glm5-next", "hy_v4", "minimax-m3", "qwen4exp"),
        "it keeps an index of keys beside its cache",
    ),
    **dict.fromkeys(("bailingmoe3", "kimi-k3", "kimi-linear"), "it mixes latent attention and recurrence"),
    **dict.fromkeys(("nemotron_h", "nemotron_h_moe", "minimax-01"), "it mixes attention and recurrence"),
    **dict.fromkeys(("arwkv7", "rwkv6", "rwkv6qwen2", "rwkv7"), "it is a recurrent network"),
    **dict.fromkeys(("dflash", "eagle3", "gemma4-assistant"), "it shares the cache of another model"),
    **dict.fromkeys(("t5", "t5encoder"), "it has an encoder"),
    **dict.fromkeys(("graniteswitch", "hrm_text", "nanbeige"), "it runs its layers in another order"),
    **dict.fromkeys(("pockettts", "qwen3tts"), "it speaks"),
    "clip": "it is a projector, not a language model",
}


def is_known(architecture: str) -> bool:
    """Whether its memory follows from its header by a formula."""
    return (
        architecture in PLAIN | WINDOWS.keys() | INTERVAL.keys() | HEADLESS | BOTH | RECURRENT | WITHOUT_CACHE
    )
