"""Whether a server moves: its slots' counters, and the work of its process where those stand still.

A server that is only slow says nothing for minutes while it reads a long prompt, so silence alone
means nothing. Wedged is one that stands still and computes nothing either.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from fleet.core.facts import Slot

STILL = 45.0  # seconds without progress after which one that computes nothing is wedged
SUSPECT = 5.0  # seconds without progress after which the work of its process is read, and between readings
REST = 10.0  # seconds over which it must have computed nothing
IDLE = 0.02  # share of a core that answering our own questions may take
GPU = 0.05  # share of a GPU's time that counts as work

# Prints `ticks N HERTZ` or `time [[DAYS-]HOURS:]MINUTES:SECONDS`. Variable: PID.
CPU = """
if [ -r "/proc/$PID/stat" ]; then
    _used=$(sed 's/.*) //' "/proc/$PID/stat" 2>/dev/null)
    # shellcheck disable=SC2086
    set -- $_used
    [ "$#" -lt 13 ] || echo "ticks $((${12} + ${13})) $(getconf CLK_TCK 2>/dev/null || echo 100)"
else
    # ps -o time= -p 1 -> "  3:27.86"  (documented, not recorded)
    echo "time $(ps -o time= -p "$PID" 2>/dev/null)"
fi
"""


def cpu_seconds(text: str) -> float | None:
    """Seconds a process has computed, from what CPU printed."""
    if found := re.fullmatch(r"ticks ([0-9]{1,15}) ([0-9]{1,6})\s*", text):
        hertz = int(found[2])
        return int(found[1]) / hertz if hertz else None
    if found := re.fullmatch(
        r"time\s+(?:(?:([0-9]{1,6})-)?([0-9]{1,6}):)?([0-9]{1,6}):([0-9]{1,2}(?:\.[0-9]{1,3})?)\s*", text
    ):
        days, hours, minutes, seconds = (float(part or 0) for part in found.groups())
        return ((days * 24 + hours) * 60 + minutes) * 60 + seconds
    return None


@dataclass(slots=True)
class Progress:
    """What is known of one process of a server. Times are monotonic seconds."""

    still: float = STILL
    is_busy: bool = False
    since: float | None = None  # of the standstill; None where it moves or has nothing to do
    is_computing: bool | None = None  # since the standstill; None as long as that is not known
    _mark: tuple[object, ...] = ()
    _readings: list[tuple[float, float]] = field(default_factory=list)  # oldest first: when, CPU seconds

    def slots(self, now: float, slots: Sequence[Slot]) -> None:
        """It answered."""
        mark = tuple((s.id, s.task, s.decoded, s.prompt) for s in slots if s.is_processing)
        if not mark:
            self._moves(None)
        elif mark != self._mark or not self.is_busy:
            self._moves(now)
        self.is_busy, self._mark = bool(mark), mark

    def silent(self, now: float) -> None:
        """It was asked, and took too long to answer."""
        if self.since is None:
            self._moves(now)

    def wants_reading(self, now: float) -> bool:
        """Whether the work of its process should be read now."""
        if self.since is None or now - self.since < SUSPECT:
            return False
        return not self._readings or now - self._readings[-1][0] >= SUSPECT

    def read(self, now: float, cpu: float | None, gpu: float | None) -> None:
        """The work of its process.

        Args:
            cpu: seconds it has computed; None where that is not known.
            gpu: share of the host's GPUs that is busy, 0..1.
        """
        if cpu is None:
            self._readings, self.is_computing = [], None
            return
        before = self._readings[-1] if self._readings else None
        if gpu is not None and gpu > GPU:
            self.is_computing = True
        elif before is not None and now > before[0]:
            self.is_computing = cpu < before[1] or (cpu - before[1]) / (now - before[0]) > IDLE
        self._readings = [*([] if self.is_computing else self._readings), (now, cpu)]

    def is_wedged(self, now: float) -> bool:
        if self.since is None or now - self.since < self.still or self.is_computing is not False:
            return False
        first, last = self._readings[0][0], self._readings[-1][0]
        return last - first >= REST

    def judged(self, now: float, state: str, reason: str | None, is_silent: bool) -> tuple[str, str | None]:
        """The state's word and reason with this in mind.

        Args:
            state: the word from the answer alone.
            is_silent: there was no answer in time.
        """
        if self.since is None:
            return state, reason
        still = f"{now - self.since:.0f} s"
        if self.is_wedged(now):
            return "wedged", f"no progress for {still}, and it computes nothing"
        if is_silent and self.is_computing:
            return "busy", f"it computes, and has not answered for {still}"
        return state, reason

    def _moves(self, since: float | None) -> None:
        self.since, self.is_computing, self._readings = since, None, []
