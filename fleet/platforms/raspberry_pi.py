"""Raspberry Pi: a small board; its GPU is of no use to llama.cpp."""

import re
from collections.abc import Mapping

from fleet.core.text import safe_line
from fleet.platforms import linux
from fleet.platforms.base import Platform, Section, System
from fleet.platforms.probe.answer import one


def is_it(found: Mapping[str, Section]) -> bool:
    return any(name.startswith("raspberrypi,") for name in linux.compatible(found)) or bool(_model(found))


def read(found: Mapping[str, Section]) -> System:
    return linux.on(linux.read(found), _model(found) or "Raspberry Pi")


def _model(found: Mapping[str, Section]) -> str | None:
    """Raspberry Pi 5 Model B Rev 1.1, from the device tree or, in a container, from /proc/cpuinfo."""
    text = f"{one(found, 'board').text}\n{one(found, 'cpuinfo').text}"
    match = re.search(r"(?mi)^model\s*[=:]\s*(Raspberry Pi.*)$", text)
    return safe_line(match[1], 80) if match else None


platform = Platform("Raspberry Pi", "Linux", "linux", "", "", read, is_it)
