"""Chunks from here to the program on a host without a cipher, between addresses of private networks."""

import asyncio
import contextlib
import functools
import os
import socket
import struct
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from fleet.core.errors import UnreachableError
from fleet.core.inventory_checks import in_networks
from fleet.core.text import safe_line
from fleet.io.ports import Answer, Chunks
from fleet.io.push.program import splice, write
from fleet.io.push.streams import REFUSED, Span
from fleet.io.share.peer import Peer, PeerError

CONNECT = 3.5  # seconds; a first packet that was lost is sent again after one and after three
KEPT = 10.0  # seconds that a connection may wait for its next chunk; the host ends it after 30
STALL = 45  # seconds without a byte, or for a chunk to be written, until the other ways are taken
ANSWER = 4096  # bytes of one that are looked at


class PlainLane:
    """A lane on which the kernel moves the bytes. What arrived is judged by what the host says over SSH.

    Whatever goes wrong with it is a refusal, so that the lanes behind it are tried.

    Args:
        number: of this lane to that host.
        networks: where it is allowed.
        tell: told why the chunks go another way.
        kept: seconds that a connection is kept for the next chunk.
    """

    takes_spans = True

    def __init__(
        self,
        peer: Peer,
        number: int,
        networks: Sequence[str],
        tell: Callable[[str], None],
        kept: float = KEPT,
    ) -> None:
        self._peer, self._number, self._tell, self._kept = peer, number, tell, kept
        self._networks = networks

    async def feed(
        self,
        line: str,
        chunks: Chunks,
        *,
        deadline: float,
        on_line: Callable[[bytes], None] | None = None,
    ) -> Answer:
        """As a lane's: tells the number of each chunk, that it was written, and its hash.

        Raises:
            UnreachableError: it does not do; of kind "refused", or "link-lost" where no other way is safe.
        """
        try:
            async with asyncio.timeout(deadline):
                await self._all(aiter(chunks), on_line or (lambda line: None))
        except (OSError, PeerError, TimeoutError) as error:
            place = f"{self._peer.address} port {self._peer.port}"
            why = f"{place}: {safe_line(str(error), 200) or 'no answer'}"
            try:
                await self._peer.careful()
            except PeerError as silent:
                why = f"the program that shares the model may still be writing: {silent}"
                self._tell(why)
                raise UnreachableError(why, kind="link-lost", next="the same command again") from error
            self._tell(f"gets its chunks over SSH: {why}")
            raise UnreachableError(why, kind=REFUSED, next="fleet status") from error
        return Answer(0, b"", b"")

    async def _all(self, pieces: Any, tell: Callable[[bytes], None]) -> None:
        link: _Link | None = None
        try:
            async for header in pieces:
                number, _, length = (int(word) for word in bytes(header).split())
                if link is not None and link.quiet() >= self._kept:
                    link.end()
                    link = None
                if link is None:
                    link = _Link(await self._connected())
                bring = functools.partial(self._bring, link, pieces, number, length)
                sha256 = await self._peer.fed(self._number, number, bring)
                if sha256 != self._peer.chunks[number]:
                    raise PeerError(f"chunk {number} arrived as other bytes")
                for word in (f"chunk {number}", "wrote 0", sha256):
                    tell(word.encode())
        finally:
            if link is not None:
                link.end()

    async def _connected(self) -> socket.socket:
        family = socket.AF_INET6 if ":" in self._peer.address else socket.AF_INET
        made = socket.socket(family, socket.SOCK_STREAM)
        try:
            made.setblocking(False)
            async with asyncio.timeout(CONNECT):
                where = (self._peer.address, self._peer.port)
                await asyncio.get_running_loop().sock_connect(made, where)
            own = made.getsockname()[0]
            if not in_networks(own, self._networks):
                raise PeerError(f"{own} lies in none of private_networks")
            made.setblocking(True)  # a thread writes
            for limit in (socket.SO_SNDTIMEO, socket.SO_RCVTIMEO):
                made.setsockopt(socket.SOL_SOCKET, limit, struct.pack("ll", STALL, 0))
        except BaseException:
            made.close()
            raise
        return made

    async def _bring(self, link: "_Link", pieces: Any, number: int, length: int) -> None:
        head = f"PUT /{self._peer.write_token}/{self._number}/{number} HTTP/1.1\r\nHost: fleet\r\n"
        await link.write(f"{head}Content-Length: {length}\r\n\r\n".encode())
        while length:
            piece = await anext(pieces)
            length -= piece.length if isinstance(piece, Span) else len(piece)
            await link.write(piece)
        await link.answered()


class _Link:
    """A connection and the thread that blocks on it."""

    def __init__(self, made: socket.socket) -> None:
        self._socket = made
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="plain")
        self._used = time.monotonic()

    def quiet(self) -> float:
        """Seconds since its last answer."""
        return time.monotonic() - self._used

    async def write(self, piece: bytes | Span) -> None:
        loop, sink = asyncio.get_running_loop(), self._socket.fileno()
        if isinstance(piece, Span):
            await loop.run_in_executor(self._thread, splice, sink, os.dup(piece.file), piece)
        else:
            await loop.run_in_executor(self._thread, write, sink, piece)

    async def answered(self) -> None:
        """The host took a request to its end. Raises OSError."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._read)
        self._used = time.monotonic()

    def _read(self) -> None:
        said = b""
        while not said.endswith(b"\r\n\r\n"):
            some = self._socket.recv(ANSWER)
            said += some
            if not some or len(said) > ANSWER:
                raise OSError("no answer")
        if not said.startswith(b"HTTP/1.1 200 "):
            raise OSError("it does not take the chunk")

    def end(self) -> None:
        """Wakes the thread, which closes the connection behind what it does."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.submit(self._socket.close)
        self._thread.shutdown(wait=False)
