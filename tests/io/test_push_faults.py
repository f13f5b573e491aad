"""A push that is struck at each tenth: it goes on, and what was verified is not sent again."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fleet.core.errors import FleetError
from tests.io.lanes import Site
from tests.io.pushing import CHUNK, MIB
from tests.rig.hosts import RigHost, Rigs, RunningRig

SIZE = 20 * MIB + 777  # bytes
STREAMS = 2
RATE = 200  # Mbit/s, so that a tenth takes long enough to be struck in


@pytest.fixture(scope="module")
def host(rig: Rigs) -> Iterator[RigHost]:
    hosts: RunningRig = rig.up(1, rate=RATE)
    yield hosts["h1"]
    hosts.down()


def sshd(host: RigHost) -> None:
    host.exec("pkill", "-KILL", "-f", f"sshd: {host.user}")


def link(host: RigHost) -> None:
    host.cut()
    host.heal()


def power(host: RigHost) -> None:
    host.kill()
    host.start()


def chunks(data: bytes) -> list[bytes]:
    return [data[at : at + CHUNK] for at in range(0, len(data), CHUNK)]


@pytest.mark.parametrize("tenth", range(1, 10))
@pytest.mark.parametrize("strike", [sshd, link, power], ids=lambda strike: strike.__name__)
async def test_struck_by(
    strike: Callable[[RigHost], None], tenth: int, host: RigHost, tmp_path: Path
) -> None:
    site = Site(tmp_path, host, SIZE)
    transport = await site.connect()
    striking: list[asyncio.Task[None]] = []
    sent = 0

    def moved(count: int) -> None:
        nonlocal sent
        sent += count
        if sent >= SIZE * tenth // 10 and not striking:
            striking.append(asyncio.ensure_future(asyncio.to_thread(strike, host)))

    async def pace(count: int) -> None:
        """The last chunks are not sent before the strike is over."""
        while striking and not striking[0].done() and sent >= SIZE - STREAMS * CHUNK:
            await asyncio.sleep(0.01)

    try:
        await site.push(transport, site.lanes(transport, 0, STREAMS), moved, pace)
        is_over = True
    except FleetError:
        is_over = False
    await striking[0]
    await transport.close()
    assert not is_over or strike is link  # a short cut is bridged by TCP
    if not is_over:
        wanted = chunks(site.world.data)
        assert not site.part.parent.parent.joinpath(site.world.to).exists()
        there = chunks(site.part.read_bytes())
        right = [one == other for one, other in zip(there, wanted, strict=False)]
        begun = [any(one) and one != other for one, other in zip(there, wanted, strict=False)]
        assert sum(begun) <= STREAMS
        site.moved = 0
        transport = await site.connect()
        await site.push(transport, site.lanes(transport, 0, STREAMS))
        await transport.close()
        kept = sum(len(chunk) for chunk, is_right in zip(wanted, right, strict=False) if is_right)
        assert site.moved == SIZE - kept
    assert site.hash() == site.world.sha256
