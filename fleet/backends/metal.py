"""The GPU of Apple silicon."""

from fleet.backends.base import Backend
from fleet.core.facts import Facts


def score(facts: Facts) -> int:
    return 90 if facts.os == "macos" and facts.arch == "arm64" else 0


def flags(facts: Facts) -> tuple[str, ...]:
    return ("GGML_METAL=ON", "GGML_METAL_EMBED_LIBRARY=ON")


backend = Backend("Apple Metal", (), score, flags, device="MTL")
