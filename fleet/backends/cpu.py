"""The processor alone: every host can."""

from fleet.backends.base import Backend
from fleet.core.facts import Facts


def score(facts: Facts) -> int:
    return 10


def flags(facts: Facts) -> tuple[str, ...]:
    # on macOS Metal is on unless it is switched off
    return ("GGML_METAL=OFF",) if facts.os == "macos" else ()


backend = Backend("the CPU", (), score, flags)
