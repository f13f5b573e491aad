"""One command of the embedded SSH server: a process and the channel it talks through."""

import asyncio
import contextlib
import os
import signal
from pathlib import Path

import asyncssh


class Session(asyncssh.SSHServerSession[bytes]):
    """One command, its three pipes pumped with back pressure both ways.

    Args:
        starting: holds the start of its program while that lasts.
    """

    def __init__(
        self, home: Path, shell: str, environment: dict[str, str], starting: "set[asyncio.Task[None]]"
    ) -> None:
        self._home = home
        self._argv = [shell]
        self._environment = environment
        self._child: Child | None = None
        self._starting = starting
        self._early: list[bytes] = []  # input that came before the command ran
        self._is_fed = False
        self._is_closed = False

    def connection_made(self, chan: "asyncssh.SSHServerChannel[bytes]") -> None:
        self._chan = chan

    def shell_requested(self) -> bool:
        return True

    def exec_requested(self, command: str) -> bool:
        self._argv += ["-c", command]
        return True

    def session_started(self) -> None:
        task = asyncio.create_task(self._start())
        self._starting.add(task)
        task.add_done_callback(self._starting.discard)

    def data_received(self, data: bytes, datatype: int | None) -> None:
        if self._child:
            self._child.write(data)
        else:
            self._early.append(data)
            self._chan.pause_reading()

    def eof_received(self) -> bool:
        if self._child:
            self._child.end_input()
        self._is_fed = True
        return True  # the other direction stays open

    def signal_received(self, signal: str) -> None:
        if self._child:
            self._child.kill(signal)

    def pause_writing(self) -> None:
        if self._child:
            self._child.pause(True)

    def resume_writing(self) -> None:
        if self._child:
            self._child.pause(False)

    def connection_lost(self, exc: Exception | None) -> None:
        self._is_closed = True
        if self._child:
            self._child.abandon()

    async def _start(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            _, self._child = await loop.subprocess_exec(
                lambda: Child(self._chan),
                *self._argv,
                cwd=self._home,
                env=self._environment,
                start_new_session=True,
            )
        except OSError as error:
            self._chan.write_stderr(f"{self._argv[0]}: {error.strerror}\n".encode())
            self._chan.exit(126)
            return
        for data in self._early:
            self._child.write(data)
        if self._is_fed:
            self._child.end_input()
        if self._is_closed:
            self._child.abandon()
        else:
            self._chan.resume_reading()


class Child(asyncio.SubprocessProtocol):
    """The process of a session."""

    def __init__(self, chan: "asyncssh.SSHServerChannel[bytes]") -> None:
        self._chan = chan
        self._open = {1, 2}  # output pipes not yet at their end
        self._has_exited = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.SubprocessTransport)
        self._process = transport

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        with contextlib.suppress(OSError):
            self._chan.write(data, asyncssh.EXTENDED_DATA_STDERR if fd == 2 else None)

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        self._open.discard(fd)
        self._finish()

    def process_exited(self) -> None:
        self._has_exited = True
        self._finish()

    def pause_writing(self) -> None:
        self._chan.pause_reading()

    def resume_writing(self) -> None:
        # Not at once: a pipe that is given data and then its end from within this call
        # closes before it wrote them (CPython, _UnixWritePipeTransport._write_ready).
        asyncio.get_running_loop().call_soon(self._chan.resume_reading)

    def write(self, data: bytes) -> None:
        pipe = self._pipe(0)
        if isinstance(pipe, asyncio.WriteTransport) and not pipe.is_closing():
            pipe.write(data)

    def end_input(self) -> None:
        pipe = self._pipe(0)
        if isinstance(pipe, asyncio.WriteTransport) and not pipe.is_closing():
            pipe.write_eof()

    def pause(self, is_paused: bool) -> None:
        """Stop reading from the command while the client does not read from us."""
        for fd in self._open:
            pipe = self._pipe(fd)
            if isinstance(pipe, asyncio.ReadTransport) and not pipe.is_closing():
                pipe.pause_reading() if is_paused else pipe.resume_reading()

    def kill(self, name: str) -> None:
        number = getattr(signal, f"SIG{name}", None)
        if number is not None and not self._has_exited:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.get_pid(), number)

    def abandon(self) -> None:
        """Closes the pipes and leaves the process to what it makes of that."""
        for fd in (0, 1, 2):
            pipe = self._pipe(fd)
            if pipe is not None:
                pipe.close()

    def _pipe(self, fd: int) -> asyncio.BaseTransport | None:
        return self._process.get_pipe_transport(fd)

    def _finish(self) -> None:
        if self._open or not self._has_exited or self._chan.is_closing():
            return
        status = self._process.get_returncode()
        if status is not None and status < 0:
            name = signal.Signals(-status).name.removeprefix("SIG")
            self._chan.exit_with_signal(name)
        else:
            self._chan.exit(status or 0)
