"""What makes two builds the same: a recipe, and its fingerprint."""

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from fleet.backends.base import Backend, choose
from fleet.core.facts import Facts
from fleet.core.flow import Tree

if TYPE_CHECKING:
    from fleet.core.inventory import Host

COMMON = (
    "CMAKE_BUILD_TYPE=Release",
    "BUILD_SHARED_LIBS=OFF",
    "GGML_NATIVE=ON",
    "LLAMA_BUILD_TESTS=OFF",
    "LLAMA_BUILD_EXAMPLES=OFF",
    "LLAMA_BUILD_APP=OFF",
    # otherwise the build downloads a web page from the network
    "LLAMA_USE_PREBUILT_UI=OFF",
    "LLAMA_OPENSSL=OFF",
)
TARGETS = ("llama-server", "llama-bench", "llama-fit-params")

# flags that compilers turn into instructions; the rest of /proc/cpuinfo changes with the kernel
X86 = re.compile(
    r"(pni|s?sse|avx|amx|fma|f16c|bmi|popcnt|abm|lzcnt|adx|v?aes|v?pclmul|sha|gfni|movbe|cx16|rdrnd|rdseed|"
    r"lm$|xsave|apx|movdir|serialize|3dnow|mmx|tbm|xop|prefetchw|clflushopt|clwb|fsgsbase|lahf)"
)


@dataclass(frozen=True, slots=True)
class Recipe:
    """All that changes the bytes of a build, and nothing else: no host name, no path."""

    backend: str
    tree: str  # Tree.id
    number: int | None
    commit: str | None
    options: tuple[str, ...]  # NAME=VALUE for CMake
    targets: tuple[str, ...]
    compilers: tuple[str, ...]  # name and version
    os: str | None
    arch: str | None
    libc: str | None
    cpu: str  # hash of the instructions the processor knows

    @property
    def fingerprint(self) -> str:
        """16 hex digits; equal ones are twins, and may use each other's binaries."""
        text = json.dumps(self.document(), sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def document(self) -> dict[str, object]:
        return asdict(self)


def recipe(wish: "Host", facts: Facts, tree: Tree) -> tuple[Recipe, Backend, tuple[str, ...]]:
    """How llama.cpp is built on a host, the backend, and sentences about the choice.

    Raises:
        PlanError: the wanted backend cannot be built there.
    """
    name, kind, notes = choose(wish, facts)
    stamp = (f"LLAMA_BUILD_NUMBER={tree.number or 0}", f"LLAMA_BUILD_COMMIT={(tree.commit or 'unknown')[:9]}")
    made = Recipe(
        backend=name,
        tree=tree.id,
        number=tree.number,
        commit=tree.commit,
        options=COMMON + kind.flags(facts) + stamp,
        targets=TARGETS,
        compilers=tuple(f"{tool} {_version(facts, tool)}" for tool in kind.compilers),
        os=facts.os,
        arch=facts.arch,
        libc=facts.libc,
        cpu=_processor(facts),
    )
    return made, kind, notes


def fingerprint(made: Recipe) -> str:
    """The name that a build of this recipe has on every host."""
    return made.fingerprint


def _version(facts: Facts, tool: str) -> str:
    found = facts.tools.get(tool)
    return (found.version if found else None) or "unknown"


def _processor(facts: Facts) -> str:
    """Flags where the platform names them; else the model stands for them."""
    flags = {flag for flag in facts.cpu.flags if facts.arch != "x86_64" or X86.match(flag.lower())}
    text = " ".join(sorted(flags)) or facts.cpu.model or "unknown"
    return hashlib.sha256(text.encode()).hexdigest()[:16]
