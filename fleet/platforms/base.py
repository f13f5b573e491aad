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
    """An operating system.

    Attributes:
        title: for people.
        system: what `uname -s` says.
        script: shell functions `boot_id`, `process_start PID`, `is_shim PATH` and
            `platform_sections`; the only place for commands that other platforms lack.
        read: from the answered sections by name, `system` (the answer's key=value
            lines) included as it came.
    """

    title: str
    system: str
    script: str
    read: Callable[[Mapping[str, Section]], System]


PLATFORMS: Shelf[Platform] = Shelf("fleet.platforms", "platform", Platform)


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
    cases = "".join(f"{kind.system})\n{kind.script};;\n" for _, kind in PLATFORMS.all())
    text = f"{packaged('common.sh')}case $os in\n{cases}esac\n"
    return "".join(line for line in text.splitlines(keepends=True) if not REMARK.match(line))
