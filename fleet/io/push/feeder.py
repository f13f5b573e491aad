"""Chunks to one host when somebody asks for them, over streams that stay open, each answered by itself."""

import asyncio
import math
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Any

from fleet.core.errors import FleetError, UnreachableError
from fleet.io.push.streams import REFUSED, Lane, Streams, opened, watched

ANSWER = 3  # lines for each chunk: its number, whether it was written, its hash


class Feeder:
    """A push whose order others decide.

    Args:
        ways: lanes by kind, the best first; the next kind is tried where one is refused.
    """

    def __init__(self, streams: Streams, ways: Sequence[Sequence[Lane]]) -> None:
        self._streams = streams
        self._ways = list(ways)
        self._queue: asyncio.Queue[int] = asyncio.Queue()
        self._waiting: dict[int, asyncio.Future[bool]] = {}  # whether it arrived right
        self._running: asyncio.Task[None] | None = None

    def prefer(self, make: Callable[[], Lane]) -> None:
        """One such lane for each lane of the kind that was the best so far; they are tried first."""
        self._ways.insert(0, [make() for _ in self._ways[0]])

    async def send(self, number: int) -> None:
        """The chunk is on the host and right.

        Raises: as `Streams.send`.
        """
        while not await self._once(number):
            self._streams.wrong(number)

    async def close(self) -> None:
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)

    async def _once(self, number: int) -> bool:
        waiting = self._waiting.get(number)
        if waiting is None:
            waiting = self._waiting[number] = asyncio.get_running_loop().create_future()
            self._queue.put_nowait(number)
            if self._running is None or self._running.done():
                self._running = asyncio.create_task(self._run(), name="feeder")
        return await watched(_answer(waiting), self._streams.progress, self._streams.idle)

    async def _run(self) -> None:
        """Until it is closed, or a stream ends."""
        try:
            while not await self._by(self._ways[0]):
                self._ways.pop(0)
        except FleetError as error:
            self._fail(error)
        except asyncio.CancelledError:
            self._fail(FleetError("it was cancelled", next="the same command again"))
            raise

    async def _by(self, lanes: Sequence[Lane]) -> bool:
        """False: refused, and there is another way."""
        tasks = [asyncio.ensure_future(self._feed(lane)) for lane in lanes]
        try:
            ended, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in ended:
                task.result()
        except UnreachableError as error:
            if error.kind != REFUSED or len(self._ways) == 1:
                raise
            return False
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        raise UnreachableError("the host ended the stream", kind="link-lost", next="the same command again")

    async def _feed(self, lane: Lane) -> None:
        """Until the host ends it; where a stream carries one chunk, one after another."""
        await self._stream(lane)
        while not self._streams.held.is_exact:
            await self._stream(lane)

    async def _stream(self, lane: Lane) -> None:
        part, held = self._streams.part, self._streams.held
        taken: list[int] = []
        said: list[bytes] = []

        def take(line: bytes) -> None:
            said.append(line)
            self._streams.progress.beat()
            if len(said) == ANSWER:
                if taken:
                    number = taken.pop(0)
                    self._settle(number, number in part.right(b"\n".join(said)))
                said.clear()

        pieces = self._pieces(lane, taken)
        try:
            answer = await lane.feed(part.receiver(held), pieces, deadline=math.inf, on_line=take)
        finally:
            await pieces.aclose()
            for number in taken:  # another way may bring them
                self._streams.lost(number)
                self._queue.put_nowait(number)
        part.check(answer)

    async def _pieces(self, lane: Lane, taken: list[int]) -> AsyncGenerator[Any, None]:
        accepted = getattr(lane, "accepted", None)
        if accepted is not None:
            await accepted()
        async with opened(self._streams.local) as file:
            while True:
                number = await self._queue.get()
                taken.append(number)
                async for piece in self._streams.chunk(lane, file, number):
                    yield piece
                if not self._streams.held.is_exact:
                    return

    def _settle(self, number: int, is_right: bool) -> None:
        waiting = self._waiting.pop(number, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(is_right)

    def _fail(self, error: FleetError) -> None:
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(error)
                waiting.exception()  # looked at, where nobody waits any more
        self._waiting.clear()
        self._queue = asyncio.Queue()


async def _answer(waiting: "asyncio.Future[bool]") -> bool:
    return await asyncio.shield(waiting)  # others may wait for the same chunk
