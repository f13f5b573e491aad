"""A host of the rig that takes a file over connections of their own."""

from pathlib import Path

from fleet.core.inventory import Host
from fleet.io.clock import SystemClock, SystemRandom
from fleet.io.folders import SystemFolders
from fleet.io.push.file import push
from fleet.io.push.lanes import BulkLanes
from fleet.io.ssh import transport as ssh
from fleet.io.ssh.pins import Pins
from fleet.io.ssh.transport import SshTransport
from tests.io.pushing import CHUNK, MIB, World
from tests.rig.hosts import RigHost

SIZE = 12 * MIB + 777  # bytes


class Site:
    """A file here, and one host of the rig to take it."""

    def __init__(self, folder: Path, host: RigHost, size: int = SIZE) -> None:
        self.size = size
        self.world = World(folder, size)
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

    async def push(self, transport, made, moved=lambda count: None, pace=None) -> int:
        def count_up(sent: int) -> None:
            self.moved += sent
            moved(sent)

        return await push(
            transport, self.world.local, self.world.sha256, self.size, self.world.to, root=self.root,
            generation="", say=lambda *numbers: None, clock=SystemClock(), chunk=CHUNK, moved=count_up,
            lanes=made, manifests=self.world.manifests, step=256 << 10, pace=pace,
        )  # fmt: skip

    @property
    def part(self) -> Path:
        """What arrived so far, seen from this machine."""
        return self.host.files / "root" / self.root[1:] / "parts" / f"{self.world.sha256}.part"

    def hash(self) -> str:
        return self.host.ssh(f"openssl dgst -sha256 -r < '{self.root}/{self.world.to}'").split()[0]


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

    def processes(self) -> list[int]:
        return [lane.process for lane in self.inner.made if lane.process is not None]
