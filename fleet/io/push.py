"""A file to a host: only the chunks it lacks, verified there, then renamed into place."""

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from fleet.core.errors import DeadlineError, FleetError, StepError
from fleet.core.plan import size_text
from fleet.core.shell import quote
from fleet.core.text import safe_line, safe_text
from fleet.io.manifest import Manifest, manifest, stamp
from fleet.io.peers import PeerError
from fleet.io.ports import Answer, Clock, Transport
from fleet.io.push_errors import explained
from fleet.io.push_progress import Progress, Say
from fleet.io.shelltext import packaged

MIB = 1 << 20
CHUNK = 16 * MIB  # bytes; the unit in which a host compares what it has
READ = 4 * MIB  # bytes read from the disk at a time
# 256 KiB a write was fastest with asyncssh (32 KiB 133 MB/s, 256 KiB 170, 1 MiB 145); dd on
# the host gathers them into blocks of 1 MiB.
WRITE = 256 << 10
IDLE = 60.0  # seconds without a byte before we give up
LINES = 100  # that a host may say beside the hashes of chunks
SLOWEST = 50_000  # bytes/s that a deadline allows for

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Sharing:
    """A push that other hosts may take part in."""

    wanted: Manifest
    part: str  # absolute path on the host
    right: frozenset[int]  # chunks of it that are there
    send: Callable[[int], Awaitable[None]]  # a chunk from here
    came: Callable[[int], None]  # told of bytes that came from elsewhere


Share = Callable[[Sharing], Awaitable[None]]  # until every chunk is there; PeerError: it cannot


async def push(
    transport: Transport,
    local: Path,
    sha256: str,
    size: int,
    to: str,
    *,
    root: str,
    generation: str,
    say: Say,
    clock: Clock,
    chunk: int = CHUNK,
    manifests: Path | None = None,
    moved: Callable[[int], None] | None = None,
    idle: float = IDLE,
    share: Share | None = None,
) -> int:
    """The file under its final name on the host.

    A lost link leaves the part there; called again, it goes on with what is missing.

    Args:
        local: the file here.
        sha256: what it must be; also the name of its part on the host.
        to: path below the root.
        root: absolute, as the host said.
        generation: of the host's lock.
        say: bytes that are there, bytes in all, bytes/s, seconds left; at most four times a second.
        chunk: bytes; whole MiB.
        manifests: folder on this machine in which the hashes of chunks are remembered.
        moved: told of each piece that was sent, also where the push fails later.
        idle: seconds without a byte before it fails.
        share: brings the chunks from wherever they are; without it they all come from here.

    Returns:
        Bytes sent; 0 where the host had it.

    Raises:
        UnreachableError: the link was lost.
        DeadlineError: nothing moved for `idle` seconds.
        StepError: the host cannot take it; says why. The part is kept, unless its disk lies.
        FleetError: the file here is gone or is another one.
    """
    if chunk % MIB or chunk <= 0:
        raise ValueError("a chunk is whole MiB")
    progress = Progress(say, clock, size, moved)
    work = _Push(transport, local, sha256, size, to, root, generation, progress, chunk, idle, share)
    await work.all(manifests)
    return progress.sent


@dataclass(frozen=True, slots=True)
class _Push:
    transport: Transport
    local: Path
    sha256: str
    size: int
    to: str
    root: str
    generation: str
    progress: Progress
    chunk: int
    idle: float
    share: Share | None

    async def all(self, manifests: Path | None) -> None:
        wanted = await manifest(self.local, self.sha256, self.chunk, manifests)
        if wanted.size != self.size:
            raise FleetError(
                f"{self.local} has {wanted.size} bytes, {self.size} were planned",
                next="the same command again",
            )
        # What the disk gave back wrong is looked at chunk by chunk and sent once more.
        for is_last in (False, True):
            held = await self._begin()
            if held is None:
                self.progress.start(self.size)
                return
            await self._send(wanted, held)
            if await self._end(wanted, is_last):
                break
        self.progress.tell()

    async def _send(self, wanted: Manifest, held: dict[int, str]) -> None:
        missing = ranges(wanted, held)
        self.progress.start(self.size - sum(length for _, length in missing))
        if self.share is not None and missing:
            with contextlib.suppress(PeerError):
                await self.share(self._sharing(wanted, held))
                return
        for start, length in missing:
            await self._range(wanted, start, length)

    async def _range(self, wanted: Manifest, start: int, length: int) -> None:
        pieces = _pieces(self.local, wanted, start, length, self.progress.add)
        deadline = self.idle + 60 + length / SLOWEST
        feeding = self.transport.feed(self._receiver(start), pieces, deadline=deadline)
        self._check(await self._watched(feeding))

    def _sharing(self, wanted: Manifest, held: dict[int, str]) -> Sharing:
        async def send(number: int) -> None:
            start = number * self.chunk
            await self._range(wanted, start, min(self.chunk, self.size - start))

        part = f"{self.root}/parts/{self.sha256}.part"
        right = frozenset(n for n, digest in enumerate(wanted.chunks) if held.get(n) == digest)
        return Sharing(wanted, part, right, send, self.progress.came)

    async def _begin(self) -> dict[int, str] | None:
        """Hashes of the chunks that the host has; None if it has the whole file."""
        lines: list[str] = []

        most = self.size // self.chunk + LINES

        def take(line: bytes) -> None:
            self.progress.beat()
            if len(lines) > most:
                raise StepError("it says more than it was asked", kind="too-much-output", next="fleet status")
            lines.append(safe_line(line, 200))

        script = packaged("push_begin", **self._variables(), BLOCKS=self.chunk // MIB)
        deadline = 60 + self.size / (2 * MIB)
        answer = await self._watched(self.transport.run(script, deadline=deadline, on_line=take))
        lines += safe_text(answer.out).splitlines()
        short = next((line.split() for line in lines if line.startswith("short ")), None)
        if short is not None and len(short) == 3 and short[1].isdigit() and short[2].isdigit():
            raise StepError(
                f"the disk has {size_text(int(short[1]))} free, {size_text(int(short[2]))} are to come",
                kind="disk-full",
                next=f"free space on the disk of {self.root}, or set root to a folder on a larger one",
            )
        self._check(answer)
        if "have" in lines:
            return None
        words = [line.split() for line in lines if line.startswith("chunk ")]
        return {int(word[1]): word[2] for word in words if len(word) == 3 and word[1].isdigit()}

    def _receiver(self, start: int) -> str:
        """The line that writes standard input into the part.

        Short reads are gathered because ibs differs from obs; no GNU flag is needed.
        """
        part = quote(f"{self.root}/parts/{self.sha256}.part")
        return (
            f'LC_ALL=C; export LC_ALL; p={part}; [ -L "$p" ] || [ ! -f "$p" ] && exit 74; '
            f'exec dd of="$p" ibs=65536 obs={MIB} seek={start // MIB} conv=notrunc'
        )

    async def _end(self, wanted: Manifest, is_last: bool) -> bool:
        """Whether the host read back what was sent, and published it."""
        meta = ""
        if self.to.startswith("models/"):
            meta = json.dumps(
                {"sha256": self.sha256, "size": self.size, "chunk": self.chunk, "chunks": wanted.chunks}
            )
        script = packaged(
            "push_end", **self._variables(), SHA256=self.sha256, META=meta, IS_LAST=int(is_last)
        )
        answer = await self.transport.run(script, deadline=120 + self.size / (5 * MIB))
        if not is_last and safe_text(answer.out).startswith("again"):
            return False
        self._check(answer)
        return True

    def _variables(self) -> dict[str, str | int]:
        return {
            "FLEET_ROOT": self.root,
            "FLEET_GENERATION": self.generation,
            "NAME": self.sha256,
            "SIZE": self.size,
            "TO": self.to,
        }

    def _check(self, answer: Answer) -> None:
        if answer.status:
            raise explained(answer, self.root)

    async def _watched(self, work: Coroutine[Any, Any, Value]) -> Value:
        """The result of work that moves bytes, unless it stops moving them."""
        task = asyncio.ensure_future(work)
        self.progress.beat()
        try:
            while not task.done():
                await asyncio.wait({task}, timeout=min(5.0, self.idle))
                if not task.done() and self.progress.quiet() > self.idle:
                    raise DeadlineError(
                        f"no byte moved for {self.idle:g} s; what arrived is kept",
                        next="the same command again",
                    )
            return task.result()
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def ranges(wanted: Manifest, held: dict[int, str]) -> list[tuple[int, int]]:
    """What is missing, as (start, length) in bytes; neighbours are one range."""
    found: list[tuple[int, int]] = []
    for number, digest in enumerate(wanted.chunks):
        if held.get(number) == digest:
            continue
        start = number * wanted.chunk
        length = min(wanted.chunk, wanted.size - start)
        if found and sum(found[-1]) == start:
            start, length = found[-1][0], found.pop()[1] + length
        found.append((start, length))
    return found


async def _pieces(
    local: Path, wanted: Manifest, start: int, length: int, sent: Callable[[int], None]
) -> AsyncGenerator[bytes, None]:
    """A range of the file; `sent` is told of each piece once it was taken."""
    with await asyncio.to_thread(open, local, "rb") as file:
        if stamp(local) != wanted.stamp:
            raise FleetError(f"{local} was changed while it was sent", next="the same command again")
        file.seek(start)
        while length:
            data = await asyncio.to_thread(file.read, min(READ, length))
            if not data:
                raise FleetError(f"{local} became shorter while it was sent", next="the same command again")
            length -= len(data)
            for at in range(0, len(data), WRITE):
                piece = data[at : at + WRITE]
                yield piece
                sent(len(piece))
