"""Runs of verbs as rows and columns: one row per host, one column per phase."""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from fleet.core import events as happened
from fleet.core.events import Event

LINES = 200  # output lines kept per host
JOBS = 20
PHASES = ("probe", "build", "push", "verify", "stop", "start", "health")
FOLDED = {"prepare": "probe"}  # phases that have no column of their own


@dataclass(frozen=True, slots=True)
class Problem:
    kind: str
    message: str
    next: str | None
    at: float  # Unix seconds


@dataclass(frozen=True, slots=True)
class Phase:
    state: str  # wait, run, ok, failed
    started: float | None = None  # Unix seconds
    seconds: float | None = None
    done: float | None = None
    total: float | None = None
    unit: str | None = None
    rate: float | None = None  # unit/s
    left: float | None = None  # seconds
    bytes: int | None = None  # moved over the link


@dataclass(frozen=True, slots=True)
class JobRow:
    """One host of a job."""

    host: str
    result: str = "wait"  # wait, run, done, same (nothing to do), failed
    phases: Mapping[str, Phase] = field(default_factory=dict)
    steps: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    step: str | None = None  # title of the one that runs
    done: int = 0
    total: int = 0
    error: Problem | None = None
    lines: tuple[str, ...] = ()
    ended: float | None = None  # Unix seconds


@dataclass(frozen=True, slots=True)
class Job:
    """A run of a verb."""

    run: str
    verb: str
    started: float
    hosts: tuple[str, ...] = ()
    actor: str | None = None
    reason: str | None = None
    ended: float | None = None
    exit_code: int | None = None
    rows: Mapping[str, JobRow] = field(default_factory=dict)
    is_change: bool = False  # a plan was made: it belongs on the Deploy screen


def advance(jobs: dict[str, Job], event: Event) -> str | None:
    """Takes an event into the jobs.

    Args:
        jobs: by run, oldest first; changed in place.

    Returns:
        For an event of a host that a job changes: the run while it is at work there,
        empty once it is over; None where the event says nothing of that.
    """
    kind = type(event)
    if kind is happened.RunStarted:
        _begin(jobs, event)
        return None
    job = jobs.get(event.run)
    if job is None:
        if kind not in OPENS:
            return None
        job = Job(event.run, "run", event.ts)
    if isinstance(event, happened.RunEnded):
        jobs[event.run] = dataclasses.replace(job, ended=event.ts, exit_code=event.exit_code)
        return None
    if event.host is None or kind not in ROW:
        return None
    row = ROW[kind](job.rows.get(event.host) or JobRow(event.host), event)
    jobs[event.run] = dataclasses.replace(
        job,
        rows={**job.rows, event.host: row},
        hosts=job.hosts if event.host in job.hosts else (*job.hosts, event.host),
        is_change=job.is_change or kind is happened.Planned or kind is happened.StepStarted,
    )
    if row.result in ("done", "same", "failed"):
        return ""
    return event.run if row.result == "run" else None


def percent(phase: Phase) -> int | None:
    """How far a phase is; None when unknown."""
    if phase.done is None or not phase.total:
        return None
    return min(int(100 * phase.done / phase.total), 100)


def finished(job: Job) -> int:
    """Hosts on which the job is over, well or not."""
    return sum(row.result in ("done", "same", "failed") for row in job.rows.values())


def _begin(jobs: dict[str, Job], event: Any) -> None:
    jobs.pop(event.run, None)
    while len(jobs) >= JOBS:
        jobs.pop(next((run for run, job in jobs.items() if job.ended is not None), next(iter(jobs))))
    jobs[event.run] = Job(
        event.run,
        event.verb,
        event.ts,
        hosts=event.hosts,
        actor=event.actor,
        reason=event.reason,
        rows={host: JobRow(host) for host in event.hosts},
    )


def _column(phase: str) -> str:
    return FOLDED.get(phase, phase)


def _with(row: JobRow, phase: str, value: Phase, **changes: Any) -> JobRow:
    return dataclasses.replace(row, phases={**row.phases, _column(phase): value}, **changes)


def _probed(row: JobRow, event: happened.Probed) -> JobRow:
    return _with(row, "probe", Phase("ok", seconds=event.seconds))


def _planned(row: JobRow, event: happened.Planned) -> JobRow:
    waiting = {_column(phase): Phase("wait") for phase in event.phases}
    known = {name: phase for name, phase in row.phases.items() if phase.state != "wait"}
    return dataclasses.replace(
        row,
        phases={**waiting, **known},
        steps=event.steps or row.steps,
        notes=event.notes or row.notes,
        total=len(event.steps) or row.total,
    )


def _step_started(row: JobRow, event: happened.StepStarted) -> JobRow:
    phase = Phase("run", started=event.ts)
    return _with(
        row, event.phase, phase, result="run", step=event.step, done=event.done, total=event.total, error=None
    )


def _progress(row: JobRow, event: happened.StepProgress) -> JobRow:
    old = row.phases.get(_column(event.phase)) or Phase("run", started=event.ts)
    return _with(
        row,
        event.phase,
        dataclasses.replace(
            old,
            state="run",
            done=event.done,
            total=event.total,
            unit=event.unit,
            rate=event.rate,
            left=event.left,
        ),
        result="run",
        step=event.step,
    )


def _step_done(row: JobRow, event: happened.StepDone) -> JobRow:
    old = row.phases.get(_column(event.phase)) or Phase("ok")
    phase = Phase(
        "ok",
        seconds=(old.seconds or 0.0) + event.seconds,
        total=old.total,
        unit=old.unit,
        bytes=event.bytes if event.bytes is not None else old.bytes,
    )
    return _with(row, event.phase, phase, result="run", step=None, done=event.done, total=event.total)


def _step_failed(row: JobRow, event: happened.StepFailed) -> JobRow:
    error = Problem(event.kind, event.message, event.next, event.ts)
    return _with(row, event.phase, Phase("failed"), result="failed", step=event.step, error=error)


def _host_done(row: JobRow, event: happened.HostDone) -> JobRow:
    result = "done" if event.changed else "same"
    return dataclasses.replace(row, result=result, step=None, ended=event.ts)


def _host_failed(row: JobRow, event: happened.HostFailed) -> JobRow:
    error = row.error or Problem(event.kind, event.message, event.next, event.ts)
    return dataclasses.replace(row, result="failed", error=error, ended=event.ts)


def _output(row: JobRow, event: happened.Output) -> JobRow:
    return dataclasses.replace(row, lines=(*row.lines[-LINES + 1 :], event.line))


OPENS = (happened.Planned, happened.StepStarted)
ROW: Mapping[type[Event], Callable[[JobRow, Any], JobRow]] = {
    happened.Probed: _probed,
    happened.Planned: _planned,
    happened.StepStarted: _step_started,
    happened.StepProgress: _progress,
    happened.StepDone: _step_done,
    happened.StepFailed: _step_failed,
    happened.HostDone: _host_done,
    happened.HostFailed: _host_failed,
    happened.Output: _output,
}
