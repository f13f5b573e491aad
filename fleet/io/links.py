"""One connection per host, kept up, given out to whoever needs it."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from fleet.core.errors import DeadlineError, FleetError, InventoryError
from fleet.io import failures
from fleet.io.clock import SystemClock, SystemRandom
from fleet.io.ports import Clock, Folders, Random, Transport
from fleet.io.process import within

if TYPE_CHECKING:
    from fleet.core.inventory import Host

State: TypeAlias = Literal["idle", "connecting", "up", "suspect", "down"]
OnLost: TypeAlias = Callable[[BaseException | None], None]
Dial: TypeAlias = Callable[[OnLost], Awaitable[Transport]]
OnChange: TypeAlias = Callable[["Link"], None]

FIRST, LONGEST = 1.0, 30.0  # seconds between attempts; doubled each time
FRESH = 5.0  # seconds for which a failed attempt answers for another
TICK = 2.0  # seconds between looks at the two clocks
JUMP = 5.0  # seconds by which they must differ: the machine slept
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


class Links:
    """The links of a run, made as they are asked for.

    Args:
        dial: connects to a host by its name.
        on_change: told of each change of a link's state.
    """

    def __init__(
        self,
        dial: Callable[[str, OnLost], Awaitable[Transport]],
        *,
        clock: Clock,
        random: Random,
        on_change: OnChange | None = None,
    ) -> None:
        self._dial = dial
        self._clock = clock
        self._random = random
        self._on_change = on_change
        self._links: dict[str, Link] = {}
        self._ticker: asyncio.Task[None] | None = None

    def link(self, name: str) -> Link:
        if name not in self._links:
            self._links[name] = Link(
                name,
                lambda on_lost: self._dial(name, on_lost),
                clock=self._clock,
                random=self._random,
                on_change=self._on_change,
            )
        return self._links[name]

    async def get(self, name: str, *, deadline: float = 20.0) -> Transport:
        if self._ticker is None:
            self._ticker = asyncio.create_task(self._tick(), name="links")
        return await self.link(name).get(deadline)

    async def close(self) -> None:
        if self._ticker:
            self._ticker.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._ticker
            self._ticker = None
        await asyncio.gather(*(link.close() for link in self._links.values()))

    async def _tick(self) -> None:
        """Timers stop while this machine sleeps; the wall clock does not."""
        apart = self._clock.now() - self._clock.monotonic()
        while True:
            await self._clock.sleep(TICK)
            before, apart = apart, self._clock.now() - self._clock.monotonic()
            if abs(apart - before) > JUMP:
                for link in self._links.values():
                    link.suspect()


def links(
    hosts: "Mapping[str, Host]",
    folders: Folders,
    *,
    clock: Clock | None = None,
    random: Random | None = None,
    on_change: OnChange | None = None,
    ssh_config: Path | None = None,
) -> Links:
    """The links to the hosts of an inventory, over SSH or local as each says."""
    from fleet.io.local import LocalTransport
    from fleet.io.ssh import transport as ssh
    from fleet.io.ssh.gate import Gate
    from fleet.io.ssh.pins import Pins

    clock, random = clock or SystemClock(), random or SystemRandom()
    pins, gate = Pins(folders.state, clock), Gate()

    async def dial(name: str, on_lost: OnLost) -> Transport:
        host = hosts.get(name)
        if host is None:
            raise InventoryError(f"no host called {name!r}", next=f"fleet host add {name} ADDRESS")
        if host.transport == "local":
            return LocalTransport(name, random)
        return await ssh.connect(
            name,
            host,
            pins=pins,
            clock=clock,
            on_lost=on_lost,
            random=random,
            gate=gate,
            ssh_config=ssh_config,
        )

    return Links(dial, clock=clock, random=random, on_change=on_change)


def _tell(lost: "asyncio.Future[BaseException | None]", reason: BaseException | None) -> None:
    if not lost.done():
        lost.set_result(reason)


def _abort(transport: Transport) -> None:
    abort = getattr(transport, "abort", None)
    if abort:
        abort()
