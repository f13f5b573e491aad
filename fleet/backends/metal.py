"""The GPU of Apple silicon.

Not that of an Intel Mac: Metal works poorly there (a budget of 1536 MiB in llama.cpp issue 8886).
"""

from fleet.backends.base import Backend
from fleet.core.facts import Facts, Gpu


def gpus(facts: Facts) -> tuple[Gpu, ...]:
    return tuple(gpu for gpu in facts.gpus if gpu.vendor == "apple")


def score(facts: Facts) -> int:
    return 90 if facts.os == "macos" and facts.arch == "arm64" else 0


def flags(facts: Facts) -> tuple[str, ...]:
    # no metallib to carry along: it is in the program
    return ("GGML_METAL=ON", "GGML_METAL_EMBED_LIBRARY=ON")


backend = Backend("Apple Metal", (), score, flags, switch="GGML_METAL", device="MTL", gpus=gpus)
