"""Machines as their probes would describe them: documented shapes, not recordings."""

from dataclasses import replace
from typing import Any

from fleet.core.facts import Cpu, Facts, Gpu, Memory, Tool
from fleet.core.inventory import Host
from tests.builds.values import DESKTOP, GIB, LAPTOP, MAC, RTX, WISH

LOOKED = ("/usr/local/cuda", "/opt/cuda", "/opt/rocm", "/usr/lib/x86_64-linux-gnu")
CUDA_FILES = {
    "cudart": "/usr/local/cuda/lib64/libcudart.so",
    "cublas": "/usr/local/cuda/lib64/libcublas.so",
}
VULKAN_FILES = {"vulkan": "/usr/include/vulkan/vulkan.h", "spirv-headers": "/usr/include/spirv"}
ROCM_FILES = {"hipblas": "/opt/rocm/lib/libhipblas.so", "rocblas": "/opt/rocm/lib/librocblas.so"}


def tool(name: str, version: str | None, path: str | None = None) -> dict[str, Tool]:
    return {name: Tool(name, path or f"/usr/bin/{name}", version)}


def wish(**keys: Any) -> Host:
    return Host(address="192.0.2.1", **keys)


def with_tools(facts: Facts, *tools: dict[str, Tool], **libraries: str) -> Facts:
    """The same host with more tools and libraries."""
    every = dict(facts.tools)
    for each in tools:
        every |= each
    return replace(facts, tools=every, libraries={**facts.libraries, **libraries}, searched=LOOKED)


def nvcc(version: str, name: str = "nvcc") -> dict[str, Tool]:
    short = ".".join(version.split(".")[:2])
    return tool(name, version, f"/usr/local/cuda-{short}/bin/nvcc")


def nvidia(name: str, capability: str | None, runtime: str | None = "12.4", **more: Any) -> Gpu:
    return replace(RTX, name=name, capability=capability, runtime=runtime, **more)


def amd(name: str, target: str | None) -> Gpu:
    return Gpu("amd", name, "hip", 24 * GIB, 23 * GIB, target, None, None)


GLSLC = tool("glslc", "2023.8")
FULL = replace(DESKTOP, libraries=CUDA_FILES, searched=LOOKED, gpus=(nvidia(RTX.name, "8.9"),))
BARE = replace(LAPTOP, searched=LOOKED)  # nothing but a compiler

I7 = replace(BARE, cpu=Cpu("13th Gen Intel(R) Core(TM) i7-13700H", 6, 8, 20, ("avx2", "fma", "avx_vnni")))
M3 = MAC
DUAL = replace(FULL, host="dual", gpus=(nvidia("NVIDIA GeForce RTX 3090", "8.6"),) * 2)
XTX = replace(
    with_tools(BARE, tool("hipconfig", "6.2.41133", "/opt/rocm/bin/hipconfig"), **ROCM_FILES),
    host="xtx",
    gpus=(amd("Radeon RX 7900 XTX", "gfx1100"),),
)
ORIN = replace(
    with_tools(BARE, nvcc("12.6.68"), **CUDA_FILES),
    host="orin",
    platform="jetson",
    arch="arm64",
    os_version="Ubuntu 22.04.5 LTS on Jetson Linux R36.4",
    gpus=(Gpu("nvidia", "NVIDIA tegra234", "cuda", None, None, "8.7", None, None),),
)
PI = replace(
    BARE,
    host="pi",
    platform="raspberry-pi",
    arch="arm64",
    os_version="Debian GNU/Linux 12 (bookworm) on Raspberry Pi 5",
    cpu=Cpu("Cortex-A76", 4, 0, 4, ("asimddp", "fphp", "asimdhp"), 1),
    memory=Memory(16 * GIB, 14 * GIB, False, 0, 0, page=16384),
)
WSL = replace(FULL, host="wsl", platform="wsl", os_version="Ubuntu 24.04.1 LTS on WSL2")
ARC = replace(
    with_tools(BARE, GLSLC, **VULKAN_FILES),
    host="arc",
    gpus=(Gpu("intel", "Intel Arc A770", "vulkan", 16 * GIB, None, None, None, None),),
)
__all__ = ["WISH"]
