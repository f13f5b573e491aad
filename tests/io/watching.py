"""A collector on real hosts, and what a dashboard would know from what it says."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fleet.core import ages
from fleet.core.events import Event
from fleet.core.inventory import Host, Inventory, Server
from fleet.core.state import HostState, Known, beginning, reduce_all
from fleet.io.clock import SystemClock
from fleet.io.folders import SystemFolders
from fleet.io.runs import world
from fleet.io.servers.collect import Collector
from fleet.io.world import World
from tests.embedded import EmbeddedHost
from tests.rig.hosts import RigHost


class Screen:
    """A door that nobody stands at: it remembers."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def say(self, event: Event) -> None:
        self.events.append(event)

    async def confirm(self, question: object) -> bool:
        return False

    async def ask(self, question: str, expected: str) -> bool:
        return False

    async def read_line(self, prompt: str) -> str | None:
        return None

    def print(self, text: str, end: str = "\n") -> None:
        return None


class Watch:
    """A collector that runs."""

    def __init__(self, opened: World, screen: Screen, collector: Collector) -> None:
        self.world = opened
        self.screen = screen
        self.collector = collector

    @property
    def events(self) -> list[Event]:
        return self.screen.events

    def host(self, name: str, until: float = float("inf")) -> HostState:
        """As the dashboard has it, from the events up to then."""
        inventory = self.world.inventory
        known = [Known(each, servers=tuple(inventory.servers_on(each))) for each in inventory.hosts]
        told = [event for event in self.events if event.ts <= until]
        return reduce_all(beginning(known), told).hosts[name]

    def word(self, name: str, at: float | None = None) -> str:
        now = SystemClock().now() if at is None else at
        return ages.host_word(self.host(name, now), now, 1.0)

    def all(self, kind: type[Event], host: str) -> list[Event]:
        return [event for event in self.events if type(event) is kind and event.host == host]

    async def until(self, is_so: Callable[[], object], most: float = 60) -> None:
        async with asyncio.timeout(most):
            while not is_so():
                await asyncio.sleep(0.05)

    async def more(self, kind: type[Event], host: str, count: int = 1) -> None:
        """Until so many more have come than there are now."""
        before = len(self.all(kind, host))
        await self.until(lambda: len(self.all(kind, host)) >= before + count)


def wish(host: EmbeddedHost | RigHost, **changed: object) -> Host:
    values = {
        "address": host.address,
        "port": host.port,
        "user": host.user,
        "identity": str(host.key),
        "known_hosts": str(host.known_hosts),
    }
    return Host.model_validate(values | changed)


@asynccontextmanager
async def watching(
    hosts: Mapping[str, Host], folder: Path, servers: Mapping[str, Server] | None = None, **options: Any
) -> AsyncIterator[Watch]:
    """Afterwards it was cancelled, and the event loop has no task of it any more."""
    folders = SystemFolders(folder / "state", folder / "cache", folder / "config")
    for path in (folders.state, folders.cache, folders.config):
        path.mkdir(parents=True, exist_ok=True)
    screen = Screen()
    before = asyncio.all_tasks()
    inventory = Inventory(hosts=dict(hosts), servers=dict(servers or {}))
    async with world(inventory, screen, "test", folders) as opened:
        collector = Collector(opened, screen.say, **options)
        running = asyncio.create_task(collector.run())
        try:
            yield Watch(opened, screen, collector)
            assert not running.done(), running.exception()
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)
    for _ in range(100):
        if asyncio.all_tasks() <= before:
            break
        await asyncio.sleep(0.02)
    assert asyncio.all_tasks() <= before
