"""Chunks that are sent when somebody asks for them, to a real shell over streams that stay open."""

import asyncio

import pytest

from fleet.core.errors import FleetError, StepError, UnreachableError
from fleet.io.local import LocalTransport
from tests.io.pushing import CHUNK, SIZE, Beside, Cut, Dirty, Greedy, Refused, Stuck, World

COUNT = -(-SIZE // CHUNK)


@pytest.fixture
def world(tmp_path) -> World:
    return World(tmp_path)


class Counted(LocalTransport):
    """How often a stream was opened."""

    feeds = 0

    async def feed(self, line, chunks, *, deadline, on_line=None):
        self.feeds += 1
        return await super().feed(line, chunks, deadline=deadline, on_line=on_line)


async def backwards(sharing) -> None:
    """One after another, in an order of our own."""
    for number in reversed(range(COUNT)):
        await sharing.send(number)


async def at_once(sharing) -> None:
    await asyncio.gather(*(sharing.send(number) for number in range(COUNT)))


@pytest.mark.parametrize("order", [backwards, at_once])
async def test_chunks_go_in_any_order_over_one_stream(world, order):
    host = Counted("here")
    assert await world.push(host, share=order) == SIZE
    assert world.final.read_bytes() == world.data
    assert host.feeds == 1


async def test_chunks_go_over_lanes_beside_each_other(world):
    host, lanes = Counted("here"), Beside(Counted("one"), Counted("two"))
    assert await world.push(host, lanes=lanes, share=at_once) == SIZE
    assert world.final.read_bytes() == world.data
    assert (host.feeds, [lane.feeds for lane in lanes.lanes]) == (0, [1, 1])
    assert lanes.is_closed


async def test_where_lanes_are_refused_the_connection_that_is_there_carries(world):
    host = Counted("here")
    assert await world.push(host, lanes=Beside(Refused(), LocalTransport("other")), share=at_once) >= SIZE
    assert world.final.read_bytes() == world.data
    assert host.feeds == 1


async def test_a_host_that_cannot_count_bytes_gets_one_chunk_a_stream(world, tmp_path):
    host = Greedy("greedy", tmp_path / "bin")
    await world.push(host, share=backwards)
    assert world.final.read_bytes() == world.data
    assert host.feeds >= COUNT


async def test_a_chunk_that_arrived_wrong_is_sent_again_and_no_more_than_that(world):
    with pytest.raises(StepError, match="chunk 3 arrived as other bytes than were sent, 3 times"):
        await world.push(Dirty(1), share=backwards)
    assert world.moved == 3 * (SIZE - 3 * CHUNK)
    assert not world.final.exists()


async def test_a_lost_link_is_told_to_everybody_who_waits(world):
    async def all_wait(sharing) -> None:
        ends = await asyncio.gather(*(sharing.send(n) for n in range(COUNT)), return_exceptions=True)
        assert sum(isinstance(end, UnreachableError) for end in ends) == COUNT - 1
        raise next(end for end in ends if end is not None)

    with pytest.raises(UnreachableError):
        await world.push(Cut(CHUNK + 1000), share=all_wait)
    assert await world.push(share=backwards_of) == SIZE - CHUNK
    assert world.final.read_bytes() == world.data


async def backwards_of(sharing) -> None:
    for number in sorted(set(range(COUNT)) - sharing.right):
        await sharing.send(number)


async def test_who_is_not_waited_for_any_more_holds_nobody_up(world):
    async def impatient(sharing) -> None:
        first = asyncio.create_task(sharing.send(0))
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        await at_once(sharing)

    assert await world.push(share=impatient) == SIZE
    assert world.final.read_bytes() == world.data


async def test_a_link_that_stands_still_ends(world):
    with pytest.raises(FleetError, match="no byte moved for"):
        await world.push(Stuck(), idle=0.2, share=backwards)
    assert not world.final.exists()
