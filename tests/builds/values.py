"""Hosts as their probes would describe them, and a source tree."""

from dataclasses import replace
from typing import Any

from fleet.core.facts import Build, Cpu, Disk, Facts, Gpu, Memory, Tool
from fleet.core.flow import Tree
from fleet.core.inventory import Host
from fleet.core.plan import Artifact

GIB = 2**30
WISH = Host(address="192.0.2.1")
TREE = Tree(
    "0123456789abcdef",
    "b11434",
    11434,
    None,
    Artifact("source", "0123456789abcdef", "llama.cpp b11434", 10_000_000),
)
RTX = Gpu("nvidia", "NVIDIA GeForce RTX 4070", "cuda", 12 * GIB, 11 * GIB, "8.9", None, "550.54")
TOOLS = {
    "c++": Tool("c++", "/usr/bin/c++", "12.2.0"),
    "cc": Tool("cc", "/usr/bin/cc", "12.2.0"),
    "cmake": Tool("cmake", "/usr/bin/cmake", "3.25.1"),
    "ninja": Tool("ninja", "/usr/bin/ninja", "1.11.1"),
}
NVCC = Tool("nvcc", "/usr/local/cuda/bin/nvcc", "12.4.131")

LAPTOP = Facts(
    host="laptop",
    platform="linux",
    os="linux",
    os_version="Debian GNU/Linux 12 (bookworm)",
    kernel="6.1.0",
    arch="x86_64",
    libc="glibc 2.36",
    boot_id="b",
    uptime=1.0,
    clock=1.0,
    user="ada",
    home="/home/ada",
    root="/home/ada/.local/share/fleet",
    layout=1,
    cpu=Cpu("AMD Ryzen", 8, 0, 16, ("avx2", "fma", "sse4_2", "ssbd")),
    memory=Memory(16 * GIB, 12 * GIB, False, 0, 0),
    disk=Disk(100 * GIB, 50 * GIB, 1000),
    gpus=(),
    tools=TOOLS,
    supervisors=("systemd",),
    has_linger=True,
    has_cron=True,
    builds=(),
    models=(),
    parts=(),
    jobs=(),
    instances=(),
    lock=None,
    unknown={},
    at=1.0,
)
DESKTOP = replace(LAPTOP, host="rtx", gpus=(RTX,), tools=TOOLS | {"nvcc": NVCC})
MAC = replace(
    LAPTOP,
    host="mac",
    platform="macos",
    os="macos",
    os_version="macOS 15.1",
    arch="arm64",
    libc=None,
    cpu=Cpu("Apple M3 Max", 10, 4, 14, ()),
    gpus=(Gpu("apple", "Apple M3 Max", "metal", None, None, None, 30, None),),
    tools=TOOLS | {"c++": Tool("c++", "/usr/bin/c++", "Apple clang 16.0.0")},
)


def built(facts: Facts, fingerprint: str) -> Facts:
    """The same host, with a build on it."""
    return replace(facts, builds=(*facts.builds, Build(fingerprint, "cpu", 11434)))


def without(facts: Facts, *tools: str, **changes: Any) -> Facts:
    """The same host, lacking tools."""
    return replace(facts, tools={k: v for k, v in facts.tools.items() if k not in tools}, **changes)
