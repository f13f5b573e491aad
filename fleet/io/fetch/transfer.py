"""The bytes of one file behind http, over as many connections as its size is worth."""

import asyncio
import collections
from collections.abc import Awaitable, Callable

import httpx

from fleet.core.errors import DeadlineError, FleetError, PlanError
from fleet.core.plan import seconds_text
from fleet.io.fetch import answers, spans
from fleet.io.fetch.answers import ANY, Want
from fleet.io.fetch.arrivals import Arrivals, Say
from fleet.io.fetch.part_file import PartFile, forget
from fleet.io.fetch.pieces import Busy, Changed, Piece

BREAKS = 5  # connections that may break over one piece, before that much of it came:
RENEWED = 16 << 20  # bytes
MOST_WAIT = 300  # seconds that a server may ask us to wait
WORTH = 64 << 20  # bytes that make one more connection worth its while
MOST = 8  # connections, unless a person wants more
GONE = (401, 403, 404, 410)  # what a link says that is no longer signed
BUSY = (429, 503)

Sleep = Callable[[float], Awaitable[None]]


class Transfer:
    """Fetches into a part file. What one connection learns, all know."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        url: str,
        part: PartFile,
        say: Say,
        *,
        idle: float,
        want: Want = ANY,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._client, self._url, self._part, self._say = client, url, part, say
        self._idle, self._want, self._sleep = idle, want, sleep
        self._at: str | None = None  # a link that works: where redirects led, or a signed one
        self._has_ranges = True
        self._arrivals = Arrivals(url, part, say, idle)
        self._active = self._changes = 0
        self._is_planned = False
        self._queue: collections.deque[Piece] = collections.deque()
        self._group: asyncio.TaskGroup | None = None

    async def run(self) -> None:
        """Raises as `download.download`, and OSError where the disk does."""
        while True:
            missing = self._part.missing()
            if missing == () and self._part.done:
                return
            start = missing[0][0] if missing else max((end for _, end in self._part.done), default=0)
            self._queue = collections.deque([Piece(start, None)])
            self._is_planned, self._active = False, 0
            try:
                await self._round()
                return
            except Changed as error:
                self._part.clear()
                self._at = None
                self._changes += 1
                self._has_ranges = self._changes < 2
                if self._changes >= BREAKS:
                    raise answers.broken(self._url, httpx.RemoteProtocolError(str(error))) from error
            finally:
                try:
                    self._part.save()
                finally:
                    self._part.close()
                if not self._part.done and self._part.size != 0:
                    forget(self._part.path)

    async def _round(self) -> None:
        try:
            async with asyncio.TaskGroup() as outer:
                watch = outer.create_task(self._arrivals.watch())
                async with asyncio.TaskGroup() as self._group:
                    self._group.create_task(self._work())
                watch.cancel()
        except BaseExceptionGroup as group:
            raise _first(group) from group

    async def _work(self) -> None:
        """One connection: piece after piece. Leaves where the server is busy and others are at work."""
        self._active += 1
        try:
            while self._queue:
                piece = self._queue.popleft()
                while piece.end is None or piece.start < piece.end:
                    try:
                        if await self._fetch(piece):
                            break
                    except Busy as busy:
                        if self._active > 1:
                            self._queue.append(piece)
                            return
                        if busy.wait is not None:
                            await self._wait(piece, busy.host, busy.wait)
                    except httpx.TransportError as error:
                        if isinstance(error, httpx.TimeoutException) and self._is_silent():
                            raise self._silent() from error
                        self._forgive(piece, error)
        finally:
            self._active -= 1

    async def _fetch(self, piece: Piece) -> bool:
        """Whether the file ended; else the piece says how far it came."""
        held, headers = self._at, {}
        url = held or (await self._want.link() if self._want.link else self._url)
        if self._want.key is not None and answers.same_origin(url, self._url):
            headers["Authorization"] = f"Bearer {self._want.key.reveal()}"
        if self._has_ranges:
            last = "" if piece.end is None else str(piece.end - 1)
            headers["Range"] = f"bytes={piece.start}-{last}"
            if self._part.validator:
                headers["If-Range"] = self._part.validator
        async with self._client.stream("GET", url, headers=headers) as response:
            if self._is_over(response, piece):
                return True
            if not self._is_answer(response, piece, held):
                return False
            start, stop = self._span(response, piece)
            if not self._is_planned:
                self._plan(response, piece, start, stop)
            await self._receive(response, piece, stop)
        if piece.end is None:
            self._part.size = piece.start
        return piece.end is None

    def _is_over(self, response: httpx.Response, piece: Piece) -> bool:
        """Whether nothing is left to be sent, as 416 says of a range that begins where the file ends."""
        if response.status_code != 416:
            return False
        if answers.range_total(response) != piece.start or self._is_planned:
            raise Changed("the server has another file now")
        self._part.begin(piece.start, self._part.validator)
        return True

    def _is_answer(self, response: httpx.Response, piece: Piece, held: str | None) -> bool:
        """Whether it brings bytes; False: the same question again. Raises for all else.

        Args:
            held: the link that was asked, if it worked before.
        """
        if response.status_code in GONE and held is not None:
            if self._at == held:
                self._at = None  # asked again, whoever sent us there signs a new link
            self._forgive(piece, httpx.RemoteProtocolError(f"the link answers {response.status_code}"))
            return False
        if response.status_code in BUSY:
            wait = answers.retry_after(response)
            if self._active > 1 or wait is not None:
                raise Busy(answers.host(self._url), wait)
        (self._want.check or answers.check)(self._url, response)
        if response.history or self._want.link is not None:
            self._at = str(response.url)
        return True

    def _span(self, response: httpx.Response, piece: Piece) -> tuple[int, int | None]:
        """First byte of the answer and the one after its last, which may be unknown."""
        length = answers.count(response.headers.get("content-length"))
        validator = answers.validator(response)
        if response.status_code != 206:
            if self._is_planned and (self._has_ranges or piece.start):
                raise Changed("the server sent all of it in place of a range")
            return 0, length
        start, total = answers.range_start(response), answers.range_total(response)
        is_other = validator and self._part.validator and validator != self._part.validator
        if is_other or (total is not None and self._part.size not in (None, total)):
            raise Changed("the server has another file now")
        end = answers.range_end(response)
        is_right = start == piece.start and end is not None and length in (None, end - start)
        if not is_right or not self._has_ranges:
            raise Changed("the server sent another range")
        return piece.start, end

    def _plan(self, response: httpx.Response, piece: Piece, start: int, stop: int | None) -> None:
        """The first answer says how large the file is, and so what the connections do."""
        size = (answers.range_total(response) or stop) if response.status_code == 206 else stop
        wanted = self._want.size
        if wanted is not None and size is not None and size != wanted:
            self._part.clear()
            raise PlanError(
                f"{answers.host(self._url)} has {size} bytes of it, it should have {wanted}",
                kind="wrong-size",
                next=f"curl -I {answers.shown(self._url)}",
            )
        if start != piece.start:
            self._part.clear()
            piece.start = 0
        self._is_planned = True
        self._part.begin(size, answers.validator(response))
        missing = self._part.missing()
        if missing is None:
            return
        connections = 1
        if response.status_code == 206:
            connections = self._want.connections or min(MOST, max(1, spans.count(missing) // WORTH))
        cut = spans.pieces(missing, connections)
        if not cut:
            piece.end = piece.start
            return
        piece.end = cut[0][1]
        self._queue.extend(Piece(*each) for each in cut[1:])
        for _ in range(min(connections, len(cut)) - 1):
            assert self._group is not None
            self._group.create_task(self._work())

    async def _receive(self, response: httpx.Response, piece: Piece, stop: int | None) -> None:
        has_more = piece.end is not None and (stop is None or stop > piece.end)
        # Asked for blocks of a size, httpx would lose the last one of a connection that breaks.
        async for data in response.aiter_raw():
            kept = data if piece.end is None else data[: piece.end - piece.start]
            if kept:
                self._part.write(piece.start, kept)
                piece.start += len(kept)
                self._arrivals.add(len(kept))
            if len(kept) < len(data) or (has_more and piece.start == piece.end):
                return  # leaving breaks the connection, which is right: more comes than was wanted
        if piece.end is not None and piece.start < piece.end and piece.start != stop:
            raise httpx.RemoteProtocolError("the connection ended early")

    def _forgive(self, piece: Piece, error: httpx.TransportError) -> None:
        """One broken connection more; raises when there were too many of them."""
        if piece.start - piece.broke_at >= RENEWED:
            piece.breaks = 0
        piece.broke_at = piece.start
        piece.breaks += 1
        is_final = isinstance(error, httpx.ConnectError) and not self._arrivals.came
        if isinstance(error, httpx.UnsupportedProtocol) or is_final or piece.breaks >= BREAKS:
            if isinstance(error, httpx.TimeoutException):
                raise self._silent() from error
            raise answers.broken(self._url, error) from error

    async def _wait(self, piece: Piece, host: str, seconds: int) -> None:
        self._forgive(piece, httpx.RemoteProtocolError(f"{host} is busy"))
        if seconds > MOST_WAIT:
            raise FleetError(
                f"{host} asks us to wait {seconds_text(seconds)}",
                kind="rate-limit",
                next=f"wait {seconds_text(seconds)}, then the same command again; it goes on",
            )
        self._say(f"{host} asks us to wait {seconds} s")
        with self._arrivals.waiting():
            await self._sleep(seconds)

    def _is_silent(self) -> bool:
        """Whether only one connection is at work, and no byte came over any for too long."""
        return self._active == 1 and self._arrivals.quiet() >= self._idle

    def _silent(self) -> DeadlineError:
        return DeadlineError(
            f"no answer from {answers.host(self._url)} for {self._idle:g} s",
            next="the same command again; it goes on",
        )


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """What went wrong first; the others followed from it."""
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
