"""What a platform is, and how a program for a host is put together."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

from fleet.core.facts import Cpu, Disk, Gpu, Memory
from fleet.core.shelf import Shelf
from fleet.core.shell import assign
from fleet.core.shell import packaged as shipped

FENCED = 75  # exit status of a program that found a newer lock: `fence` of common.sh
REMARK = re.compile(r"\s*(#(?! shellcheck disable).*)?\n")  # lines that a host need not read


@dataclass(frozen=True, slots=True)
class Section:
    """One question of the probe with its answer."""

    text: str  # standard output and standard error, made harmless
    status: int | None  # 127 where the program is not installed, None where the section is missing


@dataclass(frozen=True, slots=True)
class System:
    """What only the platform knows how to read. None with a reason in `unknown`, by path of the fact."""

    os_version: str | None
    libc: str | None
    uptime: float | None  # seconds
    cpu: Cpu
    memory: Memory
    disk: Disk
    gpus: tuple[Gpu, ...]
    supervisors: tuple[str, ...]  # usable here, best first
    has_linger: bool | None
    has_cron: bool | None
    unknown: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Platform:
    """An operating system, or a kind of machine with one that is read differently.

    Attributes:
        title: for people.
        system: what `uname -s` says.
        os: the family of all platforms with that system: linux, macos.
        script: shell functions `boot_id`, `process_start PID`, `is_shim PATH` ... of
            every program; with `questions` the only place for commands that other
            platforms lack. Empty for a kind of machine: it has those of its family.
        questions: the function `platform_sections` of the probe, likewise.
        read: from the answered sections by name, `system` (the answer's key=value
            lines) included as it came.
        is_it: whether that answer is one of this kind of machine; None for the
            family itself, which takes what is of no kind.
    """

    title: str
    system: str
    os: str
    script: str
    questions: str
    read: Callable[[Mapping[str, Section]], System]
    is_it: Callable[[Mapping[str, Section]], bool] | None = None


PLATFORMS: Shelf[Platform] = Shelf("fleet.platforms", "platform", Platform)


def recognised(system: str, found: Mapping[str, Section]) -> tuple[str, Platform] | None:
    """The platform of an answer: the kind of machine it is, else its family, else None."""
    same = [(name, kind) for name, kind in PLATFORMS.all() if kind.system == system]
    same.sort(key=lambda pair: pair[1].is_it is None)
    return next(((name, kind) for name, kind in same if kind.is_it is None or kind.is_it(found)), None)


def packaged(name: str) -> str:
    """Shell text of this folder."""
    return shipped("fleet.platforms", name)


def program(body: str, **variables: str | int) -> str:
    """A POSIX sh program for any host.

    Args:
        body: what it does; may use the functions of common.sh, $FLEET_ROOT and
            $FLEET_GENERATION. Whoever sends the program puts assignments of these
            two before it; without them it works in the platform's own place, unfenced.
        variables: values the body needs, as shell variables.
    """
    return assign(**variables) + preamble() + body


@cache
def preamble() -> str:
    """The same for all programs: common.sh and the functions of the platform it finds itself on."""
    scripts = {kind.system: kind.script for kind in _families()}
    return short(packaged("common.sh") + _cases(scripts))


@cache
def questions() -> str:
    """What the probe adds: the questions for the platform it finds itself on."""
    return short(_cases({kind.system: kind.questions for kind in _families()}))


def short(text: str) -> str:
    """Shell text without the remarks that a host need not read."""
    return "".join(line for line in text.splitlines(keepends=True) if not REMARK.match(line))


def _families() -> list[Platform]:
    return [kind for _, kind in PLATFORMS.all() if kind.is_it is None]


def _cases(scripts: Mapping[str, str]) -> str:
    return "case $os in\n" + "".join(f"{name})\n{text};;\n" for name, text in scripts.items()) + "esac\n"
