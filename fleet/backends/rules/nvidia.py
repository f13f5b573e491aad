"""Which CUDA toolkit compiles for which GPU, with which compiler, for which driver.

Sources: `crt/host_config.h` and `nvcc --list-gpu-arch` of each toolkit, measured for 11.8, 12.1, 12.4,
12.6, 12.8, 12.9, 13.0 and 13.2; for cards and first toolkits the comments in llama.cpp
ggml/src/ggml-cuda/CMakeLists.txt and ollama docs/gpu.mdx. First toolkits up to 8.0 and of 8.7 are common
knowledge, as are the gcc of 12.0 and the last toolkit of 3.x: nobody measured them here.
"""

import re
from dataclasses import dataclass

from fleet.core.versions import numbers

Version = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Ceiling:
    """The newest host compilers that a toolkit accepts."""

    gcc: int
    clang: int | None


# a toolkit that is not here has the ceilings of the one before it, in the same major version
CEILINGS: dict[Version, Ceiling] = {
    (11, 8): Ceiling(11, 14),
    (12, 0): Ceiling(12, None),
    (12, 1): Ceiling(12, 15),
    (12, 4): Ceiling(13, 17),
    (12, 6): Ceiling(13, 18),
    (12, 8): Ceiling(14, 19),
    (12, 9): Ceiling(14, 19),
    (13, 0): Ceiling(15, 20),
    (13, 2): Ceiling(15, 21),
}

# compute capability -> first and last toolkit that compile for it
TOOLKITS: dict[str, tuple[Version, Version | None]] = {
    "3.5": ((5, 0), (11, 8)),
    "3.7": ((6, 5), (11, 8)),
    "5.0": ((6, 0), (12, 9)),
    "5.2": ((7, 0), (12, 9)),
    "5.3": ((7, 0), (12, 9)),  # Jetson Nano, TX1
    "6.0": ((8, 0), (12, 9)),  # P100
    "6.1": ((8, 0), (12, 9)),  # GTX 10xx, P40, P4
    "6.2": ((8, 0), (12, 9)),  # Jetson TX2
    "7.0": ((9, 0), (12, 9)),  # Titan V, V100
    "7.2": ((10, 0), (12, 9)),  # Jetson Xavier
    "7.5": ((10, 0), None),  # GTX 16xx, RTX 20xx, T4
    "8.0": ((11, 0), None),  # A100, A30
    "8.6": ((11, 1), None),  # RTX 30xx, A10, A40, A6000
    "8.7": ((11, 4), None),  # Jetson Orin
    "8.9": ((11, 8), None),  # RTX 40xx, L4, L40
    "9.0": ((11, 8), None),  # H100, H200, GH200
    "10.0": ((12, 8), None),  # B200
    "10.1": ((12, 8), (12, 9)),  # Jetson Thor, before it was called 11.0
    "10.3": ((12, 9), None),  # B300
    "11.0": ((13, 0), None),  # Jetson Thor
    "12.0": ((12, 8), None),  # RTX 50xx, RTX PRO Blackwell
    "12.1": ((12, 9), None),  # GB10
}

# what distributions in use have in their own packages, or newer: Debian 12 has 11.8
PACKAGED: Version = (11, 8)

# for drivers too old to say the capability: the series in the card's name
SERIES: tuple[tuple[str, str], ...] = (
    (r"RTX 50\d\d|RTX PRO \d+ Blackwell", "12.0"),
    (r"RTX 40\d\d|\bL4\b|\bL40S?\b|RTX \d+ Ada", "8.9"),
    (r"\bH100\b|\bH200\b|\bGH200\b", "9.0"),
    (r"RTX 30\d\d|\bA10\b|\bA40\b|RTX A\d000", "8.6"),
    (r"\bA100\b|\bA30\b", "8.0"),
    (r"RTX 20\d\d|GTX 16\d\d|\bT4\b|Quadro RTX", "7.5"),
    (r"TITAN V\b|\bV100\b", "7.0"),
    (r"GTX 10\d\d|\bP40\b|\bP4\b|TITAN Xp?\b", "6.1"),
    (r"\bP100\b", "6.0"),
)

# oldest driver of each major version of CUDA, where the driver does not name the CUDA it accepts.
# Source: NVIDIA's release notes of CUDA, table "CUDA Toolkit and Minimum Required Driver Version",
# as others quote it; the row of 13 was seen in one place only.
DRIVERS: dict[int, tuple[int, ...]] = {11: (450, 80, 2), 12: (525, 60, 13), 13: (580, 65, 6)}


def ceiling(toolkit: Version) -> Ceiling | None:
    """The newest compilers for a toolkit; None where it is older or newer than all we know."""
    known = [each for each in CEILINGS if each <= toolkit and each[0] == toolkit[0]]
    return CEILINGS[max(known)] if known else None


def capability(said: str | None, name: str) -> str | None:
    """As the driver said it, else by the card's name: `8.9`; None where neither tells."""
    if said is not None and re.fullmatch(r"\d{1,2}\.\d", said):
        return said
    return next((value for pattern, value in SERIES if re.search(pattern, name, re.IGNORECASE)), None)


def architecture(capability: str) -> str:
    """89 for 8.9, as CMake wants it."""
    return capability.replace(".", "")


def fits_card(toolkit: Version, capability: str) -> str | None:
    """Whether a toolkit is "too old" or "too new" for a capability; None where it fits or nobody knows."""
    first, last = TOOLKITS.get(capability, ((0, 0), None))
    if toolkit < first:
        return "too old"
    return "too new" if last is not None and toolkit > last else None


def accepts(toolkit: Version, runtime: str | None, driver: str | None) -> bool:
    """Whether a driver runs what the toolkit makes.

    NVIDIA promises that all toolkits of one major version run on its oldest driver, but not for
    code that is compiled at load, nor for compressed code: so the toolkit may be no newer than the
    CUDA that the driver names (ollama discover/cuda_compat.go draws the same line).
    """
    named = numbers(runtime)
    if len(named) >= 2:
        return toolkit <= named[:2]
    found, oldest = numbers(driver), DRIVERS.get(toolkit[0])
    return not found or oldest is None or found >= oldest
