"""The bytes of a push in processes of their own, on OpenSSH's server."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from fleet.core.inventory import Host
from fleet.io import ssh
from fleet.io.bulk_lanes import BulkLanes
from fleet.io.clock import SystemClock, SystemRandom
from fleet.io.folders import SystemFolders
from fleet.io.pins import Pins
from fleet.io.push import push
from fleet.io.ssh import SshTransport
from tests.io.pushing import CHUNK, MIB, World
from tests.rig.hosts import RigHost, Rigs, RunningRig

SIZE = 12 * MIB + 777


@pytest.fixture(scope="module")
def host(rig: Rigs) -> Iterator[RigHost]:
    hosts: RunningRig = rig.up(1)
    yield hosts["h1"]
    hosts.down()


class Site:
    """A file here, and one host of the rig to take it."""

    def __init__(self, folder: Path, host: RigHost) -> None:
        self.world = World(folder, SIZE)
        self.host = host
        self.wish = Host.model_validate(
            {"address": host.address, "user": host.user, "identity": str(host.key)}
            | {"known_hosts": str(host.known_hosts)}
        )
        self.folders = SystemFolders(folder / "state", folder / "cache", folder / "config")
        self.root = f"/home/{host.user}/root of {folder.name}"
        self.moved = 0

    async def connect(self) -> SshTransport:
        return await ssh.connect(
            "x", self.wish, pins=Pins(self.folders.state, SystemClock()), clock=SystemClock(),
            on_lost=lambda _: None,
        )  # fmt: skip

    def lanes(self, transport: SshTransport, only: int | None = None, streams: int = 1) -> BulkLanes:
        made = BulkLanes("x", self.wish, transport, self.folders, SystemRandom())
        return Chosen(made, only, streams)

    async def push(self, transport, made, moved=lambda count: None) -> int:
        def count_up(sent: int) -> None:
            self.moved += sent
            moved(sent)

        return await push(
            transport, self.world.local, self.world.sha256, SIZE, self.world.to, root=self.root,
            generation="", say=lambda *numbers: None, clock=SystemClock(), chunk=CHUNK, moved=count_up,
            lanes=made, manifests=self.world.manifests, step=256 << 10,
        )  # fmt: skip

    def hash(self) -> str:
        return self.host.ssh(f"openssl dgst -sha256 -r < '{self.root}/{self.world.to}'").split()[0]

    def receivers(self) -> str:
        return self.host.ssh("ps axww -o args | grep -c '[d]d of=' || true").strip()


class Chosen:
    """Lanes of one kind, in a number of our choice; none falls back to the connection that is there."""

    def __init__(self, inner: BulkLanes, only: int | None, streams: int) -> None:
        self.inner, self.only, self.streams = inner, only, streams

    def count(self, transport):
        return self.streams

    def start(self, count):
        self.inner.start(count)

    def ways(self, count):
        ways = self.inner.ways(count)
        return ways if self.only is None else [ways[self.only]]

    async def close(self):
        await self.inner.close()


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
