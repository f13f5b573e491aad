"""NVIDIA GPUs through CUDA."""

import re

from fleet.backends.base import Backend, Lack
from fleet.core.facts import Facts, Gpu
from fleet.core.packages import install
from fleet.core.shell import quote

# toolkit -> (oldest, newest) architecture it compiles for, newest gcc it accepts.
# Source: crt/host_config.h and `nvcc --list-gpu-arch` of each toolkit.
LIMITS = {
    (11, 8): (35, 90, 11),
    (12, 0): (50, 90, 12),
    (12, 1): (50, 90, 12),
    (12, 4): (50, 90, 13),
    (12, 8): (50, 120, 14),
    (13, 0): (75, 121, 15),
}
GIB = 2**30


def score(facts: Facts) -> int:
    return 100 if _gpus(facts) else 0


def flags(facts: Facts) -> tuple[str, ...]:
    known = sorted({int(arch) for gpu in _gpus(facts) if (arch := _architecture(gpu))})
    # without an answer from the driver the build asks the GPU itself
    return ("GGML_CUDA=ON", "CMAKE_CUDA_ARCHITECTURES=" + (";".join(map(str, known)) or "native"))


def lack(facts: Facts) -> Lack | None:
    """What keeps a host with an NVIDIA GPU from building for it."""
    or_cpu = f'backend = "cpu" under [hosts.{facts.host}]'
    nvcc = facts.tools.get("nvcc")
    if nvcc is None:
        return Lack("cuda needs nvcc, which is not there", f"{install(facts, 'nvcc')}, or set {or_cpu}")
    limits = _limits(nvcc.version)
    if limits is None:
        return None
    oldest, newest, gcc = limits
    for gpu in _gpus(facts):
        arch = _architecture(gpu)
        if arch and int(arch) < oldest:
            what = f"nvcc {nvcc.version} no longer compiles for {gpu.name} (capability {gpu.capability})"
            return Lack(what, f"install an older CUDA toolkit, or set {or_cpu}")
        if arch and int(arch) > newest:
            what = f"nvcc {nvcc.version} is too old for {gpu.name} (capability {gpu.capability})"
            return Lack(what, f"install a newer CUDA toolkit, or set {or_cpu}")
    found = _gcc(facts)
    if found is not None and found > gcc:
        what = f"nvcc {nvcc.version} accepts gcc up to {gcc}, and c++ here is {found}"
        return Lack(what, f"install a newer CUDA toolkit, or set {or_cpu}")
    return None


def prelude(facts: Facts) -> str:
    """The nvcc that was found, so that CMake takes no other."""
    nvcc = facts.tools.get("nvcc")
    return f"CUDACXX={quote(nvcc.path)}\nexport CUDACXX\n" if nvcc else ""


def _gpus(facts: Facts) -> list[Gpu]:
    return [gpu for gpu in facts.gpus if gpu.vendor == "nvidia" and gpu.api == "cuda"]


def _architecture(gpu: Gpu) -> str | None:
    """89 for compute capability 8.9; None where it is unknown."""
    found = re.fullmatch(r"(\d+)\.(\d)", gpu.capability or "")
    return found[1] + found[2] if found else None


def _gcc(facts: Facts) -> int | None:
    """Major version of the compiler that nvcc will use, where it is gcc."""
    compiler = facts.tools.get("c++")
    text = compiler.version or "" if compiler else ""
    found = re.search(r"(\d+)\.\d", text)
    return int(found[1]) if found and facts.os == "linux" and "clang" not in text.lower() else None


def _limits(version: str | None) -> tuple[int, int, int] | None:
    found = re.search(r"(\d+)\.(\d+)", version or "")
    if not found:
        return None
    asked = (int(found[1]), int(found[2]))
    known = [toolkit for toolkit in LIMITS if toolkit <= asked and toolkit[0] == asked[0]]
    return LIMITS[max(known)] if known else None


backend = Backend(
    "NVIDIA CUDA",
    ("nvcc",),
    score,
    flags,
    device="CUDA",
    compilers=("c++", "nvcc"),
    lack=lack,
    prelude=prelude,
    memory=2 * GIB,
)
