"""The connection to one host: kept up, tried again, given out to whoever needs it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Literal, TypeAlias

from fleet.core.errors import DeadlineError, FleetError
from fleet.io import failures
from fleet.io.ports import Clock, Random, Transport
from fleet.io.process import within

State: TypeAlias = Literal["idle", "connecting", "up", "suspect", "down"]
OnLost: TypeAlias = Callable[[BaseException | None], None]
Dial: TypeAlias = Callable[[OnLost], Awaitable[Transport]]
OnChange: TypeAlias = Callable[["Link"], None]

FIRST, LONGEST = 1.0, 30.0  # seconds between attempts; doubled each time
FRESH = 5.0  # seconds for which a failed attempt answers for another
PROBE = 5.0  # seconds for a sign of life
AGAIN = 0.2  # seconds after which an attempt that did not stop is stopped again


class Link:
    """The supervised connection to one host.

    A network error is tried again with growing pauses; a refused key or a wrong host
    key is not, since each attempt would fail alike and may ban us.
    """

    def __init__(
        self, name: str, dial: Dial, *, clock: Clock, random: Random, on_change: OnChange | None = None
    ) -> None:
        self.name = name
        self.state: State = "idle"
        self.error: FleetError | None = None  # why it is not up
        self.since = clock.monotonic()  # of the state
        self._dial = dial
        self._clock = clock
        self._random = random
        self._on_change = on_change
        self._transport: Transport | None = None
        self.was_up = False
        self._keeper: asyncio.Task[None] | None = None
        self._lost: asyncio.Future[BaseException | None] | None = None
        self._changed = asyncio.Event()
        self._hurry = asyncio.Event()
        self._is_asked = asyncio.Event()

    async def get(self, deadline: float = 20.0) -> Transport:
        """The connection.

        Args:
            deadline: seconds to wait for a host that was there before. A host that
                never answered is reported as soon as an attempt has failed.

        Raises:
            UnreachableError: the last attempt's error.
        """
        try:
            async with within(deadline):
                return await self._up()
        except DeadlineError as error:
            raise (self.error or error) from error

    def retry(self) -> None:
        """Try at once, also where a person had to do something first."""
        self.error = None if self.state != "up" else self.error
        self._hurry.set()
        self._start()

    def suspect(self) -> None:
        """Ask for a sign of life now, and connect anew where none comes."""
        if self.state == "up":
            self._is_asked.set()

    async def close(self) -> None:
        keeper, self._keeper = self._keeper, None
        # Once is not enough: an attempt that fails at that very moment eats the cancellation
        # (asyncio.wait_for before Python 3.12), and the next attempt begins.
        while keeper and not keeper.done():
            keeper.cancel()
            await asyncio.wait({keeper}, timeout=AGAIN)
        transport, self._transport = self._transport, None
        if transport:
            await transport.close()
        self._become("idle")

    async def _up(self) -> Transport:
        is_stale = self._clock.monotonic() - self.since > FRESH
        if self.state == "down" and not self.was_up and (is_stale or self._keeper_is_done()):
            if self.error and self.error.kind in failures.FATAL:
                raise self.error
            self.error = None
            self._hurry.set()
        self._start()
        while True:
            if self._transport is not None and self.state == "up" and not self._is_lost():
                return self._transport
            if self.state == "down" and self.error and (not self.was_up or self.error.kind in failures.FATAL):
                raise self.error
            self._changed.clear()
            await self._changed.wait()

    def _is_lost(self) -> bool:
        # Known a moment before the keeper has noted it.
        return self._lost is not None and self._lost.done()

    def _keeper_is_done(self) -> bool:
        return self._keeper is None or self._keeper.done()

    def _start(self) -> None:
        if self._keeper_is_done() and not (self.error and self.error.kind in failures.FATAL):
            self._keeper = asyncio.create_task(self._keep(), name=f"link {self.name}")

    async def _keep(self) -> None:
        pause = FIRST
        while True:
            self._become("connecting")
            lost: asyncio.Future[BaseException | None] = asyncio.get_running_loop().create_future()
            self._lost = lost
            try:
                transport = await self._dial(lambda reason, lost=lost: _tell(lost, reason))  # type: ignore[misc]
            except FleetError as error:
                self._become("down", error)
                if error.kind in failures.FATAL:
                    return
                await self._rest(pause * self._random.uniform(0.5, 1.0))
                pause = min(LONGEST, pause * 2)
                continue
            pause = FIRST
            self._transport, self.was_up = transport, True
            self._become("up")
            reason = await self._watch(transport, lost)
            self._transport = None
            self._become("down", failures.lost(reason).at(self.name))

    async def _watch(
        self, transport: Transport, lost: "asyncio.Future[BaseException | None]"
    ) -> BaseException | None:
        while True:
            self._is_asked.clear()
            asked = asyncio.ensure_future(self._is_asked.wait())
            try:
                waiting: set[asyncio.Future[Any]] = {asked, lost}
                await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            finally:
                asked.cancel()
            if lost.done():
                return lost.result()
            self._become("suspect")
            try:
                await transport.run(":", deadline=PROBE)
            except FleetError as error:
                _abort(transport)
                return error
            self._become("up")

    async def _rest(self, seconds: float) -> None:
        self._hurry.clear()
        hurry = asyncio.ensure_future(self._hurry.wait())
        sleep = asyncio.ensure_future(self._clock.sleep(seconds))
        try:
            await asyncio.wait({hurry, sleep}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            hurry.cancel()
            sleep.cancel()

    def _become(self, state: State, error: FleetError | None = None) -> None:
        self.state, self.since = state, self._clock.monotonic()
        if error or state == "up":
            self.error = error
        self._changed.set()
        if self._on_change:
            self._on_change(self)


def _tell(lost: "asyncio.Future[BaseException | None]", reason: BaseException | None) -> None:
    if not lost.done():
        lost.set_result(reason)


def _abort(transport: Transport) -> None:
    abort = getattr(transport, "abort", None)
    if abort:
        abort()
