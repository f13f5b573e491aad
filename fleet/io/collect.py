"""Watches hosts for as long as somebody looks: one long channel each, and their servers' own numbers."""

import asyncio
import contextlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from fleet.core.errors import FleetError
from fleet.core.events import Event, HostFailed, ServerSampled
from fleet.core.facts import Facts, Instance, Live, Slot
from fleet.io.poll import Poller
from fleet.io.ports import Transport
from fleet.io.shelltext import placed
from fleet.io.world import World
from fleet.servers.slots import generation_rate, is_sleeping, parse_slots, prompt_rate
from fleet.watch.loop import loop_program, read_line
from fleet.watch.states import server_state

WATCHED = 1.0  # seconds between two looks at a server while somebody looks at it
UNWATCHED = 5.0
TRUTH = 30.0  # seconds between probes: what runs, what was restarted, what is held
SILENCE = 5.0  # seconds without a line of the host's loop after which its channel is made anew
AGAIN = (1.0, 15.0)  # seconds between attempts at a host that does not answer: first, longest
KEPT = 1.0  # seconds of samples that are written to the journal together


@dataclass(slots=True)
class Collector:
    """All hosts of an inventory.

    Args:
        tell: gets every event; it must be quick.
        is_watched: whether a person looks at the host now (1 Hz) or not (0.2 Hz).
    """

    world: World
    tell: Callable[[Event], None]
    is_watched: Callable[[str], bool] = lambda host: True
    _samples: list[Event] = field(default_factory=list)
    _fresh: dict[str, asyncio.Event] = field(default_factory=dict)

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keep())
            for host in self.world.inventory.hosts:
                self._fresh[host] = asyncio.Event()
                group.create_task(self._host(host))

    def look_again(self, host: str) -> None:
        """Something was changed there: probe it now."""
        if host in self._fresh:
            self._fresh[host].set()

    def _say(self, event: Event) -> None:
        self._samples.append(event)
        self.tell(event)

    async def _keep(self) -> None:
        """Samples into the journal, a second's worth at a time, off the event loop's back."""
        while True:
            await self.world.clock.sleep(KEPT)
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
            if self.world.clock.monotonic() - started > 2 * AGAIN[1]:
                pause = AGAIN[0]
            await self.world.clock.sleep(pause * self.world.random.uniform(0.8, 1.2))
            pause = min(pause * 2, AGAIN[1])

    async def _watch(self, host: str) -> None:
        """One connection's life: the host's loop and its servers, until either ends."""
        facts = await self.world.probe(host)
        transport = await self.world.transport(host)
        servers = _Servers(self, host, facts, transport)
        tasks = [
            asyncio.create_task(self._loop(host, transport)),
            asyncio.create_task(servers.run(self._fresh[host])),
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

    async def _loop(self, host: str, transport: Transport) -> None:
        heard = self.world.clock.monotonic()

        def line(raw: bytes) -> None:
            nonlocal heard
            heard = self.world.clock.monotonic()
            event = read_line(raw, self.world.stamp(host))
            if event is not None:
                self._say(event)

        script = placed(loop_program(), self.world.root(host))
        running = asyncio.create_task(transport.run(script, deadline=math.inf, on_line=line))
        try:
            while not running.done():
                await asyncio.wait({running}, timeout=SILENCE)
                if not running.done() and self.world.clock.monotonic() - heard > 2 * SILENCE:
                    return
        finally:
            running.cancel()
            with contextlib.suppress(asyncio.CancelledError, FleetError):
                await running

    def _failed(self, host: str, error: FleetError) -> None:
        document = error.document()
        self.tell(
            HostFailed(
                **self.world.stamp(host),
                kind=error.kind,
                message=str(document["message"]),
                next=error.next,
            )
        )


class _Servers:
    """The servers of one host, asked over kept-alive channels."""

    def __init__(self, collector: Collector, host: str, facts: Facts, transport: Transport) -> None:
        self.collector = collector
        self.world = collector.world
        self.host = host
        self.facts = facts
        self.transport = transport
        self.wanted: Mapping[str, object] = self.world.inventory.servers_on(host)
        self.pollers: dict[str, Poller] = {}
        self.before: dict[str, tuple[float, tuple[Slot, ...]]] = {}

    async def run(self, fresh: asyncio.Event) -> None:
        probed = self.world.clock.monotonic()
        while True:
            fine = True
            for instance in self.facts.instances:
                fine = await self._one(instance) and fine
            every = WATCHED if self.collector.is_watched(self.host) else UNWATCHED
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(every):
                    await fresh.wait()
            age = self.world.clock.monotonic() - probed
            if fresh.is_set() or age > TRUTH or (not fine and age > UNWATCHED):
                fresh.clear()
                self.facts = await self.world.probe(self.host)
                self.wanted = self.world.inventory.servers_on(self.host)
                probed = self.world.clock.monotonic()

    async def close(self) -> None:
        for poller in self.pollers.values():
            await poller.close()

    async def _one(self, instance: Instance) -> bool:
        """Tell how it does. Returns whether it is as it was when the host was probed."""
        live = await self._ask(instance) if instance.state == "running" and instance.listen else None
        state, reason = server_state(instance, live, instance.server in self.wanted, self.facts.boot_id)
        slots = live.slots if live is not None else None
        self.collector._say(
            ServerSampled(
                **self.world.stamp(self.host),
                server=instance.server,
                state=state,
                model=instance.model,
                backend=instance.backend,
                listen=instance.listen,
                slots_busy=None if slots is None else sum(slot.is_processing for slot in slots),
                slots_total=None if slots is None else len(slots),
                deferred=live.deferred if live is not None else None,
                held=_sum(slots, "held"),
                context=_sum(slots, "context"),
                generation_tps=live.generation_tps if live is not None else None,
                prompt_tps=live.prompt_tps if live is not None else None,
                since=instance.since,
                restarts=instance.restarts,
                reason=reason,
            )
        )
        return instance.state in ("stopped", "failed") or (
            live is not None and live.health in ("ready", "sleeping")
        )

    async def _ask(self, instance: Instance) -> Live:
        name = instance.server
        try:
            poller = await self._poller(instance)
            if not await self._may_ask(poller, name):
                self.before.pop(name, None)
                return Live(name, "sleeping", None, None, None, None, self.world.clock.now(), None)
            status, body = await poller.get("/slots")
            if status == 503:
                return Live(name, "loading", None, None, None, None, self.world.clock.now(), None)
            if status == 401:
                self.world.keys.pop((self.host, name), None)
                self.pollers.pop(name, None)
            if status != 200:
                reason = f"GET /slots answered {status}"
                return Live(name, "silent", None, None, None, None, self.world.clock.now(), reason)
            slots = parse_slots(body)
        except FleetError as error:
            if error.kind == "link-lost":
                raise
            self.before.pop(name, None)
            return Live(name, "silent", None, None, None, None, self.world.clock.now(), error.what)
        now = self.world.clock.monotonic()
        at, before = self.before.get(name, (now, slots))
        self.before[name] = (now, slots)
        seconds = now - at
        return Live(
            server=name,
            health="ready",
            slots=slots,
            deferred=None,
            generation_tps=generation_rate(before, slots, seconds) if seconds > 0 else None,
            prompt_tps=prompt_rate(before, slots, seconds) if seconds > 0 else None,
            at=self.world.clock.now(),
            reason=None,
        )

    async def _may_ask(self, poller: Poller, name: str) -> bool:
        """Whether /slots does no harm: it wakes a server that sleeps, and only some may sleep."""
        server = self.world.inventory.servers.get(name)
        if server is not None and "sleep-idle-seconds" not in server.args:
            return True
        status, body = await poller.get("/props")
        return status != 200 or not is_sleeping(body)

    async def _poller(self, instance: Instance) -> Poller:
        name = instance.server
        if name not in self.pollers:
            key = await self.world.key(self.host, name)
            self.pollers[name] = Poller(self.transport, str(instance.listen), key=key)
        return self.pollers[name]


def _sum(slots: tuple[Slot, ...] | None, field_: str) -> int | None:
    if not slots:
        return None
    values = [getattr(slot, field_) for slot in slots]
    known = [value for value in values if value is not None]
    return sum(known) if known else None
