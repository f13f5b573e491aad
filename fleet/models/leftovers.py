"""What conversions and removals left on a host: what of it is still needed, what may go, and why."""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from fleet.core.facts import Job
from fleet.core.plan import size_text
from fleet.core.shell import packaged
from fleet.platforms.base import program

DAYS = 7  # of quiet, then nobody comes back to a conversion that was broken off
LINE = re.compile(
    r"(conversion|converter|packed) ([0-9a-z][0-9a-z.-]{0,80}) ([0-9]{1,15})(?: (fresh|quiet|over))?"
)
RESULT = re.compile(r"result ([0-9a-f]{16}) ([0-9a-f]{64})")
TRASH = re.compile(r"(?m)^trash ([0-9]{1,15})$")
FOLDERS = {"conversion": "conversions", "converter": "converter", "packed": "parts"}


@dataclass(frozen=True, slots=True)
class Left:
    """One folder or file below fleet's root."""

    folder: str  # conversions, converter, parts
    name: str
    size: int  # bytes on the disk
    state: str | None  # of a conversion: fresh, quiet or over
    models: frozenset[str]  # sha256 of what a conversion made

    @property
    def place(self) -> str:
        return f"{self.folder}/{self.name}"


@dataclass(frozen=True, slots=True)
class Spare:
    """What may go."""

    left: Left
    why: str


def script() -> str:
    return program(packaged("fleet.models", "leftovers.sh"), DAYS=DAYS)


def read(text: str) -> tuple[Left, ...]:
    """From the lines of leftovers.sh."""
    lines = text.splitlines()
    made: dict[str, set[str]] = {}
    for match in map(RESULT.fullmatch, lines):
        if match:
            made.setdefault(match[1], set()).add(match[2])
    return tuple(
        Left(FOLDERS[match[1]], match[2], int(match[3]) * 1024, match[4], frozenset(made.get(match[2], ())))
        for match in map(LINE.fullmatch, lines)
        if match and (match[4] is not None) == (match[1] == "conversion")
    )


def trash(text: str) -> int | None:
    """Bytes that lie aside because whoever removed them was cut off; None where there is nothing."""
    match = TRASH.search(text)
    return int(match[1]) * 1024 if match else None


def spare(found: Iterable[Left], jobs: Iterable[Job], held: Collection[str]) -> tuple[Spare, ...]:
    """What no conversion needs, and why it does not.

    The results of one that is over stay while the host holds a model of it: by them the same command
    finds that nothing is left to do.

    Args:
        jobs: of the host.
        held: sha256 of the models that stay there.
    """
    found, running = tuple(found), _running(jobs)
    is_idle = not running and not any(one.state == "fresh" for one in found)
    free = []
    for one in found:
        if one.folder != "conversions":
            if is_idle:
                free.append(Spare(one, "nothing is converted here now; the next conversion brings it anew"))
        elif _works(one, running) or one.state == "fresh":
            continue
        elif one.state == "quiet":
            free.append(Spare(one, f"broken off, and untouched for {DAYS} days"))
        elif not one.models & set(held):
            free.append(Spare(one, "no model that it made is here any more"))
    return tuple(free)


def notes(found: Iterable[Left], jobs: Iterable[Job]) -> tuple[str, ...]:
    """Why the work of conversions stays."""
    running = _running(jobs)
    return tuple(
        f"{one.place} ({size_text(one.size)}) stays: "
        + (
            "it runs now"
            if _works(one, running)
            else f"broken off less than {DAYS} days ago, and the same fleet models convert goes on with it"
        )
        for one in found
        if _works(one, running) or one.state == "fresh"
    )


def _running(jobs: Iterable[Job]) -> tuple[str, ...]:
    return tuple(job.id for job in jobs if job.is_running and job.id.startswith(("convert-", "converter-")))


def _works(one: Left, running: Iterable[str]) -> bool:
    return one.folder == "conversions" and any(job.startswith(f"convert-{one.name}-") for job in running)
