"""A command on a host through a program of this machine: the bytes are its work, not ours."""

import asyncio
import contextlib
import errno
import fcntl
import os
import signal
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from fleet.core.errors import FleetError, StepError, UnreachableError
from fleet.core.text import safe_line
from fleet.io.framing import FEED
from fleet.io.ports import Random, Stream
from fleet.io.process import Process, Shell
from fleet.io.push.streams import REFUSED, Span, shortened

PIPE = 1 << 20  # bytes; Linux lets a user have so much
PIECE = 64 << 10  # bytes read at once
GRACE = 2.0  # seconds to end in
LOST = 255  # exit status of ssh where not the command but the connection ended
NO_SENDFILE = (errno.EINVAL, errno.ENOTSOCK, errno.ENOSYS, errno.EOPNOTSUPP)


class Program(Shell):
    """A way to a host through `ssh`, or what behaves as it: one process and connection a command.

    Args:
        argv: the program; the command for the host is its last word.
        preface: goes first into its standard input.
    """

    takes_spans = True

    def __init__(self, name: str, argv: Sequence[str], random: Random, preface: bytes = b"") -> None:
        super().__init__(name, random)
        self._argv, self._preface = tuple(argv), preface
        self._ready: asyncio.Task[ProgramProcess] | None = None
        self._last: ProgramProcess | None = None
        self._heard = asyncio.Event()
        self._room = asyncio.Semaphore(1)

    def room(self) -> contextlib.AbstractAsyncContextManager[Any]:
        return self._room

    @property
    def process(self) -> int | None:
        """Number of the last one that was started."""
        return self._last.pid if self._last else None

    def prepare(self) -> None:
        """Connect now; the next `feed` finds it done."""
        self._ready = asyncio.ensure_future(self._spawned(FEED))

    async def accepted(self) -> None:
        """The command runs, or never will: only then is data worth sending."""
        await self._heard.wait()

    async def start(self, command: str) -> Process:
        ready, self._ready = self._ready, None
        self._heard.clear()
        if ready is not None and command == FEED:
            return await ready
        return await self._spawned(command)

    async def open(self, listen: str, *, deadline: float) -> Stream:
        raise StepError("this way carries commands only", host=self.name, next="fleet status")

    async def close(self) -> None:
        ready, self._ready = self._ready, None
        if ready is not None:
            with contextlib.suppress(FleetError):
                (await ready).kill()
        if self._last is not None:
            await self._last.ended()

    async def _spawned(self, command: str) -> "ProgramProcess":
        source, sink = os.pipe()
        with contextlib.suppress(AttributeError, OSError):
            fcntl.fcntl(sink, fcntl.F_SETPIPE_SZ, PIPE)
        try:
            process = await asyncio.create_subprocess_exec(
                *self._argv,
                command,
                stdin=source,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                start_new_session=True,  # no terminal, so that it cannot ask, and Ctrl-C is ours
            )
        except OSError as error:
            os.close(sink)
            raise UnreachableError(
                f"cannot start {self._argv[0]}: {error.strerror}", kind=REFUSED, next="fleet doctor"
            ) from error
        finally:
            os.close(source)
        made = self._last = ProgramProcess(process, sink, self._heard)
        if self._preface:
            with contextlib.suppress(BrokenPipeError):
                await made.write(self._preface)
        return made


class ProgramProcess:
    """The program under way; a thread of its own fills its standard input."""

    def __init__(self, process: asyncio.subprocess.Process, sink: int, heard: asyncio.Event) -> None:
        assert process.stdout and process.stderr
        self._process, self._sink, self._heard = process, sink, heard
        self.pid = process.pid
        self._stdout, self._stderr = process.stdout, process.stderr
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="bulk")
        self._has_spoken = self._is_ended = False
        self._said = b""  # the last of its standard error

    async def read(self) -> bytes:
        data = await self._stdout.read(PIECE)
        self._has_spoken |= bool(data)
        self._heard.set()
        return data

    async def read_error(self) -> bytes:
        data = await self._stderr.read(PIECE)
        self._said = (self._said + data)[-4096:]
        return data

    async def write(self, data: bytes | Span) -> None:
        loop = asyncio.get_running_loop()
        if isinstance(data, Span):
            await loop.run_in_executor(self._thread, splice, self._sink, os.dup(data.file), data)
        else:
            await loop.run_in_executor(self._thread, write, self._sink, data)

    def end_input(self) -> None:
        # Behind what the thread still writes: a number that was closed may be another file's.
        if not self._is_ended:
            self._is_ended = True
            self._thread.submit(os.close, self._sink)
            self._thread.shutdown(wait=False)

    async def status(self) -> int:
        status = await self._process.wait()
        if status < 0 or status == LOST or (status and not self._has_spoken):
            said = safe_line(self._said.strip().partition(b"\n-> next")[0].rsplit(b"\n", 1)[-1], 200)
            raise UnreachableError(
                f"the connection was lost{': ' if said else ''}{said}",
                kind="link-lost" if self._has_spoken else REFUSED,
                next="fleet status",
            )
        return status

    def kill(self) -> None:
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGTERM)
        self._heard.set()
        self.end_input()

    async def ended(self) -> None:
        """After `kill`: it is gone, one way or the other."""
        try:
            async with asyncio.timeout(GRACE):
                await self._process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            await self._process.wait()


def write(sink: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(sink, view) :]


def splice(sink: int, file: int, span: Span) -> None:
    """A span of a file into a pipe or a socket, by the kernel where it can; closes the file."""
    try:
        start, end = span.start, span.start + span.length
        is_copied = False
        while start < end:
            count = 0
            if not is_copied:
                try:
                    count = os.sendfile(sink, file, start, end - start)
                except OSError as error:
                    if error.errno not in NO_SENDFILE:
                        raise
                    is_copied = True
            if is_copied:
                data = os.pread(file, end - start, start)
                write(sink, data)
                count = len(data)
            if not count:
                raise shortened(span.name)
            start += count
    finally:
        os.close(file)
