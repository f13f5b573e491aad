"""This machine as a host: the same programs, without SSH."""

import asyncio
import contextlib
import os
import signal
from typing import Any

from fleet.core.errors import StepError
from fleet.io.clock import SystemRandom
from fleet.io.ports import Random, Stream
from fleet.io.process import Process, Shell, settled, within

PLACES = 8  # programs at once, as over SSH
PIECE = 64 << 10  # bytes read at once
GRACE = 5.0  # seconds that a program has to end after it was told to


class LocalTransport(Shell):
    """Programs of the user who runs fleet, each in a process group of its own."""

    def __init__(self, name: str, random: Random | None = None) -> None:
        super().__init__(name, random or SystemRandom())
        self._home = os.path.expanduser("~")
        self._room = asyncio.Semaphore(PLACES)
        self._ending: set[asyncio.Task[Any]] = set()  # programs that start or end

    def room(self) -> contextlib.AbstractAsyncContextManager[Any]:
        return self._room

    async def start(self, command: str) -> Process:
        # Cancelled before it has the pipes, asyncio waits until a grandchild that holds them ends.
        opening = asyncio.ensure_future(self._opened(command))
        self._ending.add(opening)
        opening.add_done_callback(self._ending.discard)
        process: LocalProcess = await settled(opening, LocalProcess.kill)
        return process

    async def _opened(self, command: str) -> "LocalProcess":
        # As asyncio.create_subprocess_exec does it, which keeps the transport where nobody can close it.
        loop = asyncio.get_running_loop()
        transport, protocol = await loop.subprocess_exec(
            lambda: asyncio.subprocess.SubprocessStreamProtocol(2 * PIECE, loop),
            "/bin/sh",
            "-c",
            command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=self._home,
            start_new_session=True,
        )
        process = asyncio.subprocess.Process(transport, protocol, loop)
        return LocalProcess(process, transport, self._ending)

    async def open(self, listen: str, *, deadline: float) -> Stream:
        async with within(deadline):
            try:
                if listen.startswith("/"):
                    reader, writer = await asyncio.open_unix_connection(listen)
                else:
                    address, _, port = listen.rpartition(":")
                    reader, writer = await asyncio.open_connection(address.strip("[]"), int(port))
            except OSError as error:
                raise StepError(
                    f"nothing listens on {listen}", host=self.name, kind="no-listener", next="fleet status"
                ) from error
        return LocalStream(reader, writer)

    async def close(self) -> None:
        """Waits for the programs that were told to end; there is no connection to close."""
        while self._ending:
            await asyncio.gather(*self._ending, return_exceptions=True)


class LocalProcess:
    """A program, and the transport of its pipes, which lives no longer than somebody wants the program."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        transport: asyncio.SubprocessTransport,
        ending: set[asyncio.Task[Any]],
    ) -> None:
        assert process.stdin and process.stdout and process.stderr
        self._process, self._transport, self._ending = process, transport, ending
        self._stdin, self._stdout, self._stderr = process.stdin, process.stdout, process.stderr

    async def read(self) -> bytes:
        return await self._stdout.read(PIECE)

    async def read_error(self) -> bytes:
        return await self._stderr.read(PIECE)

    async def write(self, data: bytes) -> None:
        self._stdin.write(data)
        await self._stdin.drain()

    def end_input(self) -> None:
        self._stdin.close()

    async def status(self) -> int:
        status = await self._process.wait()
        return status if status >= 0 else 128 - status

    def kill(self) -> None:
        if self._process.returncode is not None:
            self._transport.close()  # what it left behind may hold the other ends for ever
            return
        # It leads its own session, so its number is that of its group.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGTERM)
        self._stdin.close()
        task = asyncio.ensure_future(self._ended())
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def _ended(self) -> None:
        """Closes the pipes when it has ended, or ends it for good."""
        try:
            async with asyncio.timeout(GRACE):
                await self._process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
        finally:
            self._transport.close()


class LocalStream:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def read(self, most: int) -> bytes:
        try:
            return await self._reader.read(most)
        except OSError as error:
            raise _ended(error) from error

    async def write(self, data: bytes) -> None:
        try:
            self._writer.write(data)
            await self._writer.drain()
        except OSError as error:
            raise _ended(error) from error

    async def close(self) -> None:
        self._writer.close()


def _ended(error: OSError) -> StepError:
    return StepError(
        f"the connection was ended: {os.strerror(error.errno or 0)}", kind="no-listener", next="fleet status"
    )
