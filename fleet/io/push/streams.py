"""The chunks a host lacks, over as many streams as there are ways to it; wrong ones again."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

from fleet.core.errors import DeadlineError, FleetError, StepError, UnreachableError
from fleet.core.shell import quote
from fleet.io.ports import Answer, Chunks
from fleet.io.push.manifest import stamp
from fleet.io.push.part import Held, Part
from fleet.io.push.progress import Progress

READ = 1 << 20  # bytes handed over at a time
# 256 KiB a write was fastest with asyncssh (32 KiB 133 MB/s, 256 KiB 170, 1 MiB 145); dd on
# the host gathers them into blocks of 1 MiB.
WRITE = 256 << 10
SENDS = 3  # of one chunk; what arrives wrong so often arrives wrong for ever
SLOWEST = 50_000  # bytes/s that a deadline allows for
REFUSED = "refused"  # kind of an error after which another way may do

Value = TypeVar("Value")
Pace = Callable[[int], Awaitable[None]]  # waits until so many bytes may go


class Lane(Protocol):
    """A way to a host: a Transport, or a connection of its own that takes spans of a file.

    With `takes_spans` the chunks hold Spans beside bytes, and `accepted` returns once the host
    listens; both are looked for by name, so that every Transport is a Lane.
    """

    async def feed(
        self,
        line: str,
        chunks: Chunks,
        *,
        deadline: float,
        on_line: Callable[[bytes], None] | None = None,
    ) -> Answer: ...


@dataclass(frozen=True, slots=True)
class Span:
    """Bytes of an open file, for a way that needs no copy of them."""

    file: int  # descriptor
    start: int
    length: int
    name: str  # of the file, for people


@dataclass(slots=True)
class Streams:
    """The chunks of one file to one host."""

    part: Part
    held: Held
    local: Path
    progress: Progress
    idle: float  # seconds without a byte before it fails
    pace: Pace | None = None
    step: int = READ  # bytes
    slowest: float = SLOWEST  # bytes/s
    _queue: deque[int] = field(default_factory=deque)
    _sends: dict[int, int] = field(default_factory=dict)
    _counted: dict[int, int] = field(default_factory=dict)  # bytes of each chunk that progress knows

    async def send(self, lanes: Sequence[Lane], missing: Iterable[int]) -> None:
        """Every chunk arrived, and was found right while it was written.

        A lane that is refused leaves its chunks to the others.

        Raises:
            UnreachableError: a link was lost, or every lane was refused (of kind "refused").
            StepError: the host cannot take them, or a chunk arrived wrong again and again.
            DeadlineError: nothing moved for `idle` seconds.
            FleetError: the file here is gone or is another one.
        """
        self._queue = deque(missing)
        turns = [asyncio.Lock() for _ in lanes]
        # Where a stream carries one chunk, the next one is opened while it is sent.
        width = 1 if self.held.is_exact else 2
        workers = [
            self._work(lane, turn) for lane, turn in zip(lanes, turns, strict=True) for _ in range(width)
        ]
        refused = await watched(_all(workers), self.progress, self.idle)
        if self._queue:
            raise refused or StepError("chunks are left", next="the same command again")

    def left(self) -> list[int]:
        """Chunks that were not sent, after `send` was refused."""
        return list(self._queue)

    async def _work(self, lane: Lane, turn: asyncio.Lock) -> UnreachableError | None:
        while self._queue:
            taken: list[int] = []
            pieces = self._pieces(lane, turn, taken)
            length = self.part.wanted.chunk * len(self._queue)
            deadline = self.idle + 60 + length / self.slowest
            try:
                answer = await lane.feed(self.part.receiver(self.held), pieces, deadline=deadline)
            except UnreachableError as error:
                if error.kind != REFUSED:
                    raise
                self._queue.extendleft(reversed(taken))
                return error
            finally:
                await pieces.aclose()
            self.part.check(answer)
            self._judge(taken, self.part.right(answer.out))
        return None

    def _judge(self, taken: Sequence[int], right: frozenset[int]) -> None:
        """What arrived wrong goes to the end of the queue, so often and no more."""
        for number in taken:
            if number not in right:
                self.wrong(number)
                self._queue.append(number)

    def wrong(self, number: int) -> None:
        """It arrived as other bytes. Raises StepError where that happens again and again."""
        self.lost(number)
        self._sends[number] = self._sends.get(number, 0) + 1
        if self._sends[number] >= SENDS:
            raise StepError(
                f"chunk {number} arrived as other bytes than were sent, {SENDS} times; the rest is kept",
                next="look at the disk and the memory of that machine, then the same command again",
            )

    def lost(self, number: int) -> None:
        """What was sent of the chunk is not there."""
        self.progress.lost(self._counted.pop(number, 0))

    async def _pieces(self, lane: Lane, turn: asyncio.Lock, taken: list[int]) -> AsyncGenerator[Any, None]:
        """Chunks of the queue, each behind its header; one where the host cannot tell them apart."""
        accepted = getattr(lane, "accepted", None)
        if accepted is not None:
            await accepted()
        async with turn, opened(self.local) as file:
            while self._queue and not (taken and not self.held.is_exact):
                number = self._queue.popleft()
                taken.append(number)
                async for piece in self.chunk(lane, file, number):
                    yield piece

    async def chunk(self, lane: Lane, file: Any, number: int) -> AsyncGenerator[bytes | Span, None]:
        """A chunk of the open file behind its header, at the pace that is allowed, in what the lane takes."""
        yield self.part.header(number)
        start = number * self.part.wanted.chunk
        try:
            is_same = stamp(self.local) == self.part.wanted.stamp
        except OSError as error:
            raise unreadable(self.local, error) from error
        if not is_same:
            raise FleetError(f"{self.local} was changed while it was sent", next="the same command again")
        end = start + self.part.length(number)
        self._counted[number] = 0
        while start < end:
            length = min(self.step, end - start)
            async for piece in self._read(lane, file, start, length):
                yield piece
            start += length
            self._counted[number] += length

    async def _read(
        self, lane: Lane, file: Any, start: int, length: int
    ) -> AsyncGenerator[bytes | Span, None]:
        """A step, in what the lane takes."""
        if self.pace is not None:
            await self.pace(length)
            self.progress.beat()
        if getattr(lane, "takes_spans", False):
            yield Span(file.fileno(), start, length, str(self.local))
            self.progress.add(length)
            return
        data = await asyncio.to_thread(_at, file, start, length)
        if len(data) < length:
            raise shortened(str(self.local))
        for at in range(0, length, WRITE):
            piece = data[at : at + WRITE]
            yield piece
            self.progress.add(len(piece))


def _at(file: Any, start: int, length: int) -> bytes:
    file.seek(start)
    data: bytes = file.read(length)
    return data


def unreadable(local: Path, error: OSError) -> FleetError:
    return FleetError(f"cannot read {local}: {error.strerror}", next=f"ls -l {quote(str(local))}")


def shortened(name: str) -> FleetError:
    return FleetError(f"{name} became shorter while it was sent", next="the same command again")


@asynccontextmanager
async def opened(local: Path) -> AsyncGenerator[Any, None]:
    """The file; gone is one sentence."""
    try:
        file = await asyncio.to_thread(open, local, "rb", 0)
    except OSError as error:
        raise unreadable(local, error) from error
    try:
        yield file
    finally:
        file.close()


async def _all(works: Iterable[Coroutine[Any, Any, Value]]) -> Any:
    """The last result that is not None, once all are done; the first error ends the others."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION) if tasks else None
        failed = [task for task in tasks if task.done() and not task.cancelled() and task.exception()]
        for task in failed:
            task.result()
        return next((result for task in tasks if (result := task.result()) is not None), None)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def watched(work: Coroutine[Any, Any, Value], progress: Progress, idle: float) -> Value:
    """The result of work that moves bytes, unless it stops moving them."""
    task = asyncio.ensure_future(work)
    progress.beat()
    try:
        while not task.done():
            await asyncio.wait({task}, timeout=min(5.0, idle))
            if not task.done() and progress.quiet() > idle:
                raise DeadlineError(
                    f"no byte moved for {idle:g} s; what arrived is kept", next="the same command again"
                )
        return task.result()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
