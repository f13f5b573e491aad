"""The servers of one host, asked again and again over kept-alive channels."""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass

from fleet.core.errors import DeadlineError, FleetError, StepError
from fleet.core.events import ServerSampled
from fleet.core.facts import Facts, Instance, Live, Slot
from fleet.core.text import safe_text
from fleet.io.ports import Transport
from fleet.io.servers.poll import Poller
from fleet.io.shelltext import placed
from fleet.io.world import World
from fleet.platforms.base import program
from fleet.servers.metrics import deferred, processing
from fleet.servers.slots import generation_rate, parse_slots, prompt_rate, props
from fleet.watch.progress import CPU, STILL, Progress, cpu_seconds
from fleet.watch.states import server_state

ANSWER = 5.0  # seconds for an answer
QUEUE = 5  # looks at a full server from one question for its queue to the next
REFUSED = 30.0  # seconds until a key that was refused or not found is read again
PLACE = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[^/\s:\[\]]+):(?!0)[0-9]{1,5}")


@dataclass(slots=True)
class Asked:
    """One process of a server, and what it said before."""

    poller: Poller
    progress: Progress
    at: float = 0.0  # monotonic seconds of the last answer
    slots: tuple[Slot, ...] | None = None
    full: int = 0  # looks in a row at which every slot was busy
    deferred: int | None = None
    has_metrics: bool = True


class Servers:
    """Asks them once each time that `look` is called.

    Args:
        tell: gets what is found.
        gpu: share of the host's GPUs that is busy, as its loop said last.
        still: seconds without progress after which one that computes nothing is wedged.
    """

    def __init__(
        self,
        world: World,
        host: str,
        facts: Facts,
        transport: Transport,
        tell: Callable[[ServerSampled], None],
        gpu: Callable[[], float | None] = lambda: None,
        still: float = STILL,
    ) -> None:
        self.world = world
        self.host = host
        self.facts = facts
        self.transport = transport
        self.tell = tell
        self.gpu = gpu
        self.still = still
        self._asked: dict[tuple[str, str | None, int | None], Asked] = {}
        self._refused: dict[str, tuple[float, str]] = {}  # server -> when, why

    async def look(self) -> bool:
        """Tell how each does. Returns whether all are as they were when the host was probed.

        Raises:
            UnreachableError: the link was lost.
        """
        looks = [self._one(instance) for instance in self.facts.instances]
        found = await asyncio.gather(*looks, return_exceptions=True)
        for each in found:
            if isinstance(each, BaseException):
                raise each
        return all(found)

    async def probed(self, facts: Facts) -> None:
        """The host was probed again: forget processes that are gone."""
        self.facts = facts
        self._refused.clear()
        here = {_key(instance) for instance in facts.instances}
        for key in [key for key in self._asked if key not in here]:
            await self._asked.pop(key).poller.close()

    async def close(self) -> None:
        for asked in self._asked.values():
            await asked.poller.close()
        self._asked.clear()

    async def _one(self, instance: Instance) -> bool:
        live, asked = None, None
        if instance.state == "running" and instance.listen:
            live, asked = await self._ask(instance)
        wanted = self.world.inventory.servers_on(self.host)
        state, reason = server_state(instance, live, instance.server in wanted, self.facts.boot_id)
        is_slow = False
        if live is not None and asked is not None:
            is_silent = live.health == "silent"
            await self._read(instance, asked.progress)
            now = self.world.clock.monotonic()
            state, reason = asked.progress.judged(now, state, reason, is_silent)
            is_slow = is_silent and state == "busy"
        slots = live.slots if live is not None else None
        self.tell(
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
                held=_sum([_held(slot) for slot in slots or ()]),
                context=_sum([slot.context for slot in slots or ()]),
                generation_tps=live.generation_tps if live is not None else None,
                prompt_tps=live.prompt_tps if live is not None else None,
                since=instance.since,
                restarts=instance.restarts,
                reason=reason,
            )
        )
        if instance.state in ("stopped", "failed") or is_slow:
            return True
        return live is not None and live.health in ("ready", "sleeping")

    async def _ask(self, instance: Instance) -> tuple[Live, Asked | None]:
        """Its own answer, and the record of its process where it could be asked."""
        name = instance.server
        asked = None
        try:
            asked = await self._open(instance)
            if self._may_sleep(name) and (quiet := await self._quiet(asked, name)) is not None:
                asked.slots, asked.progress = quiet.slots, Progress(self.still)
                return quiet, asked
            status, body = await asked.poller.get("/slots")
            if status == 503:
                return self._live(name, "loading"), asked
            if status == 401:
                self._refuse(name, "its API key is not the one on the disk")
                self.world.keys.pop((self.host, name), None)
                await self._asked.pop(_key(instance)).poller.close()
            if status != 200:
                return self._live(name, "silent", f"GET /slots answered {status}"), None
            slots = parse_slots(body)
        except FleetError as error:
            if error.kind == "link-lost":
                raise
            if asked is not None:
                asked.slots = None
            if asked is not None and isinstance(error, DeadlineError):
                asked.progress.silent(self.world.clock.monotonic() - ANSWER)
                return self._live(name, "silent", f"no answer to GET /slots within {ANSWER:g} s"), asked
            return self._live(name, "silent", error.what), None
        now = self.world.clock.monotonic()
        seconds = now - asked.at
        before, asked.slots, asked.at = asked.slots or slots, slots, now
        asked.progress.slots(now, slots)
        await self._queue(asked, slots)
        return Live(
            server=name,
            health="ready",
            slots=slots,
            deferred=asked.deferred,
            generation_tps=generation_rate(before, slots, seconds) if before is not slots else None,
            prompt_tps=prompt_rate(before, slots, seconds) if before is not slots else None,
            at=self.world.clock.now(),
            reason=None,
        ), asked

    def _may_sleep(self, name: str) -> bool:
        server = self.world.inventory.servers.get(name)
        return server is None or "sleep-idle-seconds" in server.args

    async def _quiet(self, asked: Asked, name: str) -> Live | None:
        """How it does where it sleeps or has nothing to do; None where it works.

        GET /slots would wake it, and keep it awake for as long as somebody looks.
        """
        status, body = await asked.poller.get("/props")
        found = props(body) if status == 200 else None
        if found is None:
            return None
        if found.is_sleeping:
            return self._live(name, "sleeping")
        status, body = await asked.poller.get("/metrics")
        if status != 200 or processing(body) is None:
            return None if self.world.inventory.servers.get(name) is None else self._live(name, "ready")
        if processing(body) or deferred(body):
            return None
        slots = tuple(Slot(n, None, False, None, None, None, found.context) for n in range(found.slots or 0))
        return Live(name, "ready", slots, 0, 0.0, 0.0, self.world.clock.now(), None)

    async def _queue(self, asked: Asked, slots: tuple[Slot, ...]) -> None:
        """Requests wait only where no slot is free, so only then the server is asked for their number.

        Reading /metrics starts the averages in it anew, for every reader: the less the better.
        """
        if not slots or not all(slot.is_processing for slot in slots):
            asked.full, asked.deferred = 0, 0 if slots else None
            return
        if asked.full % QUEUE == 0 and asked.has_metrics:
            asked.deferred = None
            try:
                status, body = await asked.poller.get("/metrics")
            except FleetError as error:
                if error.kind == "link-lost":
                    raise
            else:
                asked.has_metrics = status == 200
                asked.deferred = deferred(body) if status == 200 else None
        asked.full += 1

    async def _read(self, instance: Instance, progress: Progress) -> None:
        """The work of a process that stands still."""
        if instance.pid is None or not progress.wants_reading(self.world.clock.monotonic()):
            return
        script = placed(program(CPU, PID=instance.pid), self.world.root(self.host))
        try:
            answer = await self.transport.run(script, deadline=ANSWER, cap=4096)
        except FleetError as error:
            if error.kind == "link-lost":
                raise
            return
        progress.read(self.world.clock.monotonic(), cpu_seconds(safe_text(answer.out)), self.gpu())

    async def _open(self, instance: Instance) -> Asked:
        key = _key(instance)
        if key not in self._asked:
            name = instance.server
            listen = str(instance.listen)
            when, why = self._refused.get(name, (None, ""))
            if when is not None and self.world.clock.monotonic() - when < REFUSED:
                raise StepError(why, host=self.host, kind="key")
            if not _is_place(listen):
                raise StepError("what its release says it listens on is no address", kind="no-listener")
            try:
                secret = await self.world.key(self.host, name)
            except FleetError as error:
                if error.kind != "link-lost":
                    self._refuse(name, error.what)
                raise
            poller = Poller(self.transport, listen, key=secret, deadline=ANSWER)
            self._asked[key] = Asked(poller, Progress(self.still))
        return self._asked[key]

    def _refuse(self, name: str, why: str) -> None:
        self._refused[name] = (self.world.clock.monotonic(), why)

    def _live(self, name: str, health: str, reason: str | None = None) -> Live:
        return Live(name, health, None, None, None, None, self.world.clock.now(), reason)


def _key(instance: Instance) -> tuple[str, str | None, int | None]:
    return instance.server, instance.listen, instance.pid


def _held(slot: Slot) -> int | None:
    """Tokens in its context; where the context is shifted more have passed than it holds."""
    if slot.held is None or slot.context is None:
        return slot.held
    return min(slot.held, slot.context)


def _is_place(listen: str) -> bool:
    if listen.startswith("/"):
        return True
    return PLACE.fullmatch(listen) is not None and int(listen.rpartition(":")[2]) < 65536


def _sum(values: list[int | None]) -> int | None:
    known = [value for value in values if value is not None]
    return sum(known) if known else None
