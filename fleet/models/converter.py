"""llama.cpp's converter on a host: which Python packages it needs there, and how they get there.

They are wheels that the controller fetches for the host's own system and Python; the host needs
no internet, no pip and no right to install anything.
"""

import hashlib
import re
from dataclasses import dataclass

from fleet.core.errors import PlanError
from fleet.core.facts import Facts
from fleet.core.packages import install
from fleet.core.plan import Artifact, Put, Run, Step
from fleet.core.shell import packaged
from fleet.platforms.base import program

# Source: llama.cpp requirements/requirements-convert_legacy_llama.txt (numpy ~= 2.2.6,
# transformers == 4.57.6, sentencepiece, protobuf 4) and what importing conversion/ was seen to load.
PACKAGES = (
    "torch==2.14.1",
    "numpy==2.2.6",
    "transformers==4.57.6",
    "tokenizers==0.22.2",
    "huggingface_hub==0.36.2",
    "safetensors==0.8.0",
    "sentencepiece==0.2.3",
    "protobuf==4.25.9",
    "PyYAML==6.0.4",
    "regex==2026.11.19",
    "requests==2.34.2",
    "urllib3==2.8.0",
    "idna==3.20",
    "certifi==2026.10.19.post1",
    "charset-normalizer==3.5.3",
    "filelock==4.3.1",
    "fsspec==2026.9.0",
    "packaging==26.4",
    "tqdm==4.70.1",
    "typing_extensions==4.16.0",
    "sympy==1.14.0",
    "mpmath==1.3.0",
    "networkx==3.6.1",
    "Jinja2==3.1.6",
    "MarkupSafe==3.0.4",
)
# The wheel of torch for Linux on x86_64 is made for CUDA, whose 2.4 GB it names as requirements. Computing on
# the processor calls none of them: these two are loaded for real, and unpack.py stands in for the others.
# Source: torch 2.14.1, import tried with and without each.
CUDA = ("nvidia-cuda-runtime==13.0.96", "nvidia-cuda-cupti==13.0.85")
OLDEST, NEWEST = (3, 11), (3, 13)  # Pythons for which all of them have wheels; networkx 3.6 wants 3.11
# bytes of all wheels, by system; measured where they were fetched, else None
DOWNLOAD = {("linux", "x86_64"): 620_000_000}
UNPACKED = 1_500_000_000  # bytes on the host, give or take
# Source: PEP 600; the index has wheels of any glibc up to 2.28 here, which the host's own must be at least
GLIBC = range(28, 4, -1)
OLD = ("manylinux2014", "manylinux2010", "manylinux1")
TAGS = {
    ("linux", "x86_64"): tuple(f"{tag}_x86_64" for tag in (*(f"manylinux_2_{n}" for n in GLIBC), *OLD)),
    ("linux", "arm64"): tuple(f"{tag}_aarch64" for tag in (*(f"manylinux_2_{n}" for n in GLIBC), *OLD[:1])),
    ("macos", "arm64"): (
        *(f"macosx_{number}_0_arm64" for number in (14, 13, 12, 11)),
        *(f"macosx_{number}_universal2" for number in ("11_0", "10_15", "10_13", "10_9")),
    ),
}


@dataclass(frozen=True, slots=True)
class Environment:
    """The packages for one system and Python."""

    os: str
    arch: str
    python: tuple[int, int]
    index: str | None  # one more package index, where people have one with smaller wheels

    @property
    def id(self) -> str:
        text = repr((self.os, self.arch, self.python, self.index, self.packages))
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def packages(self) -> tuple[str, ...]:
        return PACKAGES + (CUDA if (self.os, self.arch) == ("linux", "x86_64") and not self.index else ())

    @property
    def tags(self) -> tuple[str, ...]:
        return TAGS[self.os, self.arch]

    @property
    def size(self) -> int | None:
        """Bytes that are fetched and sent; None where nobody measured it."""
        return None if self.index else DOWNLOAD.get((self.os, self.arch))

    @property
    def artifact(self) -> Artifact:
        return Artifact("converter", self.id, f"the converter's Python packages ({self.python_name})", None)

    @property
    def python_name(self) -> str:
        return f"Python {self.python[0]}.{self.python[1]}"


def environment(host: str, facts: Facts, said: str, index: str | None = None) -> Environment:
    """What the converter runs in on a host.

    Args:
        said: the answer to conversion_state.sh, which names its Python.

    Raises:
        PlanError: no Python there, or none that the packages exist for.
    """
    found = re.search(r"(?m)^python (\d{1,2})\.(\d{1,3})$", said)
    if found is None:
        raise PlanError(
            "converting needs python3, and there is none",
            host=host,
            next=f"on {host}: {install(facts, 'python3')}; or convert on another host: --on HOST",
        )
    python = (int(found[1]), int(found[2]))
    wanted = f"{OLDEST[0]}.{OLDEST[1]} to {NEWEST[0]}.{NEWEST[1]}"
    if not OLDEST <= python <= NEWEST:
        raise PlanError(
            f"converting needs Python {wanted}, and python3 is {found[1]}.{found[2]}",
            host=host,
            next="fleet models convert … --on HOST, a host with such a Python",
        )
    system = (facts.os or "", facts.arch or "")
    is_musl = facts.os == "linux" and not (facts.libc or "").startswith("glibc")
    if system not in TAGS or is_musl:
        raise PlanError(
            f"there is no torch for {facts.os} on {facts.arch} with {facts.libc or 'its C library'}",
            host=host,
            next="fleet models convert … --on HOST, a Linux host with glibc or a Mac with Apple silicon",
        )
    return Environment(*system, python, index)


def steps(made: Environment, tree: str) -> tuple[Step, ...]:
    """Bring the packages and the converter's own files out of llama.cpp's source, which is there.

    Args:
        tree: id of that source.
    """
    artifact = made.artifact
    packed = f"parts/converter-{made.id}.tar"
    script = program(
        packaged("fleet.models", "environment.sh"),
        PACKED=packed,
        ENVIRONMENT=made.id,
        TREE=tree,
        UNPACK=packaged("fleet.models", "unpack.py.txt"),
        RUNNER=packaged("fleet.models", "runner.py.txt"),
    )
    key = f"converter:{made.id}:{tree}"
    return (
        Step(f"send {artifact.name}", Put(artifact, packed), key, "prepare", made.size),
        Step("unpack the converter and try it", Run(script, 1800.0, f"converter-{made.id}"), key, "prepare"),
    )
