"""Hosts that want one model together: a crowd as the carrier makes it, without plans."""

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

from fleet.io.clock import SystemClock, SystemRandom
from fleet.io.ports import Transport
from fleet.io.push.file import Sharing, push
from fleet.io.push.manifest import manifest
from fleet.io.push.streams import Pace
from fleet.io.share.crowd import Crowd, Lender, Wish
from tests.io.pushing import World

MIB = 1 << 20
PYTHON = "/usr/bin/python3"


class Party:
    """A file here and a crowd of hosts for it."""

    def __init__(self, folder: Path, networks: tuple[str, ...], chunks: int = 16) -> None:
        self.world = World(folder, chunks * MIB - 12345)
        self.networks = networks
        self.came: Counter[str] = Counter()  # bytes, by host
        self.said: list[tuple[str, str]] = []
        self.shown: list[tuple[float | None, ...]] = []  # done, total, bytes/s, seconds left
        self.crowd: Crowd | None = None
        self.pace: Pace | None = None  # of what the controller sends

    def wait_for(self, is_so: Callable[[], bool]) -> None:
        """The controller sends nothing before that."""

        async def pace(size: int) -> None:
            while not is_so():
                await asyncio.sleep(0.01)

        self.pace = pace

    async def open(self, *lenders: Lender) -> Crowd:
        wanted = await manifest(self.world.local, self.world.sha256, MIB, self.world.manifests)
        self.crowd = Crowd(
            wanted, self.networks, clock=SystemClock(), random=SystemRandom(),
            tell=lambda host, text: self.said.append((host, text)), lenders=lenders,
        )  # fmt: skip
        return self.crowd

    def lender(self, host: str, transport: Transport, root: str, python: str = PYTHON) -> Lender:
        async def reach() -> Transport:
            return transport

        return Lender(host, reach, python, f"{root}/{self.world.to}")

    async def push(self, host: str, transport: Transport, root: str, python: str = PYTHON) -> int:
        """One host's push, in the crowd."""
        assert self.crowd is not None
        crowd = self.crowd

        async def share(told: Sharing) -> None:
            then = self.lender(host, transport, root, python)
            await crowd.share(Wish(then, transport, told, told.came))

        def moved(count: int) -> None:
            self.came[host] += count

        return await push(
            transport, self.world.local, self.world.sha256, len(self.world.data), self.world.to, root=root,
            generation="", say=lambda *numbers: self.shown.append(numbers), clock=SystemClock(), chunk=MIB,
            manifests=self.world.manifests, moved=moved, share=share, pace=self.pace,
        )  # fmt: skip

    async def push_all(self, hosts: Mapping[str, tuple[Transport, str]]) -> dict[str, int]:
        """All at once: bytes sent to each."""
        done = await asyncio.gather(*(self.push(host, *where) for host, where in hosts.items()))
        return dict(zip(hosts, done, strict=True))
