"""How fast bytes may go, and whose turn it is: rates in bytes/s, hours of the day, fair shares."""

import re
from dataclasses import dataclass, field
from heapq import heappop, heappush

UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9}
BURST = 0.1  # seconds that may be made up for after a pause


def rate(text: str) -> int:
    """Bytes/s of `50M`, `50 MB/s`, `48MiB/s` or `400Mbit/s`; a bare letter means bytes, in powers of 1000.

    Raises:
        ValueError: it is no rate, or none above zero.
    """
    match = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,3})?) ?([kKMG]?)(i?)(B|bit|)(?:/s)?", text.strip())
    if match is None or (match[3] and not match[2]):
        raise ValueError("should be bytes a second: 50M, 50 MB/s, 48MiB/s or 400Mbit/s")
    unit = UNITS[match[2].lower()]
    if match[3]:
        unit = 2 ** (10 * (1 + "kmg".index(match[2].lower())))
    found = int(float(match[1]) * unit / (8 if match[4] == "bit" else 1))
    if found < 1000:
        raise ValueError("should be at least 1 kB/s")
    return found


@dataclass(frozen=True, slots=True)
class Quiet:
    """Hours of each day in which less may be sent."""

    start: int  # minutes after midnight, local time
    end: int  # the first minute after them; before `start` where they go over midnight
    rate: int  # bytes/s

    def holds(self, minute: int) -> bool:
        if self.start <= self.end:
            return self.start <= minute < self.end
        return minute >= self.start or minute < self.end


def quiet(text: str) -> Quiet:
    """The hours of `08:00-18:00 20M`.

    Raises:
        ValueError: they are not in that form.
    """
    hours = r"([01][0-9]|2[0-3]):([0-5][0-9])"
    match = re.fullmatch(rf"{hours} ?- ?{hours} +(.+)", text.strip())
    if match is None:
        raise ValueError("should be hours and a rate: 08:00-18:00 20M")
    start, end = int(match[1]) * 60 + int(match[2]), int(match[3]) * 60 + int(match[4])
    if start == end:
        raise ValueError("should be hours that end at another time than they begin")
    return Quiet(start, end, rate(match[5]))


def allowed(limit: int | None, hours: Quiet | None, minute: int) -> int | None:
    """Bytes/s at that minute of the day; None is no limit."""
    found = [limit, hours.rate if hours and hours.holds(minute) else None]
    return min((one for one in found if one is not None), default=None)


@dataclass(slots=True)
class Shares:
    """Who may send next: everyone who waits gets the same bytes, whatever the size of his pieces.

    Each piece is stamped with where its owner will then stand, and the one that stands lowest goes
    first. Who comes later begins where the others are, not at zero.
    Source: S. J. Golestani, "A self-clocked fair queueing scheme", INFOCOM 1994.
    """

    free_at: float = 0.0  # seconds of the clock at which the line is free
    _stands: dict[str, int] = field(default_factory=dict)  # bytes, by owner
    _level: int = 0  # bytes: where the last one stood that went
    _waiting: list[tuple[int, int, int]] = field(default_factory=list)  # stand, number, size
    _numbers: int = 0

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def ask(self, owner: str, size: int) -> int:
        """A number, which `pop` returns when it is its turn."""
        stand = self._stands[owner] = max(self._level, self._stands.get(owner, 0)) + size
        self._numbers += 1
        heappush(self._waiting, (stand, self._numbers, size))
        return self._numbers

    def wait(self, now: float) -> float:
        """Seconds until the line is free."""
        return max(0.0, self.free_at - now)

    def pop(self, now: float, rate: int | None) -> int:
        """The number that goes now, at so many bytes/s; None is no limit."""
        self._level, number, size = heappop(self._waiting)
        if rate is not None:
            self.free_at = max(self.free_at, now - BURST) + size / rate
        return number
