"""The ports to the world, small enough that every call can be made to fail in a test."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Answer:
    """What a program on a host left behind. A lost link is an error, never an Answer."""

    status: int  # exit status; 128 + n where signal n ended it
    out: bytes
    err: bytes


class Stream(Protocol):
    """A byte stream through the connection, to a socket on the host."""

    async def read(self, most: int) -> bytes: ...

    async def write(self, data: bytes) -> None: ...

    async def close(self) -> None: ...


class Transport(Protocol):
    """One host. Every method raises UnreachableError, DeadlineError or StepError."""

    async def run(
        self,
        script: str,
        *,
        deadline: float,
        cap: int = 1 << 20,
        on_line: Callable[[bytes], None] | None = None,
    ) -> Answer:
        """A POSIX sh program, sent on standard input to a constant `sh -s`.

        Args:
            script: the program; never printed or logged.
            deadline: seconds for all of it.
            cap: bytes of output kept; more is an error of kind "too-much-output".
            on_line: called for each line of standard output as it comes; then `out`
                holds only what came after the last line.
        """
        ...

    async def feed(
        self,
        line: str,
        chunks: "Chunks",
        *,
        deadline: float,
        on_line: Callable[[bytes], None] | None = None,
    ) -> Answer:
        """One line of shell that reads data from standard input, and the data; `on_line` as for `run`.

        The command sent is a constant that reads the line first, so that the line is
        not seen in the host's process list and the rest of the stream is the data.
        """
        ...

    async def drain(
        self,
        script: str,
        to: Callable[[bytes], None],
        *,
        deadline: float,
    ) -> int:
        """A program whose standard output is data of any size (a finished build).

        Returns: the exit status.
        """
        ...

    async def open(self, listen: str, *, deadline: float) -> Stream:
        """A stream to `ADDRESS:PORT` or to a unix socket path on the host."""
        ...

    async def close(self) -> None: ...


class Chunks(Protocol):
    """Pieces of data, asked for one after another: an async generator of bytes."""

    def __aiter__(self) -> AsyncIterator[bytes]: ...


class Clock(Protocol):
    def now(self) -> float:
        """Unix seconds, for people and records."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go back, for durations."""
        ...

    async def sleep(self, seconds: float) -> None: ...


class Random(Protocol):
    def uniform(self, low: float, high: float) -> float: ...

    def token(self, count: int) -> str:
        """`count` bytes from a secure source, as hex."""
        ...


class Folders(Protocol):
    """Where fleet keeps things on the controller."""

    @property
    def state(self) -> Path: ...

    @property
    def cache(self) -> Path: ...

    @property
    def config(self) -> Path: ...
