"""One connection per host, for all of a run."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from fleet.core.errors import InventoryError
from fleet.io.clock import SystemClock, SystemRandom
from fleet.io.link import Link, OnChange, OnLost
from fleet.io.ports import Clock, Folders, Random, Transport

if TYPE_CHECKING:
    from fleet.core.inventory import Host

TICK = 2.0  # seconds between looks at the two clocks
JUMP = 5.0  # seconds by which they must differ: the machine slept


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
