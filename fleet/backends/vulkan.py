"""Any GPU with a Vulkan driver: Intel's first of all, and the others' where their own toolkit is missing.

No second-best: on an RTX 4070 it decoded faster than CUDA, and on AMD's APUs as fast as ROCm.
"""

import re

from fleet.backends.base import Backend, kept
from fleet.core.facts import Facts, Gpu

VENDORS = ("nvidia", "amd", "intel")
# programs that call themselves GPUs; llama.cpp passes over them, and computes on the processor
SOFTWARE = re.compile(r"llvmpipe|lavapipe|softpipe|swiftshader|software rasterizer", re.IGNORECASE)
WSL = "wsl"  # Windows' NVIDIA driver brings CUDA in there, but no Vulkan


def gpus(facts: Facts) -> tuple[Gpu, ...]:
    cards = (gpu for gpu in facts.gpus if gpu.vendor in VENDORS and not SOFTWARE.search(gpu.name))
    return tuple(cards) if facts.os == "linux" and facts.platform != WSL else ()


def score(facts: Facts) -> int:
    return 60 if gpus(facts) else 0


def flags(facts: Facts) -> tuple[str, ...]:
    return ("GGML_VULKAN=ON",)


def launch(facts: Facts) -> str:
    # Source: docs.mesa3d.org/envvars.html; NVIDIA's driver README, chapter "OpenGL environment variables"
    return kept("MESA_SHADER_CACHE_DIR", "__GL_SHADER_DISK_CACHE_PATH")


backend = Backend(
    "Vulkan",
    ("glslc",),
    score,
    flags,
    switch="GGML_VULKAN",
    pretenders="; a driver that computes on the processor, as Mesa's llvmpipe does, is no device",
    unseen="vulkaninfo --summary on the host; AMD and Intel: mesa-vulkan-drivers must be there",
    device="Vulkan",
    gpus=gpus,
    libraries=("vulkan", "spirv-headers"),
    cmake=(3, 19),
    compilers=lambda facts: ("c++", "glslc"),
    launch=launch,
    archive="vulkan",
    memory=2 * 2**30,
    room=2 * 2**30,
)
