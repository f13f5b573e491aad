"""A crowd whose hosts say what we let them say: what does not depend on a network."""

import asyncio

from fleet.io.clock import SystemClock, SystemRandom
from fleet.io.local import LocalTransport
from fleet.io.ports import Answer
from fleet.io.push.manifest import manifest
from fleet.io.share.crowd import Crowd, Lender, Wish
from tests.io.pushing import CHUNK, World


class Silent(LocalTransport):
    """A host that serves and never answers whether it reaches another one."""

    async def feed(self, line, chunks, *, deadline, on_line=None):
        on_line(b"ready 127.0.0.1 1")
        async for _ in chunks:
            pass
        return Answer(0, b"", b"")


async def test_hosts_that_are_done_at_the_same_moment_are_all_done(tmp_path):
    world = World(tmp_path, CHUNK)
    crowd = Crowd(
        await manifest(world.local, world.sha256, CHUNK, world.manifests), ("127.0.0.0/8",),
        clock=SystemClock(), random=SystemRandom(), tell=lambda host, text: None,
    )  # fmt: skip
    started, is_there = asyncio.Semaphore(0), asyncio.Event()

    async def send(number: int) -> None:
        started.release()
        await is_there.wait()

    def wish(name: str) -> Wish:
        host = Silent(name)

        async def reach() -> LocalTransport:
            return host

        return Wish(
            Lender(name, reach, "python3", "file"), host, "part", frozenset(), send, lambda count: None
        )

    names = ("h1", "h2", "h3")
    sharing = [asyncio.create_task(crowd.share(wish(name))) for name in names]
    for _ in names:
        await started.acquire()
    is_there.set()
    await asyncio.gather(*sharing)
    assert not crowd.swarm.members  # whoever comes later begins anew
