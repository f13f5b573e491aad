"""Watches hosts for as long as somebody looks: one long channel each, and their servers' own numbers."""

import asyncio
import contextlib
import math
from collections.abc import Callable
from dataclasses import dataclass, field

from fleet.core.errors import FleetError, StepError
from fleet.core.events import Event, HostFailed, LinkLost, Sampled, ServerSampled
from fleet.core.text import safe_line
from fleet.io.crash import bug
from fleet.io.ports import Transport
from fleet.io.servers.servers import Servers
from fleet.io.shelltext import placed
from fleet.io.world import World
from fleet.watch.loop import loop_program, read_line
from fleet.watch.progress import STILL

WATCHED = 1.0  # seconds between two looks at a server while somebody looks at it
UNWATCHED = 5.0
TRUTH = 30.0  # seconds between probes: what runs, what was restarted, what is held
AGAIN = (1.0, 15.0)  # seconds between attempts at a host that does not answer: first, longest
BACK = 10.0  # seconds to wait for a lost host before it is said why it does not come back
FIRST = 60.0  # seconds to wait for a first answer; most of it in the queue of many hosts
SILENCE = 5.0  # seconds without a line after which the host is asked for a sign of life
LOST = 8.0  # seconds without one after which the link is called lost; it may yet come back
STUCK = 15.0  # seconds after which the loop of a host that lives is started anew
MOST = 100  # lines a second
NOWHERE = "/fleet-asks-for-a-sign-of-life"  # no socket: sshd refuses it, and starts no process for that
KEPT = 1.0  # seconds of samples that are written to the journal together
THINNED = 15.0  # seconds between the samples of one thing that the journal keeps


@dataclass(slots=True)
class Collector:
    """All hosts of an inventory.

    Args:
        tell: gets every event; it must be quick.
        is_watched: whether a person looks at the host now (1 Hz) or not (0.2 Hz).
        still: seconds without progress after which a server that computes nothing is wedged.
    """

    world: World
    tell: Callable[[Event], None]
    is_watched: Callable[[str], bool] = lambda host: True
    still: float = STILL
    _samples: list[Event] = field(default_factory=list)
    _kept: dict[tuple[str | None, str], float] = field(default_factory=dict)  # last kept, by host and server
    _fresh: dict[str, asyncio.Event] = field(default_factory=dict)
    _cards: dict[str, float | None] = field(default_factory=dict)  # busy share of each host's GPUs
    _failures: dict[str, tuple[str, ...]] = field(default_factory=dict)  # as told last

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keep())
            for host in self.world.inventory.hosts:
                self._fresh[host] = asyncio.Event()
                group.create_task(self._host(host))

    def look_again(self, host: str) -> None:
        """Something was changed there, or a person asks: look at it now, whatever failed before."""
        if host in self._fresh:
            self._fresh[host].set()
            link = self.world.links.link(host)
            if link.state == "down":
                link.retry()

    def _say(self, event: Event) -> None:
        self.tell(event)
        if isinstance(event, Sampled | ServerSampled):
            what = event.host, event.server if isinstance(event, ServerSampled) else ""
            if event.ts - self._kept.get(what, 0.0) < THINNED:
                return
            self._kept[what] = event.ts
        elif not event.is_kept:
            return
        self._samples.append(event)

    async def _keep(self) -> None:
        """Samples into the journal, a second's worth at a time."""
        try:
            while True:
                await self.world.clock.sleep(KEPT)
                self._write()
        finally:
            self._write()

    def _write(self) -> None:
        batch, self._samples = self._samples, []
        if batch:
            # SQLite objects stay in this thread; one transaction of 600 rows takes 3 ms.
            with contextlib.suppress(FleetError):
                self.world.journal.write_all(batch)

    async def _host(self, host: str) -> None:
        pause = AGAIN[0]
        while True:
            started = self.world.clock.monotonic()
            try:
                await self._watch(host)
            except FleetError as error:
                self._failed(host, error)
            except Exception as error:  # noqa: BLE001 as in the engine: a mistake of ours stays with its host
                self._failed(host, bug(error, host, self.world.folders.state))
            if self.world.clock.monotonic() - started > 2 * AGAIN[1]:
                pause = AGAIN[0]
            await self._rest(host, pause * self.world.random.uniform(0.8, 1.2))
            pause = min(pause * 2, AGAIN[1])

    async def _rest(self, host: str, seconds: float) -> None:
        """Until a person asks for the host, or so long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._fresh[host].wait()

    async def _watch(self, host: str) -> None:
        """One connection's life: the host's loop and its servers, until either ends."""
        self._fresh[host].clear()
        was_up = self.world.links.link(host).was_up
        transport = await self.world.transport(host, deadline=BACK if was_up else FIRST)
        facts = await self.world.probe(host, is_routine=host not in self._failures)
        self._failures.pop(host, None)
        servers = Servers(
            self.world, host, facts, transport, self._say, lambda: self._cards.get(host), self.still
        )
        tasks = [
            asyncio.create_task(self._loop(host, transport)),
            asyncio.create_task(self._look(host, servers)),
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await servers.close()
        for task in done:
            task.result()

    async def _look(self, host: str, servers: Servers) -> None:
        """Ask the servers, and the host itself now and then."""
        fresh = self._fresh[host]
        probed = self.world.clock.monotonic()
        while True:
            is_fine = await servers.look()
            await self._rest(host, WATCHED if self.is_watched(host) else UNWATCHED)
            age = self.world.clock.monotonic() - probed
            if fresh.is_set() or age > TRUTH or (not is_fine and age > UNWATCHED):
                fresh.clear()
                await servers.probed(await self.world.probe(host, is_routine=True))
                probed = self.world.clock.monotonic()

    async def _loop(self, host: str, transport: Transport) -> None:
        """The host's own lines, until they end or it is silent for too long."""
        clock = self.world.clock
        heard = second = clock.monotonic()
        count = 0

        def line(raw: bytes) -> None:
            nonlocal heard, second, count
            heard = clock.monotonic()
            if heard - second >= 1:
                second, count = heard, 0
            count += 1
            if count > MOST:
                raise StepError(f"it says more than {MOST} lines a second", kind="too-much-output")
            event = read_line(raw, self.world.stamp(host))
            if event is None:
                return
            if isinstance(event, Sampled):
                self._cards[host] = event.gpu_load
            self._say(event)

        script = placed(loop_program(), self.world.root(host))
        running = asyncio.create_task(transport.run(script, deadline=math.inf, on_line=line))
        is_lost = False
        try:
            while not running.done():
                quiet = clock.monotonic() - heard
                await asyncio.wait({running}, timeout=max(SILENCE - quiet, 1.0))
                quiet = clock.monotonic() - heard
                if running.done() or quiet < SILENCE:
                    is_lost = False
                elif await _lives(transport):
                    if quiet > STUCK:
                        return
                elif clock.monotonic() - heard >= LOST and not is_lost:
                    is_lost = True
                    self._say(LinkLost(**self.world.stamp(host), message="it does not answer any more"))
        finally:
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError, FleetError):
                await running
        answer = await running
        said = safe_line(answer.err[-500:], 300) or "nothing"
        raise StepError(
            f"its loop ended with exit status {answer.status} and said {said}",
            host=host,
            kind="loop",
            next=f"fleet doctor {host}",
        )

    def _failed(self, host: str, error: FleetError) -> None:
        """Say so, once for each reason."""
        failure = error.kind, error.message, str(error.next)
        if self._failures.get(host) == failure:
            return
        self._failures[host] = failure
        self._say(
            HostFailed(**self.world.stamp(host), kind=error.kind, message=error.message, next=error.next)
        )


async def _lives(transport: Transport) -> bool:
    """Whether the host answers at all, however busy it is."""
    try:
        stream = await transport.open(NOWHERE, deadline=SILENCE - 1)
    except StepError:
        return True
    except FleetError:
        return False
    await stream.close()
    return True
