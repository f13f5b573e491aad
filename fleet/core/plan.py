"""What will be done on one host. Closed data: five actions and no more."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from fleet.core.proof import NOTHING, Expected


@dataclass(frozen=True, slots=True)
class Artifact:
    """A file with a hash that the controller has or can get, or a model of several such files.

    `id` is its identity: sha256 of a model, identity of a source tree, fingerprint
    of a build, sha256 of a file that fleet ships or is given; of tools and finished binaries a hash
    over the hashes of what they are made from, and of a model of several files one over theirs.
    """

    kind: Literal["source", "build", "model", "file", "tool", "prebuilt", "converter", "given"]
    id: str
    name: str  # for people: qwen3-8b, llama.cpp b11434
    size: int | None  # bytes; None where it is known only after fetching
    parts: tuple["Artifact", ...] = ()  # the files of a model that has several; it is none itself then


@dataclass(frozen=True, slots=True)
class Run:
    """A POSIX sh program on the host (see fleet.platforms.base.program).

    With a job id it runs detached, under its own session, and survives the link:
    the same id is joined, not started again.
    """

    script: str
    deadline: float  # seconds
    job: str | None = None
    needs_lock: bool = True


@dataclass(frozen=True, slots=True)
class Put:
    """An artifact to a path below the root, resumed, verified, renamed into place."""

    artifact: Artifact
    to: str


@dataclass(frozen=True, slots=True)
class File:
    path: str  # below the root; only unit and agent files are absolute
    text: str
    mode: int = 0o600


@dataclass(frozen=True, slots=True)
class Write:
    """Small files, each atomic."""

    files: tuple[File, ...]


@dataclass(frozen=True, slots=True)
class Fetch:
    """A finished build, or a model that was made there, from the host into the controller's cache."""

    artifact: Artifact
    path: str  # below the root


@dataclass(frozen=True, slots=True)
class Built:
    """Until another host of this run has finished the build."""

    fingerprint: str
    on: str  # the builder


@dataclass(frozen=True, slots=True)
class Ready:
    """Until /health is 200, one completion came back and the device is as expected."""

    server: str
    release: str
    listen: str
    deadline: float  # seconds without progress
    device: str | None  # prefix expected in --list-devices: CUDA, MTL; None for the CPU
    expected: Expected = NOTHING


@dataclass(frozen=True, slots=True)
class Drained:
    """Until no slot is busy, or the deadline passed (which is not an error)."""

    server: str
    listen: str
    deadline: float  # seconds


@dataclass(frozen=True, slots=True)
class Wait:
    until: Built | Ready | Drained


Action = Run | Put | Write | Fetch | Wait


@dataclass(frozen=True, slots=True)
class Step:
    """One action with a title that a person reads.

    `key` says what it achieves, not how: a step whose key was in the confirmed plan
    is covered by that yes in later rounds too.
    """

    title: str
    action: Action
    key: str
    phase: str  # build, push, verify, stop, start, health, prepare: the column of the Deploy screen
    bytes: int | None = None  # to move
    seconds: float | None = None  # expected; None where nobody knows
    way: str | None = None  # where the bytes come from
    outage: str | None = None  # what users of a server will notice
    undo: tuple[Action, ...] = ()  # what puts things back where a later step of the plan fails

    def document(self) -> dict[str, object]:
        return {
            "title": self.title,
            "action": type(self.action).__name__.lower(),
            "bytes": self.bytes,
            "from": self.way,
            "seconds": self.seconds if self.seconds is None or math.isfinite(self.seconds) else None,
        }


@dataclass(frozen=True, slots=True)
class Choice:
    """One setting of a server, and why it is so.

    Attributes:
        name: flag of llama-server, as it is called today.
        value: None where the flag is left out.
        source: what the reason stands on: the inventory, a file of llama.cpp, a measurement.
    """

    name: str
    value: object
    reason: str
    source: str

    def document(self) -> dict[str, object]:
        return {"name": self.name, "value": self.value, "reason": self.reason, "source": self.source}


@dataclass(frozen=True, slots=True)
class Plan:
    """Steps for one host, in order; may be empty.

    `notes` are sentences about what was decided or left alone: held and undeclared
    servers, a backend that was chosen, downtime. `settings` are those of its servers.
    """

    host: str
    steps: tuple[Step, ...]
    notes: tuple[str, ...] = ()
    settings: Mapping[str, tuple[Choice, ...]] = field(default_factory=dict)

    def now(self) -> "Plan":
        """What can be done before the host is looked at again.

        A server is started from a build that was seen: its flags and devices are those of the
        very program. So where the plan builds one, what is started waits for the next look.
        """
        if not any(step.phase == "build" for step in self.steps):
            return self
        return replace(self, steps=tuple(step for step in self.steps if step.phase in ("build", "push")))

    def __str__(self) -> str:
        lines = [f"{self.host}: {count_text(len(self.steps), 'step') if self.steps else 'nothing to do'}"]
        lines += [f"  {number}. {step.title}{_cost(step)}" for number, step in enumerate(self.steps, 1)]
        lines += [f"  - {note}" for note in self.notes]
        return "\n".join(lines)


def _cost(step: Step) -> str:
    parts = []
    if step.bytes:
        parts.append(f"{size_text(step.bytes)}{f' {step.way}' if step.way else ''}")
    if step.seconds:
        parts.append(f"about {seconds_text(step.seconds)}")
    return f" ({', '.join(parts)})" if parts else ""


def count_text(count: int, thing: str) -> str:
    """`1 step`, `7 steps`."""
    return f"{count} {thing}{'' if count == 1 else 's'}"


def size_text(count: float) -> str:
    """Bytes as a person reads them: `241.4 MiB`, `4.7 GiB`."""
    for unit, name in ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB")):
        if count >= unit:
            return f"{count / unit:.1f} {name}"
    return f"{count:.0f} B"


def seconds_text(seconds: float) -> str:
    """Seconds as a person reads them: `12 s`, `3m10`, `2h04`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02}"
    return f"{whole // 3600}h{whole % 3600 // 60:02}"
