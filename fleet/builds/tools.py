"""cmake and ninja for hosts that lack them: which wheel of theirs fits, and the steps that bring it."""

import hashlib
import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass

from fleet.core.facts import Facts
from fleet.core.plan import Artifact, Put, Run, Step
from fleet.core.shell import packaged
from fleet.platforms.base import program

CMAKE = "4.4.5"
NINJA = "1.13.2"
OLDEST_GLIBC = (2, 17)  # manylinux2014
OLDEST_MUSL = (1, 2)


@dataclass(frozen=True, slots=True)
class Wheel:
    """A published wheel of a tool."""

    name: str
    version: str
    tag: str  # its platform, as pip names it
    sha256: str
    size: int  # bytes of what is sent of it, packed

    @property
    def folder(self) -> str:
        """Its name below `tools/` on a host."""
        return f"{self.name}-{self.version}"


# Source: the package index, by `pip download --platform TAG cmake==4.4.5 ninja==1.13.2`; sizes as fleet
# packs them, give or take what another zlib does.
_MAC = (
    Wheel(
        "cmake",
        CMAKE,
        "macosx_10_10_universal2",
        "e07a5716b4233dc9c69d6ca6993f4405eefc7687e718d9f6eebbb6cc1be304ef",
        12_286_354,
    ),
    Wheel(
        "ninja",
        NINJA,
        "macosx_10_9_universal2",
        "fd82e26c0706ad4ab88e5fdd26f3fab0a987a90f810160f6c322e752c6af298b",
        294_616,
    ),
)
WHEELS: dict[tuple[str, str], tuple[Wheel, Wheel]] = {
    ("macos", "arm64"): _MAC,
    ("macos", "x86_64"): _MAC,
    ("glibc", "x86_64"): (
        Wheel(
            "cmake",
            CMAKE,
            "manylinux2014_x86_64",
            "85625a9b6d5e88ff99c7eb79123d85570844e77ac076366cf75c609cc0b1b579",
            9_748_866,
        ),
        Wheel(
            "ninja",
            NINJA,
            "manylinux2014_x86_64",
            "65a24341b5ac09fcadcc37082660be40a94174e51a937fabf6e2cae26225fa2c",
            171_383,
        ),
    ),
    ("glibc", "arm64"): (
        Wheel(
            "cmake",
            CMAKE,
            "manylinux2014_aarch64",
            "25fc8469e67857124ef10c002331c0ab416eb7b8d9e1d6e4c58e84e730013ece",
            9_782_585,
        ),
        Wheel(
            "ninja",
            NINJA,
            "manylinux2014_aarch64",
            "d775a5e43e9088f507a6250d57fcf5678eb31268c545feb5064ffeee33735622",
            165_150,
        ),
    ),
    ("musl", "x86_64"): (
        Wheel(
            "cmake",
            CMAKE,
            "musllinux_1_2_x86_64",
            "56851f57f3017d81187793fa61f269d583c500c2904aff99cf5208cd341dec79",
            9_697_334,
        ),
        Wheel(
            "ninja",
            NINJA,
            "musllinux_1_2_x86_64",
            "915bd482c4be41c75120fd67a22e0bb3f0fbb3bbc5f95b89787deadd59e27ef2",
            532_486,
        ),
    ),
    ("musl", "arm64"): (
        Wheel(
            "cmake",
            CMAKE,
            "musllinux_1_2_aarch64",
            "7d7ef56092bc46b202c3d87796444a0a1db3145cea48523cdd4ebd13fef847b7",
            9_722_575,
        ),
        Wheel(
            "ninja",
            NINJA,
            "musllinux_1_2_aarch64",
            "0e083700470c02ca154a855ae6d692d03564f5064cae52e113896f9ccc078418",
            513_401,
        ),
    ),
}


def can_bring(facts: Facts) -> bool:
    """There are wheels for this host's system."""
    return _host(facts) in WHEELS


def fitting(facts: Facts, names: Sequence[str]) -> tuple[Wheel, ...]:
    """The wheels of these tools for the host; see can_bring."""
    return tuple(wheel for wheel in WHEELS[_host(facts)] if wheel.name in names)


def artifact(found: Sequence[Wheel]) -> Artifact:
    """Tools as one archive."""
    name = " and ".join(f"{wheel.name} {wheel.version}" for wheel in found)
    return Artifact("tool", _id(found), name, sum(wheel.size for wheel in found))


def wheels(id_: str) -> tuple[Wheel, ...]:
    """The tools that an artifact is made of."""
    for both in WHEELS.values():
        for count in (1, 2):
            for found in itertools.combinations(both, count):
                if _id(found) == id_:
                    return found
    raise KeyError(id_)


def steps(found: Sequence[Wheel]) -> tuple[Step, ...]:
    """Send them and put them in their place, below the root: nobody has to be root for that."""
    made = artifact(found)
    packed = f"parts/tools-{made.id}.tar.gz"
    script = program(
        packaged("fleet.builds", "tools.sh"), PACKED=packed, NAMES="\n".join(wheel.folder for wheel in found)
    )
    key = f"tools:{made.id}"
    return (
        Step(f"send {made.name}", Put(made, packed), key, "build", made.size),
        Step(f"unpack {made.name}", Run(script, 300.0), key, "build"),
    )


def is_stale(folder: str) -> bool:
    """A tool of ours in a version that fleet brings no more."""
    name, _, version = folder.partition("-")
    return {"cmake": CMAKE, "ninja": NINJA}.get(name, version) != version


def _id(found: Sequence[Wheel]) -> str:
    return hashlib.sha256(" ".join(wheel.sha256 for wheel in found).encode()).hexdigest()[:16]


def _host(facts: Facts) -> tuple[str, str]:
    """As WHEELS names it; what is unknown is in no table."""
    arch = facts.arch or ""
    if facts.os == "macos":
        return "macos", arch
    family, _, version = (facts.libc or "").partition(" ")
    told = re.match(r"(\d+)\.(\d+)", version)
    oldest = {"glibc": OLDEST_GLIBC, "musl": OLDEST_MUSL}.get(family)
    if facts.os != "linux" or told is None or oldest is None:
        return "", arch
    return (family if (int(told[1]), int(told[2])) >= oldest else ""), arch
