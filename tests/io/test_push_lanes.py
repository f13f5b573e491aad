"""The bytes of a push in processes of their own, on OpenSSH's server."""

import asyncio
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import fleet
from fleet.core.errors import UnreachableError
from fleet.io.clock import SystemRandom
from fleet.io.push.lanes import count
from fleet.io.push.program import Program
from fleet.io.ssh.transport import SshTransport
from tests.io.lanes import SIZE, Chosen, Site
from tests.io.near import Pieces, other_key
from tests.io.pushing import CHUNK, MIB
from tests.rig.hosts import RigHost, Rigs, RunningRig

IN_FLIGHT = 4 * MIB  # bytes that a pipe, ssh and the window of a channel hold


@pytest.fixture(scope="module")
def host(rig: Rigs) -> Iterator[RigHost]:
    hosts: RunningRig = rig.up(1)
    yield hosts["h1"]
    hosts.down()


@pytest.fixture
def site(tmp_path: Path, host: RigHost) -> Site:
    return Site(tmp_path, host)


@pytest.mark.parametrize("kind", [0, 1], ids=["OpenSSH", "asyncssh"])
@pytest.mark.parametrize("streams", [1, 3])
async def test_a_file_arrives_over_connections_of_their_own(site: Site, kind: int, streams: int):
    transport = await site.connect()
    calls = Calls(transport)
    assert await site.push(calls, site.lanes(transport, kind, streams)) == SIZE
    assert site.hash() == site.world.sha256
    assert calls.feeds == 0
    assert await site.push(calls, site.lanes(transport, kind, streams)) == 0
    await transport.close()


class Calls:
    """A transport that counts what goes through it."""

    def __init__(self, inner: SshTransport) -> None:
        self.inner, self.feeds = inner, 0

    async def run(self, script, **options):
        return await self.inner.run(script, **options)

    async def feed(self, line, chunks, *, deadline):
        self.feeds += 1
        return await self.inner.feed(line, chunks, deadline=deadline)


@pytest.mark.parametrize("kind", [0, 1], ids=["OpenSSH", "asyncssh"])
async def test_a_lane_that_is_killed_costs_a_chunk_and_the_next_push_goes_on(site: Site, kind: int):
    transport = await site.connect()
    lane = site.lanes(transport, kind)
    ends: list[int] = []

    def moved(count: int) -> None:
        if site.moved > 5 * MIB and not ends:
            for process in lane.processes():
                ends.append(process)
                os.kill(process, signal.SIGKILL)

    with pytest.raises(UnreachableError) as lost:
        await site.push(transport, lane, moved)
    assert lost.value.kind == "link-lost"
    assert ends
    sent = await site.push(transport, site.lanes(transport, kind))
    assert site.hash() == site.world.sha256
    # what the pipe, ssh and the window of the channel held was counted as sent and is sent again
    assert sent <= SIZE
    assert site.moved <= SIZE + CHUNK + IN_FLIGHT
    await transport.close()


async def test_where_openssh_is_refused_python_carries(site: Site):
    transport = await site.connect()
    made = site.lanes(transport).inner
    made.kinds[0] = lambda: Program("x", ("false",), SystemRandom())
    calls = Calls(transport)
    assert await site.push(calls, Chosen(made, None, 1)) == SIZE
    assert site.hash() == site.world.sha256
    assert calls.feeds == 0
    await transport.close()


@pytest.mark.parametrize("kind", [0, 1], ids=["OpenSSH", "asyncssh"])
async def test_another_host_key_is_never_talked_to(site: Site, tmp_path: Path, kind: int):
    other = other_key(tmp_path / "other").with_suffix(".pub").read_text()
    transport = await site.connect()
    strange = tmp_path / "known"
    strange.write_text(f"{site.host.address} {other}")
    site.wish = site.wish.model_copy(update={"known_hosts": str(strange)})
    made = site.lanes(transport).inner
    assert made.known is not None
    made.known.write_text(f"fleet-host {other}")
    with pytest.raises(UnreachableError) as refused:
        await made.kinds[kind]().feed("cat > /dev/null", Pieces(b"x", 1), deadline=30)
    assert refused.value.kind == "refused"
    assert "host key" in refused.value.what.lower()
    await made.close()
    await transport.close()


async def test_a_program_whose_parent_dies_ends(site: Site, tmp_path: Path):
    transport = await site.connect()
    for kind in (0, 1):
        arguments = [str(tmp_path), str(kind), site.host.address, site.host.user, str(site.host.key)]
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-c", PARENT, *arguments, str(site.host.known_hosts),
            stdout=asyncio.subprocess.PIPE, cwd=Path(fleet.__file__).parents[1],
        )  # fmt: skip
        own = int(await child.stdout.readline())
        os.kill(own, 0)
        child.send_signal(signal.SIGKILL)
        await child.wait()
        for _ in range(200):
            if not is_running(own):
                break
            await asyncio.sleep(0.1)
        assert not is_running(own)
    await transport.close()


def is_running(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


PARENT = """
import asyncio, sys
from pathlib import Path
from fleet.core.inventory import Host
from fleet.io.ssh import transport as ssh
from fleet.io.push.lanes import BulkLanes
from fleet.io.clock import SystemClock, SystemRandom
from fleet.io.folders import SystemFolders
from fleet.io.ssh.pins import Pins

folder, kind, address, user, key, known = sys.argv[1:]

async def main():
    folders = SystemFolders(*(Path(folder) / name for name in ("state", "cache", "config")))
    host = Host.model_validate({"address": address, "user": user, "identity": key, "known_hosts": known})
    clock = SystemClock()
    transport = await ssh.connect("x", host, pins=Pins(folders.state, clock), clock=clock, on_lost=print)
    lanes = BulkLanes("x", host, transport, folders, SystemRandom())
    lane = lanes.kinds[int(kind)]()

    class Endless:
        async def __aiter__(self):
            await lane.accepted()
            print(lane.process, flush=True)
            while True:
                yield bytes(65536)

    await lane.feed("cat > /dev/null", Endless(), deadline=1000)

asyncio.run(main())
"""


def test_streams_by_the_length_of_the_line():
    assert [count(rtt) for rtt in (0.0003, 0.004, 0.005, 0.02, 0.2, None)] == [1, 1, 2, 4, 4, 2]


async def test_the_length_of_a_line_is_measured_on_the_connection(site: Site):
    transport = await site.connect()
    rtt = transport.rtt()
    assert rtt is not None
    assert 0 < rtt < 1
    await transport.close()


async def test_the_loop_is_free_while_bytes_go(site: Site):
    """Every piece that goes lets the loop turn: what is heavy is done in another process."""
    transport = await site.connect()
    turns, pieces = [0], [0]

    async def turning() -> None:
        while True:
            turns[0] += 1
            await asyncio.sleep(0)

    def moved(count: int) -> None:
        pieces[0] += 1

    turner = asyncio.create_task(turning())
    await site.push(transport, site.lanes(transport, 0), moved)
    turner.cancel()
    assert pieces[0] >= SIZE // (256 << 10)
    assert turns[0] > 2 * pieces[0]
    await transport.close()
