"""What the connections of one download say to one another."""

from dataclasses import dataclass


@dataclass(slots=True)
class Piece:
    """What one connection fetches; it moves its start as it goes."""

    start: int
    end: int | None  # None: as far as the file goes
    breaks: int = 0
    broke_at: int = 0


class Changed(Exception):
    """The server has another file now, or does not keep to what it said: nothing of it can be kept."""


class Busy(Exception):
    """The server wants fewer questions; `wait` is in seconds, None where it does not say."""

    def __init__(self, host: str, wait: int | None) -> None:
        self.host, self.wait = host, wait
