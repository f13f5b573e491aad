"""Programs on a host, however its processes are started."""

import asyncio
import contextlib
import math
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Protocol

from fleet.core.errors import DeadlineError, FleetError, StepError
from fleet.core.text import safe_line
from fleet.io.framing import FEED, SHELL, Frame, Sieve, wrapped, wrapped_data, wrapped_line
from fleet.io.ports import Answer, Chunks, Random, Stream

ERRORS = 64 << 10  # bytes of standard error kept: the last ones


class Process(Protocol):
    """A running command. Reads give b"" at the end; a lost link raises UnreachableError."""

    async def read(self) -> bytes: ...

    async def read_error(self) -> bytes: ...

    async def write(self, data: bytes) -> None:
        """Waits until there is room. Raises BrokenPipeError when nobody reads any more."""
        ...

    def end_input(self) -> None: ...

    async def status(self) -> int:
        """Exit status; 128 + n after signal n. An unknown outcome raises."""
        ...

    def kill(self) -> None:
        """Ends the command and what it started, detached processes excepted."""
        ...


class Shell(ABC):
    """The part of a Transport that runs programs."""

    def __init__(self, name: str, random: Random) -> None:
        self.name = name
        self._random = random

    @abstractmethod
    async def start(self, command: str) -> Process:
        """Starts one of the constant commands. Raises UnreachableError, StepError."""

    @abstractmethod
    async def open(self, listen: str, *, deadline: float) -> Stream:
        """A stream to `ADDRESS:PORT` or to a unix socket path on the host."""

    @abstractmethod
    async def close(self) -> None: ...

    @abstractmethod
    def room(self) -> contextlib.AbstractAsyncContextManager[Any]:
        """One of the places for commands that a connection has."""

    async def run(
        self,
        script: str,
        *,
        deadline: float,
        cap: int = 1 << 20,
        on_line: Callable[[bytes], None] | None = None,
    ) -> Answer:
        nonce = self._random.token(12)
        frame = Frame(nonce, cap, on_line)
        async with self._started(SHELL, deadline) as process:
            status, err = await _converse(process, _sent(process, wrapped(script, nonce)), frame.take)
        return self._answer(frame, status, err)

    async def feed(
        self,
        line: str,
        chunks: Chunks,
        *,
        deadline: float,
        on_line: Callable[[bytes], None] | None = None,
    ) -> Answer:
        nonce = self._random.token(12)
        frame = Frame(nonce, 1 << 20, on_line)
        async with self._started(FEED, deadline) as process:
            sending = _sent(process, wrapped_line(line, nonce), chunks)
            status, err = await _converse(process, sending, frame.take)
        return self._answer(frame, status, err)

    async def drain(self, script: str, to: Callable[[bytes], None], *, deadline: float) -> int:
        nonce = self._random.token(12)
        sieve = Sieve(nonce, to)
        async with self._started(SHELL, deadline) as process:
            status, err = await _converse(process, _sent(process, wrapped_data(script, nonce)), sieve.take)
        if not sieve.has_begun:
            raise _no_shell(status, sieve.noise(), err).at(self.name)
        return status

    def _answer(self, frame: Frame, status: int, err: bytes) -> Answer:
        out = frame.out()
        if not frame.has_begun:
            raise _no_shell(status, frame.noise(), err).at(self.name)
        return Answer(status if frame.status is None else frame.status, out, err)

    @asynccontextmanager
    async def _started(self, command: str, deadline: float) -> AsyncIterator[Process]:
        try:
            async with within(deadline), self.room():
                process = await self.start(command)
                try:
                    yield process
                finally:
                    process.kill()
        except FleetError as error:
            error.at(self.name)
            raise


@asynccontextmanager
async def within(deadline: float) -> AsyncIterator[None]:
    """Raises DeadlineError where the block takes longer; infinity is allowed."""
    try:
        async with asyncio.timeout(None if math.isinf(deadline) else deadline) as limit:
            yield
    except TimeoutError as error:
        if not limit.expired():
            raise
        raise DeadlineError(f"no end after {deadline:g} s", next="fleet status") from error


async def settled(opening: Awaitable[Any], undo: Callable[[Any], None]) -> Any:
    """The result of opening something, which is undone if we stop waiting for it.

    Cancelling asyncssh while it opens a channel leaks the channel, and with it one
    of the few places that sshd has.
    """
    task = asyncio.ensure_future(opening)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        task.add_done_callback(lambda done: _undone(done, undo))
        raise


def _undone(task: "asyncio.Future[Any]", undo: Callable[[Any], None]) -> None:
    if not task.cancelled() and task.exception() is None:
        undo(task.result())


async def _sent(process: Process, head: bytes, chunks: Chunks | None = None) -> None:
    # Who leaves early says why by its exit status.
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        await process.write(head)
        if chunks is not None:
            async for chunk in chunks:
                await process.write(chunk)
        process.end_input()


async def _converse(
    process: Process, sending: Coroutine[Any, Any, None], take: Callable[[bytes], None]
) -> tuple[int, bytes]:
    """Writes and reads at the same time, until the program has ended.

    Returns: exit status, and the last of standard error.
    """
    writer = asyncio.ensure_future(sending)
    errors = asyncio.ensure_future(_tail(process))
    reader = asyncio.ensure_future(_read(process, take))
    tasks = {writer, errors, reader}
    try:
        pending: set[asyncio.Future[Any]] = {*tasks}
        while not (reader.done() and errors.done()):
            done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        return await process.status(), errors.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _read(process: Process, take: Callable[[bytes], None]) -> None:
    while data := await process.read():
        take(data)


async def _tail(process: Process) -> bytes:
    kept = bytearray()
    while data := await process.read_error():
        kept += data
        if len(kept) > 2 * ERRORS:
            del kept[:-ERRORS]
    return bytes(kept[-ERRORS:])


def _no_shell(status: int, noise: str, err: bytes) -> StepError:
    said = noise or safe_line(err[:4096], 300) or "nothing"
    return StepError(
        f"its login shell did not run `sh` (exit status {status}) but said: {said}",
        kind="shell",
        next="chsh -s /bin/sh on that host; on Windows use sshd inside WSL",
    )
