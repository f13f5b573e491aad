"""A file of a plan to its host: fetched by the host itself where the plan says so, else brought to it."""

from collections.abc import Awaitable, Callable
from typing import Protocol

from fleet.core.plan import Put
from fleet.io.artifacts import Artifacts
from fleet.io.jobs import Reach
from fleet.io.ports import Transport
from fleet.io.pull.pull import PullError, pull
from fleet.io.pull.pulls import Pull, Pulls
from fleet.io.push.file import push
from fleet.io.push.lanes import lanes
from fleet.io.push.pace import Paces
from fleet.io.push.progress import Say
from fleet.io.share.crowds import Crowds
from fleet.io.world import World
from fleet.models.pulling import site


class Work(Protocol):
    """A plan under way on one host."""

    host: str
    root: str
    generation: str

    @property
    def reach(self) -> Reach:
        """A link to the host, also after the one before was lost."""
        ...

    async def lasting(self, act: Callable[[Transport], Awaitable[None]]) -> None:
        """The act, again on a new link when the old one broke."""
        ...

    def tell(self, message: str) -> None: ...


class Deliveries:
    """One for a run."""

    def __init__(self, world: World, artifacts: Artifacts, paces: Paces) -> None:
        self.world = world
        self.artifacts = artifacts
        self.paces = paces
        self.pulls = Pulls(world, artifacts)
        self.crowds = Crowds(world, self.pulls)

    async def put(self, work: Work, put: Put, say: Say) -> tuple[int, str]:
        """Bytes that moved, and by which route: pull, peer or controller.

        Raises:
            FleetError: the file cannot be got, or the host cannot take it.
        """
        wanted = self.pulls.of(work.host, put.artifact.id)
        if wanted is not None:
            try:
                return await self._pull(work, put, wanted, say), "pull"
            except PullError as why:
                work.tell(f"does not get it from {site(wanted.url)}: {why}; it is brought another way")
                self.pulls.drop(work.host, put.artifact.id)
                self.crowds.join(work.host, put.artifact.id)
        return await self._push(work, put, say)

    async def _pull(self, work: Work, put: Put, wanted: Pull, say: Say) -> int:
        moved: list[int] = []
        await pull(
            work.reach,
            wanted,
            put.to,
            root=work.root,
            generation=work.generation,
            limit=self.paces.pulling(self.world.wish(work.host)),
            say=say,
            clock=self.world.clock,
            random=self.world.random,
            moved=moved.append,
        )
        return sum(moved)

    async def _push(self, work: Work, put: Put, say: Say) -> tuple[int, str]:
        path = await self.artifacts.path(put.artifact, self.world.say, work.host)
        size = path.stat().st_size
        sent: list[int] = []
        route = "controller"

        async def send(transport: Transport) -> None:
            nonlocal route
            share = self.crowds.share(work.host, put, transport)
            route = "controller" if share is None else "peer"
            await push(
                transport,
                path,
                await self.artifacts.sha256(put.artifact, path),
                size,
                put.to,
                root=work.root,
                generation=work.generation,
                say=say,
                clock=self.world.clock,
                manifests=self.world.folders.cache / "manifests",
                moved=sent.append,
                lanes=lanes(self.world, work.host, transport, size),
                share=share,
                **self.paces.of(work.host, self.world.wish(work.host)),
            )

        await work.lasting(send)
        return sum(sent), route
