"""A host over SSH."""

import asyncio
import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncssh

from fleet.core.errors import StepError, UnreachableError
from fleet.core.text import safe_line
from fleet.io import failures
from fleet.io.clock import SystemRandom
from fleet.io.ports import Clock, Random, Stream
from fleet.io.process import Process, Shell, settled, within
from fleet.io.ssh.dial import CONNECT, Lost, Route, dial, route, shown_key
from fleet.io.ssh.gate import Gate
from fleet.io.ssh.pins import Pins
from fleet.io.ssh.rtt import rtt

if TYPE_CHECKING:
    from fleet.core.inventory import Host

CHANNELS = 8  # commands at once; sshd's MaxSessions is 10
PIECE = 64 << 10  # bytes read at once
BROKEN = (asyncssh.DisconnectError, ConnectionResetError)


async def connect(
    name: str,
    host: "Host",
    *,
    pins: Pins,
    clock: Clock,
    on_lost: Lost,
    random: Random | None = None,
    gate: Gate | None = None,
    ssh_config: Path | None = None,
    patience: float = CONNECT,
) -> "SshTransport":
    """A host of the inventory, logged in.

    Args:
        on_lost: called once when the connection ends, with the reason or None.
        gate: shared by all connections of a run.
        ssh_config: in place of the user's own.
        patience: seconds for all of it.

    Raises:
        UnreachableError: with the kind, the reason and what to do.
    """
    random = random or SystemRandom()
    try:
        way = await asyncio.to_thread(route, name, host, pins, ssh_config)
    except asyncssh.ConfigParseError as error:
        raise UnreachableError(
            safe_line(str(error), 300), host=name, kind="ssh-config", next=f"ssh -G {host.ssh}"
        ) from error
    try:
        conn = await dial(
            way, gate=gate or Gate(), clock=clock, random=random, on_lost=on_lost, patience=patience
        )
    except UnreachableError as error:
        error.at(name)
        raise
    return SshTransport(name, conn, clock, random, way)


async def host_key(
    name: str, host: "Host", *, pins: Pins, gate: Gate | None = None, ssh_config: Path | None = None
) -> asyncssh.SSHKey:
    """The key a host shows, for `Pins.trust` once a person agreed to its fingerprint."""
    way = await asyncio.to_thread(route, name, host, pins, ssh_config)
    try:
        return await shown_key(way, gate=gate or Gate())
    except UnreachableError as error:
        error.at(name)
        raise


class SshTransport(Shell):
    """Commands and streams over one connection."""

    def __init__(
        self,
        name: str,
        conn: asyncssh.SSHClientConnection,
        clock: Clock,
        random: Random,
        way: Route | None = None,
    ) -> None:
        super().__init__(name, random)
        self.way = way  # how we got here
        self._conn = conn
        self._clock = clock
        self._room = asyncio.Semaphore(CHANNELS)

    @property
    def cipher(self) -> str:
        return str(self._conn.get_extra_info("send_cipher"))

    @property
    def key(self) -> str | None:
        """The host key that was shown and accepted, as a line of known_hosts has it after the name."""
        key = self._conn.get_server_host_key()
        return key.export_public_key("openssh").decode().strip() if key else None

    @property
    def address(self) -> str | None:
        """Of the host itself; None where a jump host or a program stands between."""
        if self.way is None or self.way.place.jump or self.way.place.proxy:
            return None
        where = self._conn.get_extra_info("peername")
        return str(where[0]) if where else None

    def rtt(self) -> float | None:
        """Seconds there and back; None where a jump host stands between."""
        return None if self.way and self.way.place.jump else rtt(self._conn.get_extra_info("socket"))

    def room(self) -> contextlib.AbstractAsyncContextManager[Any]:
        return self._room

    async def start(self, command: str) -> Process:
        while True:
            try:
                process = await settled(
                    self._conn.create_process(command, encoding=None, stderr=asyncssh.PIPE, window=2 << 20),
                    lambda late: late.close(),
                )
                return SshProcess(process)
            except asyncssh.ChannelOpenError as error:
                if self._conn.is_closed() or error.code != asyncssh.OPEN_CONNECT_FAILED:
                    raise failures.lost(error).at(self.name) from error
            except BROKEN as error:
                raise failures.lost(error).at(self.name) from error
            # All places are taken, by channels that are just closing or by a small MaxSessions.
            await self._clock.sleep(self._random.uniform(0.1, 0.3))

    async def open(self, listen: str, *, deadline: float) -> Stream:
        if listen.startswith("/"):
            opening = self._conn.open_unix_connection(listen, encoding=None)
        else:
            address, _, port = listen.rpartition(":")
            opening = self._conn.open_connection(address.strip("[]"), int(port), encoding=None)
        async with within(deadline):
            try:
                reader, writer = await settled(opening, lambda late: late[1].close())
            except asyncssh.ChannelOpenError as error:
                raise self._closed_door(error, listen) from error
            except BROKEN as error:
                raise failures.lost(error).at(self.name) from error
        return SshStream(reader, writer)

    async def close(self) -> None:
        self._conn.close()
        try:
            async with asyncio.timeout(2):
                await self._conn.wait_closed()
        except TimeoutError:
            self._conn.abort()

    def abort(self) -> None:
        """Ends it without a word to the other side, which is thought to be dead."""
        self._conn.abort()

    def _closed_door(self, error: asyncssh.ChannelOpenError, listen: str) -> UnreachableError | StepError:
        if self._conn.is_closed():
            problem = failures.lost(error)
            problem.at(self.name)
            return problem
        if error.code == asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED:
            kind = "AllowStreamLocalForwarding" if listen.startswith("/") else "AllowTcpForwarding"
            return StepError(
                f"its sshd does not allow connections to {listen}",
                host=self.name,
                kind="forwarding",
                next=f"{kind} yes in its sshd_config",
            )
        return StepError(
            f"nothing listens on {listen}", host=self.name, kind="no-listener", next="fleet status"
        )


class SshProcess:
    """A command in a channel."""

    def __init__(self, process: "asyncssh.SSHClientProcess[bytes]") -> None:
        self._process = process
        self._is_over = False

    async def read(self) -> bytes:
        return await self._read(self._process.stdout)

    async def read_error(self) -> bytes:
        return await self._read(self._process.stderr)

    async def write(self, data: bytes) -> None:
        try:
            self._process.stdin.write(data)
            await self._process.stdin.drain()
        except BROKEN as error:
            raise failures.lost(error) from error

    def end_input(self) -> None:
        with contextlib.suppress(OSError):
            self._process.stdin.write_eof()

    async def status(self) -> int:
        await self._process.wait_closed()
        self._is_over = True
        if self._process.exit_signal:
            return 128 + NUMBERS.get(self._process.exit_signal[0], 0)
        if self._process.exit_status is None:
            raise failures.lost()
        return self._process.exit_status

    def kill(self) -> None:
        if self._is_over:
            return
        with contextlib.suppress(OSError, asyncssh.Error):
            self._process.terminate()
        self._process.close()

    async def _read(self, reader: "asyncssh.SSHReader[bytes]") -> bytes:
        try:
            return await reader.read(PIECE)
        except BROKEN as error:
            raise failures.lost(error) from error


class SshStream:
    """A socket on the host."""

    def __init__(self, reader: "asyncssh.SSHReader[bytes]", writer: "asyncssh.SSHWriter[bytes]") -> None:
        self._reader = reader
        self._writer = writer

    async def read(self, most: int) -> bytes:
        try:
            return await self._reader.read(most)
        except BROKEN as error:
            raise failures.lost(error) from error

    async def write(self, data: bytes) -> None:
        try:
            self._writer.write(data)
            await self._writer.drain()
        except (*BROKEN, BrokenPipeError) as error:
            raise failures.lost(error) from error

    async def close(self) -> None:
        self._writer.close()


NUMBERS = {
    "HUP": 1,
    "INT": 2,
    "QUIT": 3,
    "ILL": 4,
    "ABRT": 6,
    "FPE": 8,
    "KILL": 9,
    "SEGV": 11,
    "PIPE": 13,
    "ALRM": 14,
    "TERM": 15,
}
