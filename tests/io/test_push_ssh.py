"""Pushing over a real SSH connection."""

import asyncio
from pathlib import Path

import pytest

from fleet.core.errors import UnreachableError
from fleet.io.clock import SystemClock
from fleet.io.push.file import push
from tests.io.near import near, running
from tests.io.test_push import CHUNK, SIZE, World


async def send(world: World, transport, moved=lambda count: None) -> int:
    return await push(
        transport, world.local, world.sha256, len(world.data), world.to, root=str(world.root), generation="",
        say=lambda *numbers: None, clock=SystemClock(), chunk=CHUNK, moved=moved,
    )  # fmt: skip


async def test_a_file_arrives_over_ssh_and_a_second_push_sends_nothing(tmp_path: Path):
    world = World(tmp_path)
    async with near(tmp_path) as server:
        await server.trust()
        transport = await server.connect()
        assert await send(world, transport) == SIZE
        assert world.final.read_bytes() == world.data
        assert await send(world, transport) == 0
        await transport.close()


async def test_a_connection_that_ends_midway_is_gone_on_with_by_the_next(tmp_path: Path):
    world = World(tmp_path)
    async with near(tmp_path) as server:
        await server.trust()
        transport = await server.connect()
        sent = 0
        closing: list[asyncio.Task[None]] = []

        def moved(count: int) -> None:
            nonlocal sent
            sent += count
            if sent > 2 * CHUNK and not closing:
                closing.append(asyncio.ensure_future(transport.close()))

        with pytest.raises(UnreachableError):
            await send(world, transport, moved)
        await closing[0]
        assert not world.final.exists()
        for _ in range(100):
            if not running(str(world.part)):
                break
            await asyncio.sleep(0.05)
        assert running(str(world.part)) == []
        kept = world.part.stat().st_size
        transport = await server.connect()
        assert await send(world, transport) == SIZE - kept // CHUNK * CHUNK
        assert world.final.read_bytes() == world.data
        await transport.close()
