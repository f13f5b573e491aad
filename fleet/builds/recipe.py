"""What makes two builds the same: a recipe, and its fingerprint."""

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from fleet.backends.base import Backend, choose
from fleet.builds.options import is_native, translate
from fleet.core.errors import PlanError
from fleet.core.facts import Facts
from fleet.core.flow import Tree
from fleet.core.packages import install
from fleet.core.versions import dotted, numbers

if TYPE_CHECKING:
    from fleet.core.inventory import Host

COMMON = {
    "CMAKE_BUILD_TYPE": "Release",
    "BUILD_SHARED_LIBS": "OFF",
    "GGML_NATIVE": "ON",
    "LLAMA_BUILD_TESTS": "OFF",
    "LLAMA_BUILD_EXAMPLES": "OFF",
    "LLAMA_BUILD_APP": "OFF",
    # otherwise the build downloads a web page from the network
    "LLAMA_USE_PREBUILT_UI": "OFF",
    "LLAMA_OPENSSL": "OFF",
}
# the code of every processor in one build, each in a library; the loader takes the best that runs.
# Source: llama.cpp ggml/src/CMakeLists.txt refuses either alone, and GGML_NATIVE beside them.
PORTABLE = {
    "BUILD_SHARED_LIBS": "ON",
    "GGML_NATIVE": "OFF",
    "GGML_BACKEND_DL": "ON",
    "GGML_CPU_ALL_VARIANTS": "ON",
}
# oldest gcc that knows the newest of those processors: Sapphire Rapids and Alder Lake; Armv9.2 with SME
PORTABLE_GCC = {"x86_64": 11, "arm64": 14}
TARGETS = ("llama-server", "llama-bench", "llama-fit-params")
# what converting takes; in a build of its own, so that no server's host carries them: each is as large as the
# server, and with a GPU's code in it that is much
CONVERTING = ("llama-quantize", "llama-imatrix", "llama-perplexity")

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


def recipe(
    wish: "Host", facts: Facts, tree: Tree, more: tuple[str, ...] = ()
) -> tuple[Recipe, Backend, tuple[str, ...]]:
    """How llama.cpp is built on a host, the backend, and sentences about the choice.

    Args:
        more: targets beside those that every build has.

    Raises:
        PlanError: the wanted backend cannot be built there, or an option is refused.
    """
    name, kind, notes = choose(wish, facts)
    asked, translated = translate(wish.cmake, name, wish.portable, facts)
    compilers = _compilers(kind, asked, facts)
    if wish.portable:
        _check_portable(facts, compilers[0])
    options = COMMON | (PORTABLE if wish.portable else {}) | _named(kind.flags(facts)) | asked
    options |= {"LLAMA_BUILD_NUMBER": str(tree.number or 0)}
    options |= {"LLAMA_BUILD_COMMIT": (tree.commit or "unknown")[:9]}
    made = Recipe(
        backend=name,
        tree=tree.id,
        number=tree.number,
        commit=tree.commit,
        options=tuple(f"{option}={value}" for option, value in options.items()),
        targets=TARGETS + kind.targets + more,
        compilers=tuple(f"{tool} {_version(facts, tool)}" for tool in compilers),
        os=facts.os,
        arch=facts.arch,
        libc=facts.libc,
        cpu=_processor(facts) if is_native(asked, wish.portable) else "any",
    )
    return made, kind, (*notes, *translated)


def _named(flags: tuple[str, ...]) -> dict[str, str]:
    return dict(flag.split("=", 1) for flag in flags)


def _compilers(kind: Backend, asked: dict[str, str], facts: Facts) -> tuple[str, ...]:
    """Names in Facts.tools; a C++ compiler that the inventory names takes the place of the usual one."""
    own = asked.get("CMAKE_CXX_COMPILER", "c++").rpartition("/")[2]
    return tuple(own if tool == "c++" else tool for tool in kind.compilers(facts))


def _check_portable(facts: Facts, compiler: str) -> None:
    """Refuses a compiler that cannot make all variants.

    Raises:
        PlanError: the compiler is too old for the newest of the processors.
    """
    oldest = PORTABLE_GCC.get(facts.arch or "", 0)
    tool = facts.tools.get(compiler)
    found = numbers(tool.version) if tool else ()
    if facts.os == "linux" and found and found[0] < oldest and "clang" not in compiler:
        name = f"g++-{oldest}"
        raise PlanError(
            f"portable = true needs gcc {oldest} or newer on {facts.arch}, and {compiler} is {dotted(found)}",
            host=facts.host,
            next=f'on {facts.host}: {install(facts, name)}; then cmake = {{ CMAKE_CXX_COMPILER = "{name}", '
            f'CMAKE_C_COMPILER = "gcc-{oldest}" }} under [hosts.{facts.host}]',
        )


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
