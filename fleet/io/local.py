"""This machine as a host: the same programs, without SSH."""

import asyncio
import contextlib
import os
import signal
from typing import Any

from fleet.core.errors import StepError
from fleet.io.clock import SystemRandom
from fleet.io.ports import Random, Stream
from fleet.io.process import Process, Shell, within

PLACES = 8  # programs at once, as over SSH
PIECE = 64 << 10  # bytes read at once


class LocalTransport(Shell):
    """Programs of the user who runs fleet, each in a process group of its own."""

    def __init__(self, name: str, random: Random | None = None) -> None:
        super().__init__(name, random or SystemRandom())
        self._home = os.path.expanduser("~")
        self._room = asyncio.Semaphore(PLACES)

    def room(self) -> contextlib.AbstractAsyncContextManager[Any]:
        return self._room

    async def start(self, command: str) -> Process:
        process = await asyncio.create_subprocess_exec(
            "/bin/sh",
            "-c",
            command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=self._home,
            start_new_session=True,
        )
        return LocalProcess(process)

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
        """There is no connection to close."""


class LocalProcess:
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin and process.stdout and process.stderr
        self._process = process
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
            return
        # It leads its own session, so its number is that of its group.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGTERM)
        self._stdin.close()


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
