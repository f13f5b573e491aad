"""Pushing a file to a host: real programs in a real shell, on this machine."""

import shutil

import pytest

from fleet.core.errors import DeadlineError, FleetError, StepError, UnreachableError
from fleet.io.local import LocalTransport
from tests.io.pushing import (
    CHUNK,
    MIB,
    SHELLS,
    SIZE,
    Beside,
    Cut,
    Dirty,
    Greedy,
    Refused,
    Shelled,
    Stuck,
    World,
)  # fmt: skip


@pytest.fixture
def world(tmp_path) -> World:
    return World(tmp_path)


async def test_a_file_arrives_whole_read_only_and_under_its_name(world):
    assert await world.push() == SIZE
    assert world.final.read_bytes() == world.data
    assert world.final.stat().st_mode & 0o777 == 0o444
    assert not world.part.exists()
    assert f'"{world.sha256}"' in (world.final.parent / "META.json").read_text()
    assert world.root.stat().st_mode & 0o077 == 0


async def test_a_second_push_sends_nothing(world):
    await world.push()
    before = world.final.stat()
    assert await world.push() == 0
    assert world.final.stat() == before


@pytest.mark.parametrize("size", [0, 1, MIB, CHUNK, CHUNK + 1, 3 * CHUNK])
async def test_every_size_arrives(tmp_path, size):
    world = World(tmp_path, size)
    assert await world.push() == size
    assert world.final.read_bytes() == world.data


@pytest.mark.parametrize(
    "name", ["a b.gguf", 'it\'s "q".gguf', "new\nline.gguf", "Ünïcode-模型.gguf", "-rf", "$(x)`y`;z"]
)
async def test_the_name_here_does_not_matter(tmp_path, name):
    world = World(tmp_path, 1000, name)
    await world.push()
    assert world.final.read_bytes() == world.data


@pytest.mark.parametrize("cut", [0, 1, CHUNK - 1, CHUNK, 5 * MIB, SIZE - 1])
async def test_a_lost_link_goes_on_where_it_stopped(world, cut):
    with pytest.raises(UnreachableError):
        await world.push(Cut(cut))
    assert not world.final.exists()
    sent = await world.push()
    assert world.final.read_bytes() == world.data
    assert sent == SIZE - cut // CHUNK * CHUNK
    done = [int(numbers[0]) for numbers in world.said]
    assert cut // CHUNK * CHUNK in done
    assert done[-1] == SIZE


@pytest.mark.parametrize(
    "lacks", [(), ("python3",), ("python3", "perl")], ids=["all", "no python", "no perl"]
)
@pytest.mark.parametrize("shell", SHELLS)
async def test_every_shell_receives_resumes_and_verifies(world, tmp_path, shell, lacks):
    host = Shelled(shell, tmp_path / "bin", lacks)
    world.begin(world.data[: 3 * MIB] + bytes(MIB) + b"longer" * SIZE)
    assert await world.push(host) == SIZE - CHUNK
    assert world.final.read_bytes() == world.data
    assert await world.push(host) == 0


async def test_a_link_that_breaks_again_and_again_gets_there_without_sending_a_verified_chunk_twice(world):
    for _ in range(20):
        try:
            await world.push(Cut(CHUNK + MIB))
            break
        except UnreachableError:
            assert not world.final.exists()
    assert world.final.read_bytes() == world.data
    assert world.moved <= SIZE + 4 * MIB


@pytest.mark.parametrize("at", [0, CHUNK - 1, CHUNK, 5 * MIB, SIZE - 1])
async def test_a_flipped_byte_costs_one_chunk(world, at):
    data = bytearray(world.data)
    data[at] ^= 1
    world.begin(bytes(data))
    number = at // CHUNK
    assert await world.push() == min(CHUNK, SIZE - number * CHUNK)
    assert world.final.read_bytes() == world.data


async def test_a_complete_part_costs_no_byte(world):
    world.begin(world.data)
    assert await world.push() == 0
    assert world.final.read_bytes() == world.data


async def test_a_part_that_is_too_long_is_cut(world):
    world.begin(world.data + b"more" * 1000)
    assert await world.push() == 0
    assert world.final.read_bytes() == world.data


async def test_a_part_that_nobody_may_write_is_gone_on_with(world):
    world.begin(world.data[:CHUNK])
    world.part.chmod(0o444)
    assert await world.push() == SIZE - CHUNK


async def test_two_gaps_are_two_ranges(world):
    data = bytearray(world.data)
    data[0] ^= 1
    data[3 * CHUNK] ^= 1
    world.begin(bytes(data))
    assert await world.push() == CHUNK + SIZE - 3 * CHUNK


async def test_what_arrived_wrong_is_sent_once_more(world):
    assert await world.push(Dirty(1)) == 2 * SIZE
    assert world.final.read_bytes() == world.data


async def test_what_arrives_wrong_again_and_again_is_an_error_and_never_gets_the_name(world):
    with pytest.raises(StepError, match="other bytes than were sent, 3 times") as caught:
        await world.push(Dirty(9))
    assert "the same command again" in caught.value.next
    assert not world.final.exists()
    assert await world.push() == SIZE


async def test_nothing_is_read_back_once_it_arrived(world):
    class Counted(Dirty):
        asked: list[str] = []

        async def run(self, script, **options):
            self.asked.append(script)
            return await self.inner.run(script, **options)

    host = Counted(0)
    await world.push(host)
    look, publish = host.asked
    assert 'digest "$part"' not in publish.partition("# Gives a part")[2]
    assert "chunk $n $hash" in look


async def test_streams_beside_each_other_write_one_part(world):
    lanes = Beside(LocalTransport("a"), LocalTransport("b"), LocalTransport("c"))
    assert await world.push(lanes=lanes) == SIZE
    assert world.final.read_bytes() == world.data


async def test_lanes_that_are_refused_leave_their_chunks_to_others(world):
    lanes = Beside(Refused(), LocalTransport("b"), Refused())
    assert await world.push(lanes=lanes) == SIZE
    assert world.final.read_bytes() == world.data


async def test_where_every_lane_is_refused_the_connection_that_is_there_carries(world):
    lanes = Beside(Refused(), Refused())
    assert await world.push(lanes=lanes) == SIZE
    assert lanes.is_closed


async def test_a_host_that_cannot_count_bytes_gets_one_chunk_a_stream(world, tmp_path):
    host = Greedy("greedy", tmp_path / "bin")
    assert await world.push(host) == SIZE
    assert world.final.read_bytes() == world.data
    # the next one is opened while a chunk is sent, and may find that the last chunk has gone
    assert host.feeds in (4, 5)


async def test_a_newer_lock_on_the_host_stops_the_push(world):
    (world.root / "lock" / "lock.8").mkdir(parents=True)
    with pytest.raises(StepError) as caught:
        await world.push(generation="7")
    assert caught.value.kind == "lock-lost"
    assert world.moved == 0
    assert not world.final.exists()
    assert await world.push(generation="8") == SIZE


async def test_a_link_that_stands_still_ends_and_keeps_what_came(world):
    with pytest.raises(DeadlineError, match=r"no byte moved for 0\.3 s"):
        await world.push(Stuck(), idle=0.3)
    assert await world.push() == SIZE


async def test_a_file_that_changed_here_is_refused_before_the_first_byte(world):
    world.local.write_bytes(world.data[:-1] + b"?")
    with pytest.raises(FleetError, match="is not the file it was"):
        await world.push()
    assert not world.root.exists()


async def test_a_file_that_is_gone_here_is_one_sentence(world):
    world.local.unlink()
    with pytest.raises(FleetError, match="No such file") as caught:
        await world.push()
    assert caught.value.next.startswith("ls -l ")


async def test_chunks_are_hashed_once_for_all_hosts(world, tmp_path):
    await world.push()
    (kept,) = world.manifests.glob("*.json")
    before = kept.stat().st_ino
    world.root = tmp_path / "another"
    await world.push()
    assert kept.stat().st_ino == before


@pytest.mark.parametrize("damage", ["", "[]", '{"chunks": 3}'])
async def test_a_damaged_manifest_is_made_again(world, damage):
    await world.push()
    (kept,) = world.manifests.glob("*.json")
    kept.write_text(damage)
    shutil.rmtree(world.root)
    assert await world.push() == SIZE


async def test_progress_counts_up_to_the_whole_and_ends_there(world):
    await world.push()
    done = [numbers[0] for numbers in world.said]
    assert done == sorted(done)
    assert done[0] == 0
    assert done[-1] == SIZE
    assert {numbers[1] for numbers in world.said} == {SIZE}


class Unheard(LocalTransport):
    """A host that publishes, and whose answer to the first asking nobody hears."""

    async def run(self, script, **options):
        if "\necho published\n" in script:
            await super().run(script, **options)
        return await super().run(script, **options)


async def test_a_file_that_an_earlier_program_published_meanwhile_is_no_failure(world):
    await world.push(Unheard("here"))
    assert world.final.read_bytes() == world.data
    assert not world.part.exists()


async def test_a_part_that_was_taken_away_is_not_called_published_for_another_file_of_that_name(world):
    class Swapped(LocalTransport):
        async def run(self, script, **options):
            if "\necho published\n" in script:
                world.part.unlink()
                world.final.write_bytes(b"other")
            return await super().run(script, **options)

    with pytest.raises(StepError, match="taken away"):
        await world.push(Swapped("here"))
