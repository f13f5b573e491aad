"""A root that runs lock and unlock, and clocks that do not wait."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from fleet.io.local import LocalTransport
from fleet.io.locks import BEAT, Owner, hold
from fleet.io.ports import Answer, Transport
from fleet.io.shelltext import packaged, placed


class Jumping:
    """A clock whose sleep takes no time; what happens meanwhile is a parameter."""

    def __init__(self, meanwhile: Callable[[float], Awaitable[None]] | None = None) -> None:
        self.time = 0.0
        self.meanwhile = meanwhile

    def now(self) -> float:
        return self.time

    def monotonic(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)
        self.time += seconds
        if self.meanwhile:
            await self.meanwhile(seconds)


class Still(Jumping):
    """A clock for those who must not wait, beats apart."""

    async def sleep(self, seconds: float) -> None:
        assert seconds == BEAT, "it waits"
        await asyncio.Event().wait()


class Place:
    """A root on this machine, and controllers that want it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.root = folder / "a root"
        self.transport = LocalTransport("here")
        self.told: list[str] = []

    async def reach(self) -> Transport:
        return self.transport

    def owner(self, controller: str = "desk", run: str = "r1") -> Owner:
        state = self.folder / controller
        state.mkdir(exist_ok=True)
        return Owner(state, run, "push")

    def hold(self, owner: Owner, clock: Jumping, **more):
        return hold(
            "here", more.pop("reach", self.reach), str(self.root), owner, clock, self.told.append, **more
        )

    async def run(self, script: str, generation: str = "") -> Answer:
        return await self.transport.run(placed(script, str(self.root), generation), deadline=30)

    async def lock(self, who: str = "x", take: str = "") -> str:
        """What the host says to one who wants the lock."""
        answer = await self.run(packaged("lock", OWNER=f'{{"user": "{who}"}}', TAKE=take))
        return answer.out.decode().splitlines()[0]

    async def beat(self, generation: str, beat: str) -> int:
        return (await self.run(packaged("beat", BEAT=beat), generation)).status
