"""A file to a host: only the chunks it lacks, each verified as it is written, then renamed into place."""

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from fleet.core.errors import FleetError, UnreachableError
from fleet.io.ports import Clock, Transport
from fleet.io.push.feeder import Feeder
from fleet.io.push.manifest import Manifest, manifest
from fleet.io.push.part import MIB, Held, Part, chunk_size
from fleet.io.push.progress import Progress, Say
from fleet.io.push.streams import READ, REFUSED, SLOWEST, Lane, Pace, Streams, watched
from fleet.io.share.peer import PeerError

IDLE = 60.0  # seconds without a byte before we give up


class Lanes(Protocol):
    """Connections of their own to a host, in processes of their own; see lanes.py."""

    def start(self, count: int) -> None:
        """Begin to connect, while the host looks at what it has."""
        ...

    def ways(self, count: int) -> list[list[Lane]]:
        """So many lanes of each kind, best kind first."""
        ...

    def count(self, transport: Transport) -> int:
        """How many the line is worth."""
        ...

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Sharing:
    """A push that other hosts may take part in."""

    part: Part
    right: frozenset[int]  # chunks of it that are there
    send: Callable[[int], Awaitable[None]]  # a chunk from here, found right over there
    came: Callable[[int], None]  # told of bytes that came from elsewhere
    prefer: Callable[[Callable[[], Lane]], None]  # another kind of lane, for what `send` sends
    stop: Callable[[], Awaitable[None]]  # nothing more is sent, and nothing is on its way


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
    chunk: int | None = None,
    manifests: Path | None = None,
    moved: Callable[[int], None] | None = None,
    idle: float = IDLE,
    lanes: Lanes | None = None,
    pace: Pace | None = None,
    step: int = READ,
    slowest: float = SLOWEST,
    share: Share | None = None,
) -> int:
    """The file under its final name on the host.

    Each chunk is hashed there while it is written, so nothing is read back. A lost link leaves the
    part there; called again, it goes on with what is missing.

    Args:
        local: the file here.
        sha256: what it must be; also the name of its part on the host.
        to: path below the root.
        root: absolute, as the host said.
        generation: of the host's lock.
        say: bytes that are there, bytes in all, bytes/s, seconds left; at most four times a second.
        chunk: bytes; whole MiB; None for what suits the size.
        manifests: folder on this machine in which the hashes of chunks are remembered.
        moved: told of each piece that came, from wherever, also where the push fails later.
        idle: seconds without a byte before it fails.
        lanes: connections for the bytes; without any they go through the transport.
        pace: waits until so many bytes may be sent.
        step: bytes that are paced at once.
        slowest: bytes/s that deadlines allow for.
        share: brings the chunks from wherever they are; without it they all come from here.

    Returns:
        Bytes sent; 0 where the host had it.

    Raises:
        UnreachableError: the link was lost.
        DeadlineError: nothing moved for `idle` seconds.
        StepError: the host cannot take it; says why. The part is kept.
        FleetError: the file here is gone or is another one.
    """
    chunk = chunk or chunk_size(size)
    if chunk % MIB or chunk <= 0:
        raise ValueError("a chunk is whole MiB")
    progress = Progress(say, clock, size, moved)
    wanted = await manifest(local, sha256, chunk, manifests)
    if wanted.size != size:
        raise FleetError(
            f"{local} has {wanted.size} bytes, {size} were planned", next="the same command again"
        )
    part = Part(wanted, to, root, generation)
    async with AsyncExitStack() as stack:
        count = 0
        if lanes is not None:
            stack.push_async_callback(lanes.close)
            count = min(lanes.count(transport), len(wanted.chunks))
            if share is None:
                lanes.start(count)
        held = await watched(part.look(transport, progress.beat), progress, idle)
        if held is None:
            progress.start(size)
            return 0
        missing = [number for number in part.numbers if number not in held.right]
        progress.start(size - sum(part.length(number) for number in missing))
        streams = Streams(part, held, local, progress, idle, pace, step, slowest)
        if missing and share is not None:
            try:
                feeder = Feeder(streams, _ways(lanes, held, count, transport))
                stack.push_async_callback(feeder.close)
                await share(_sharing(part, held, feeder, progress))
                missing = []
            except PeerError:
                if lanes is not None:
                    lanes.start(count)
        if missing:
            await _send(streams, _ways(lanes, held, min(count, len(missing)), transport), missing)
    await part.publish(transport)
    progress.tell()
    return progress.sent


def _ways(lanes: Lanes | None, held: Held, count: int, transport: Transport) -> list[list[Lane]]:
    return [*(lanes.ways(count) if lanes is not None and held.is_exact else []), [transport]]


def _sharing(part: Part, held: Held, feeder: Feeder, progress: Progress) -> Sharing:
    return Sharing(part, held.right, feeder.send, progress.came, feeder.prefer, feeder.close)


async def _send(streams: Streams, ways: list[list[Lane]], missing: list[int]) -> None:
    """By the first way that is not refused before its first byte."""
    for way in ways[:-1]:
        try:
            await streams.send(way, missing)
            return
        except UnreachableError as error:
            if error.kind != REFUSED:
                raise
            missing = streams.left()
    await streams.send(ways[-1], missing)


__all__ = ["Held", "Lanes", "Manifest", "Part", "Share", "Sharing", "push"]
