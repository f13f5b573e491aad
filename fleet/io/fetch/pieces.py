"""What the connections of one download say to one another, and what of it people are told."""

from dataclasses import dataclass

from fleet.core.plan import seconds_text, size_text


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


def progress(done: int, size: int | None, came: int, seconds: float) -> str:
    """How far it is, how fast, and how long it will take; what is unknown is left out."""
    words = [f"{size_text(done)} of {size_text(size)}" if size else size_text(done)]
    if came and seconds > 0:
        words.append(f"{size_text(came / seconds)}/s")
        if size:
            words.append(f"{seconds_text((size - done) * seconds / came)} left")
    return ", ".join(words)
