"""A host fetches a file by itself, as a job that outlives the link; whole and right, or nothing of it."""

from collections.abc import Callable
from dataclasses import dataclass, field

from fleet.core.errors import StepError
from fleet.core.plan import Run
from fleet.core.shell import complaint
from fleet.core.shell import packaged as shipped
from fleet.io.jobs import GONE, Reach, run_job
from fleet.io.ports import Answer, Clock, Random
from fleet.io.pull.pulls import Pull, fetching
from fleet.io.push.errors import explained
from fleet.io.push.part import MIB, chunk_size, refuse_short
from fleet.io.push.progress import Progress, Say
from fleet.models.pulling import reason

IDLE = 60  # seconds with next to nothing until the host gives up
SLOWEST = 1000  # bytes/s that are next to nothing
PATIENCE = 50_000  # bytes/s that the deadline allows for
STARTS = 3  # of a job that somebody ended, or a reboot
SOURCE, FULL = 20, 28  # exit status of pull.sh: not the host is at fault, its disk is full


class PullError(Exception):
    """It cannot be fetched from there; says why. Nothing wrong was kept."""


@dataclass(slots=True)
class _Told:
    """What the job's log says."""

    progress: Progress
    done: int | None = None  # bytes that are there; None: it has not begun
    lines: list[str] = field(default_factory=list)

    def line(self, text: str) -> None:
        word, _, rest = text.partition(" ")
        if word == "begin" and rest.isdigit() and self.done is None:
            self.done = int(rest)
            self.progress.start(self.done)
        self.lines = [*self.lines[-50:], text]

    def at(self, done: float, total: float) -> None:
        if self.done is not None and done > self.done:
            self.progress.came(int(done) - self.done)
            self.done = int(done)


async def pull(
    reach: Reach,
    wanted: Pull,
    to: str,
    *,
    root: str,
    generation: str,
    limit: int | None,
    say: Say,
    clock: Clock,
    random: Random,
    moved: Callable[[int], None],
    idle: int = IDLE,
) -> None:
    """The file under its final name on the host, which goes on with what an earlier pull left there.

    Its bytes are taken one after another into the part, and read once more for the hash of the whole
    and of each chunk; the chunks go to META.json.

    Args:
        limit: bytes/s at most.
        moved: told of bytes that came.

    Raises:
        PullError: the source, or the way to it, is at fault.
        StepError: the host cannot take it; says why. What came is kept.
        UnreachableError: the host did not come back.
    """
    chunk = chunk_size(wanted.size)
    slowest = SLOWEST if limit is None else min(SLOWEST, limit // 2)
    script = fetching(
        wanted.url,
        shipped("fleet.io.push", "room.sh")
        + shipped("fleet.io.pull", "fetch.sh", "pull.sh")
        + shipped("fleet.io.push", "end.sh")
        + shipped("fleet.io.pull", "pulled.sh"),
        NAME=wanted.sha256,
        SIZE=wanted.size,
        TO=to,
        BLOCKS=chunk // MIB,
        LIMIT=limit or 0,
        IDLE=idle,
        SLOWEST=slowest,
    )
    rate = min(PATIENCE, limit // 2) if limit else PATIENCE
    run = Run(script, 600 + wanted.size / rate, job=f"pull-{wanted.sha256}")
    progress = Progress(say, clock, wanted.size, moved)
    for start in range(STARTS):
        told = _Told(progress)
        try:
            ended = await run_job(
                reach, run, root, generation,
                clock=clock, random=random, on_line=told.line, on_progress=told.at,
            )  # fmt: skip
            break
        except StepError as error:
            if error.kind != GONE:
                raise
            if start == STARTS - 1:
                raise PullError(error.what) from error
    if ended.exit_code == SOURCE:
        what, _ = complaint("\n".join(told.lines))
        raise PullError(reason(what or ""))
    if ended.exit_code:
        refuse_short(told.lines, root)
        lines = ["No space left on device"] if ended.exit_code == FULL else told.lines
        raise explained(Answer(ended.exit_code, b"", "\n".join(lines).encode()), root)
    progress.tell()
