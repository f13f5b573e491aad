"""A crowd whose hosts say what we let them say: what does not depend on a network."""

import asyncio
from pathlib import Path

import pytest

from fleet.io.clock import SystemClock, SystemRandom
from fleet.io.local import LocalTransport
from fleet.io.ports import Answer
from fleet.io.push.file import Sharing
from fleet.io.push.manifest import manifest
from fleet.io.push.part import Part
from fleet.io.share.crowd import Crowd, Lender, Wish
from tests.io.pushing import CHUNK, World


class Silent(LocalTransport):
    """A host that serves and never answers whether it reaches another one."""

    started, ended = 0, 0

    async def feed(self, line, chunks, *, deadline, on_line=None):
        self.started += 1
        on_line(b"ready 127.0.0.1 1")
        try:
            async for _ in chunks:
                pass
        finally:
            self.ended += 1
        return Answer(0, b"", b"")

    def lender(self) -> Lender:
        async def reach() -> LocalTransport:
            return self

        return Lender(self.name, reach, "python3", "file")


class Sends:
    """What the controller sends: nothing arrives before it may."""

    def __init__(self) -> None:
        self.begun, self.may = asyncio.Semaphore(0), asyncio.Event()
        self.sent: set[int] = set()

    async def send(self, number: int) -> None:
        self.begun.release()
        await self.may.wait()
        self.sent.add(number)

    async def stop(self) -> None:
        self.may.set()

    def wish(self, crowd: Crowd, host: Silent) -> Wish:
        push = Sharing(
            Part(crowd.manifest, "model", "/root", ""), frozenset(),
            self.send, lambda count: None, lambda make: None, self.stop,
        )  # fmt: skip
        return Wish(host.lender(), host, push, push.came)


async def crowd_of(folder: Path, *lenders: Silent, tell=lambda host, text: None) -> Crowd:
    world = World(folder, CHUNK)
    return Crowd(
        await manifest(world.local, world.sha256, CHUNK, world.manifests), ("127.0.0.0/8",),
        clock=SystemClock(), random=SystemRandom(), tell=tell,
        lenders=[host.lender() for host in lenders],
    )  # fmt: skip


async def test_hosts_that_are_done_at_the_same_moment_are_all_done(tmp_path):
    crowd, sends = await crowd_of(tmp_path), Sends()
    hosts = [Silent(name) for name in ("h1", "h2", "h3")]
    sharing = [asyncio.create_task(crowd.share(sends.wish(crowd, host))) for host in hosts]
    for _ in hosts:
        await sends.begun.acquire()
    sends.may.set()
    await asyncio.gather(*sharing)
    assert not crowd.swarm.members  # whoever comes later begins anew
    assert [(host.started, host.ended) for host in hosts] == [(1, 1)] * 3


async def test_a_host_that_gives_already_is_not_asked_again_by_one_who_comes_later(tmp_path):
    lender, hosts, sends = Silent("h1"), [Silent("h2"), Silent("h3")], Sends()
    crowd = await crowd_of(tmp_path, lender)
    first = asyncio.create_task(crowd.share(sends.wish(crowd, hosts[0])))
    while "h1" not in crowd.swarm.members:
        assert not first.done()
        await asyncio.sleep(0)
    second = asyncio.create_task(crowd.share(sends.wish(crowd, hosts[1])))
    while "h3" not in crowd.swarm.members:
        assert not second.done()
        await asyncio.sleep(0)
    for _ in range(100):
        await asyncio.sleep(0)
    sends.may.set()
    await asyncio.wait({first, second}, timeout=60)
    for task in (first, second):
        task.cancel()
    await asyncio.gather(first, second, return_exceptions=True)
    assert (lender.started, lender.ended) == (1, 1)


class Far(Silent):
    """A host that gives what it has once it is reached."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.is_reached = asyncio.Event()
        self.asked = 0

    def lender(self) -> Lender:
        async def reach() -> LocalTransport:
            self.asked += 1
            await self.is_reached.wait()
            return self

        return Lender(self.name, reach, "python3", "file")


async def test_whoever_comes_while_a_lender_is_asked_waits_for_it_as_the_first_one_does(tmp_path):
    lender, wanting, sends = Far("h1"), [Silent("h2"), Silent("h3")], Sends()
    crowd = await crowd_of(tmp_path, lender)
    sharing = [asyncio.create_task(crowd.share(sends.wish(crowd, host))) for host in wanting]
    async with asyncio.timeout(120):
        while not all(host.started for host in wanting):
            await asyncio.sleep(0)
        for _ in range(100):
            await asyncio.sleep(0)
        alone = set(crowd.swarm.members)
        lender.is_reached.set()
        while len(crowd.swarm.members) < 3:
            await asyncio.sleep(0)
    for task in sharing:
        task.cancel()
    await asyncio.gather(*sharing, return_exceptions=True)
    assert alone == set()
    assert (lender.started, lender.ended) == (1, 1)


async def test_a_lender_that_nobody_waited_for_in_the_end_is_asked_again_by_the_next(tmp_path):
    lender, hosts, sends = Far("h1"), [Silent("h2"), Silent("h3")], Sends()
    crowd = await crowd_of(tmp_path, lender)
    async with asyncio.timeout(120):
        for host in hosts:
            sharing = asyncio.create_task(crowd.share(sends.wish(crowd, host)))
            while not (host.started and lender.asked == hosts.index(host) + 1):
                await asyncio.sleep(0)
            sharing.cancel()
            await asyncio.gather(sharing, return_exceptions=True)
    assert lender.asked == 2


class Says(Silent):
    """A host that reaches every other one, and what it says of each chunk that it is to take."""

    def __init__(self, name: str, says: str) -> None:
        super().__init__(name)
        self.says, self.ordered = says, 0

    async def feed(self, line, chunks, *, deadline, on_line=None):
        async def heard():
            async for chunk in chunks:
                words = chunk.split()
                if words[:1] == [b"ask"]:
                    on_line(b"asked %s yes" % words[1])
                if words[:1] == [b"get"]:
                    self.ordered += 1
                    on_line(self.says.encode() % words[1])
                yield chunk

        return await super().feed(line, heard(), deadline=deadline, on_line=on_line)


@pytest.mark.parametrize(
    ("says", "told"),
    [
        ("off %s", "takes nothing more from other hosts: it puts off what it was given"),
        ("unwritten %s No space left", "takes nothing more from other hosts: No space left"),
    ],
)
async def test_a_host_that_takes_nothing_gets_all_from_here_and_no_other_one_is_blamed(tmp_path, says, told):
    lender, taker, sends, said = Silent("h1"), Says("h2", says), Sends(), []
    crowd = await crowd_of(tmp_path, lender, tell=lambda host, text: said.append((host, text)))
    sends.may.set()
    async with asyncio.timeout(60):
        await crowd.share(sends.wish(crowd, taker))
    chunks = len(crowd.manifest.chunks)
    assert set(said) == {("h2", told)}
    assert 0 < taker.ordered <= 2 * chunks
    assert sends.sent == set(range(chunks))
