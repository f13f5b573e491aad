"""What came so far of one download, over all connections: written down, told, and too slow at some point."""

import asyncio
import contextlib
import math
import time
from collections.abc import Callable, Iterator

from fleet.core.errors import DeadlineError
from fleet.core.plan import seconds_text, size_text
from fleet.io.fetch import answers, spans
from fleet.io.fetch.part_file import PartFile, make_room

SLOWEST = 1000  # bytes/s
TELL = 5.0  # seconds between two reports
SAVE = 1.0  # seconds between two notes of what is there

Say = Callable[[str], None]


class Arrivals:
    """Counts the bytes of a part file as they come.

    Args:
        idle: seconds after which a server that sends next to nothing is left.
    """

    def __init__(self, url: str, part: PartFile, say: Say, idle: float) -> None:
        self._url, self._part, self._say, self._idle = url, part, say, idle
        self.came = 0  # bytes
        self._heard = -math.inf  # when the server was last heard
        self._window, self._seen = 0.0, 0  # since when it is judged, and what had come by then
        self._is_waiting = False

    def add(self, count: int) -> None:
        self.came += count
        self._heard = time.monotonic()

    def quiet(self) -> float:
        """Seconds since the server was heard over any connection; infinite before."""
        return time.monotonic() - self._heard

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """Meanwhile nothing is expected to come: the server asked for a pause."""
        self._is_waiting = True
        try:
            yield
        finally:
            self._is_waiting = False
            self._heard = self._window = time.monotonic()
            self._seen = self.came

    async def watch(self) -> None:
        """Writes down what came, tells it, and leaves a server that only drips.

        Raises:
            DeadlineError: it sends too little.
            OSError: where the disk does.
        """
        began = told = self._window = time.monotonic()
        saved = 0
        while True:
            await asyncio.sleep(min(SAVE, self._idle / 2))
            now = time.monotonic()
            if saved != self.came:
                saved = self.came
                await self._part.keep()
            if now - self._window > self._idle:
                is_slow = self.came - self._seen < SLOWEST * self._idle
                if self.came and not self._is_waiting and is_slow:
                    raise DeadlineError(
                        f"{answers.host(self._url)} sends less than {SLOWEST} bytes a second",
                        next="the same command again; it goes on where it stopped",
                    )
                self._window, self._seen = now, self.came
                if self._part.size is None:
                    make_room(self._part.path, None)
            if now - told > TELL:
                told = now
                self._say(progress(spans.count(self._part.done), self._part.size, self.came, now - began))


def progress(done: int, size: int | None, came: int, seconds: float) -> str:
    """How far it is, how fast, and how long it will take; what is unknown is left out."""
    words = [f"{size_text(done)} of {size_text(size)}" if size else size_text(done)]
    if came and seconds > 0:
        words.append(f"{size_text(came / seconds)}/s")
        if size:
            words.append(f"{seconds_text((size - done) * seconds / came)} left")
    return ", ".join(words)
