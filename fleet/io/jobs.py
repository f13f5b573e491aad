"""Long steps: started on the host so that they survive the link, followed from here."""

import re
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from fleet.core.errors import DeadlineError, StepError, UnreachableError
from fleet.core.plan import Run
from fleet.core.shell import complaint
from fleet.core.text import safe_line, safe_text
from fleet.io.ports import Clock, Random, Transport
from fleet.io.shelltext import packaged, placed
from fleet.platforms.base import FENCED

STARTS = 10  # links that may be lost while it is started
AGAIN = 1.0  # seconds before a log is followed anew that broke off
GONE = "job-gone"  # kind of the error of a job that was ended by somebody else
KEPT = 60  # last lines of a log, for the explanation of a failure
NINJA = re.compile(r"^\[\s*([0-9]{1,9})/([0-9]{1,9})\]")  # `[12/212] Building …`
MAKE = re.compile(r"^\[\s*([0-9]{1,3})%\]")  # `[ 12%] Building …`
READ = re.compile(r"^\[([0-9]{1,18})/([0-9]{1,18}) bytes\]")  # of a file that is hashed there

Reach = Callable[[], Awaitable[Transport]]


@dataclass(frozen=True, slots=True)
class Ended:
    exit_code: int
    tail: tuple[str, ...]


async def run_job(
    reach: Reach,
    run: Run,
    root: str,
    generation: str,
    *,
    clock: Clock,
    random: Random,
    on_line: Callable[[str], None],
    on_progress: Callable[[float, float], None],
) -> Ended:
    """Start or join the job, follow its log over lost links, until it ends.

    Raises:
        StepError: it vanished without an exit code (killed, or the host rebooted).
        DeadlineError: it ran longer than its deadline; it is left running.
        UnreachableError: the host did not come back.
    """
    assert run.job is not None
    started = clock.monotonic()
    await _start(reach, placed(packaged("job", JOB=run.job, SCRIPT=run.script), root, generation), clock)
    follower = _Follower(random.token(8), on_line, on_progress)
    while True:
        left = run.deadline - (clock.monotonic() - started)
        if left <= 0:
            raise DeadlineError(
                f"still running after {run.deadline:.0f} s; it goes on", next="the same command joins it"
            )
        try:
            transport = await reach()
            await transport.run(
                placed(packaged("follow", JOB=run.job, FROM=follower.at, NONCE=follower.nonce), root),
                deadline=left,
                on_line=follower.line,
            )
        except UnreachableError as error:
            if error.kind != "link-lost":
                raise
        if follower.ended is not None:
            return Ended(follower.ended, tuple(follower.tail))
        if follower.is_gone:
            raise StepError(
                "the job ended without an exit code: it was killed, or the host rebooted",
                next="the same command starts it again",
                kind=GONE,
            )
        await clock.sleep(AGAIN)


async def _start(reach: Reach, script: str, clock: Clock) -> None:
    for number in range(STARTS):
        try:
            answer = await (await reach()).run(script, deadline=60)
            break
        except UnreachableError as error:
            if error.kind != "link-lost" or number == STARTS - 1:
                raise
            await clock.sleep(AGAIN)  # what was started is joined
    if answer.status:
        what, following = complaint(safe_text(answer.out + answer.err))
        raise StepError(
            what or f"cannot start the job: {safe_line(answer.err) or f'exit {answer.status}'}",
            next=following,
            kind="lock-lost" if answer.status == FENCED else None,
        )


class _Follower:
    def __init__(
        self, nonce: str, on_line: Callable[[str], None], on_progress: Callable[[float, float], None]
    ) -> None:
        self.nonce = nonce
        self.at = 0  # bytes of the log that were seen
        self._begun = b""  # a line whose end has not come yet
        self.ended: int | None = None
        self.is_gone = False
        self.tail: deque[str] = deque(maxlen=KEPT)
        self._on_line = on_line
        self._on_progress = on_progress

    def line(self, raw: bytes) -> None:
        """One line without its newline; our own marks are not part of the log."""
        mark = self.nonce.encode()
        if mark in raw:
            before, _, word = raw.partition(mark)
            self.at += len(before)
            self._begun += before
            words = word.split()
            if words[:1] == [b"rc"] and len(words) == 2 and words[1].isdigit() and len(words[1]) < 10:
                self.ended = int(words[1])
            elif words[:1] == [b"gone"]:
                self.is_gone = True
            if self._begun and words[:1] != [b"alive"]:
                self._tell(self._begun)
            return
        self.at += len(raw) + 1
        self._tell(self._begun + raw)

    def _tell(self, raw: bytes) -> None:
        self._begun = b""
        text = safe_line(raw)
        if found := READ.match(text):
            self._on_progress(float(found[1]), float(found[2]))
            return  # that is all it says
        if found := NINJA.match(text):
            self._on_progress(float(found[1]), float(found[2]))
        elif found := MAKE.match(text):
            self._on_progress(float(found[1]), 100.0)
        self.tail.append(text)
        self._on_line(text)
