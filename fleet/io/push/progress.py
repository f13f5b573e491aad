"""How far a push is, said often enough and not more."""

from collections import deque
from collections.abc import Callable

from fleet.io.ports import Clock

OFTEN = 0.25  # seconds between two reports
WINDOW = 5.0  # seconds that the rate is taken over

# Bytes that are there, bytes in all, bytes/s, seconds left.
Say = Callable[[float, float, float | None, float | None], None]


class Progress:
    """Bytes that are there, said often enough and not more."""

    def __init__(self, say: Say, clock: Clock, total: int, moved: Callable[[int], None] | None) -> None:
        self._say, self._clock, self._total, self._told = say, clock, total, moved
        self.sent = 0
        self._done = 0
        self._spoken = self._alive = clock.monotonic()
        self._marks: deque[tuple[float, int]] = deque()

    def start(self, done: int) -> None:
        """That many bytes were there before."""
        self._done = done
        self.tell()

    def add(self, count: int) -> None:
        """So many bytes were taken from us."""
        self.sent += count
        self.came(count)

    def came(self, count: int) -> None:
        """So many bytes are there, wherever they came from."""
        self._done += count
        if self._told:
            self._told(count)
        self.beat()
        if self._alive - self._spoken >= OFTEN:
            self.tell()

    def lost(self, count: int) -> None:
        """So many of the bytes that were taken are not there after all."""
        self._done -= count

    def beat(self) -> None:
        """The host gave a sign of life."""
        self._alive = self._clock.monotonic()

    def quiet(self) -> float:
        """Seconds since the last one."""
        return self._clock.monotonic() - self._alive

    def tell(self) -> None:
        now = self._spoken = self._clock.monotonic()
        done = min(self._done, self._total)  # a chunk may come twice, from here and from another host
        self._marks.append((now, done))
        while now - self._marks[0][0] > WINDOW and len(self._marks) > 2:
            self._marks.popleft()
        elapsed = now - self._marks[0][0]
        rate = (done - self._marks[0][1]) / elapsed if elapsed >= OFTEN else None
        rate = rate if rate is None or rate >= 0 else None  # more was lost than came
        left = (self._total - done) / rate if rate else None
        self._say(float(done), float(self._total), rate, left)
