"""Push of a model against raw TCP, scp and rsync; needs root.

    python benchmarks/push.py [--gib 1] [--rounds 3] [--cases near,far] [--json]

One host of its own is made of namespaces on this machine (tests/rig), with a real sshd behind a line of
1 Gbit/s: `1 Gbit/s` as it is, `50 ms` with that much added there and back. The same file goes by each
tool in turn, round after round, from this machine's memory to the host's disk; the best round of each
counts. Every copy is hashed on the host afterwards, outside the time. fleet's own time is of the whole
push: what the host has, the bytes, verification of every chunk there, fsync, rename; its manifest was
made before, once per model, as it is in use (`cold` is the first push, which makes it). CPU seconds are
those of the controller: the tool, its children, and for fleet the connection that was there before.
Nothing is asserted.
"""

import argparse
import asyncio
import hashlib
import os
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parent)]

from hosts import ROOT, hosts, needs_root, row, show  # noqa: E402

CIPHER = "aes128-gcm@openssh.com"
CASES = {"near": ("1 Gbit/s", {"rate": 1000}), "far": ("50 ms", {"rate": 1000, "latency": 50})}
SINK = """
import socket, sys
s = socket.create_server(("0.0.0.0", 5001))
print("ready", flush=True)
c, _ = s.accept()
b = bytearray(1 << 20)
with open(sys.argv[1], "wb") as f:
    while n := c.recv_into(b):
        f.write(memoryview(b)[:n])
c.sendall(b"k")
"""


@dataclass
class Taken:
    """What one copy cost."""

    seconds: float
    cpu: float  # seconds, of this machine's side


class Site:
    """A file, a host, and the tools between them."""

    def __init__(self, folder: Path, host: Any, size: int) -> None:
        self.folder, self.host, self.size = folder, host, size
        self.local = folder / "model.gguf"
        write_random(self.local, size)
        with open(self.local, "rb") as file:
            self.sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        self.home = f"/home/{host.user}"
        self.copy = f"{self.home}/copy"
        self.ssh = f"ssh -F {host.ssh_config} -c {CIPHER} -o Compression=no"

    def tcp(self) -> Taken:
        words = [sys.executable, str(ROOT / "tests/rig/testhosts"), "--rig", self.host.rig, "exec"]
        argv = [*words, self.host.name, "--", "python3", "-uc", SINK, self.copy]
        with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) as sink:
            assert sink.stdout
            sink.stdout.readline()

            host = self.host.address

            def send() -> None:
                with (
                    open(self.local, "rb") as file,
                    socket.create_connection((host, 5001)) as to,
                ):
                    to.sendfile(file)
                    to.shutdown(socket.SHUT_WR)
                    to.recv(1)

            return measured(send)

    def scp(self) -> Taken:
        target = f"{self.host.name}:{self.copy}"
        config = str(self.host.ssh_config)
        return measured(lambda: called("scp", "-q", "-F", config, "-c", CIPHER, str(self.local), target))

    def rsync(self) -> Taken:
        target = f"{self.host.name}:{self.copy}"
        return measured(lambda: called("rsync", "-W", "-e", self.ssh, str(self.local), target))

    def fleet(self, is_cold: bool = False) -> Taken:
        self.host.exec("rm", "-rf", f"{self.home}/fleet")
        if is_cold:
            shutil.rmtree(self.folder / "manifests", ignore_errors=True)
        return asyncio.run(self._fleet())

    async def _fleet(self) -> Taken:
        from fleet.core.inventory import Host
        from fleet.io.clock import SystemClock, SystemRandom
        from fleet.io.folders import SystemFolders
        from fleet.io.push.file import push
        from fleet.io.push.lanes import BulkLanes
        from fleet.io.ssh import transport as ssh
        from fleet.io.ssh.pins import Pins

        folders = SystemFolders(*(self.folder / name for name in ("state", "cache", "config")))
        wish = Host.model_validate(
            {"address": self.host.address, "user": self.host.user, "identity": str(self.host.key)}
            | {"known_hosts": str(self.host.known_hosts)}
        )
        clock = SystemClock()
        transport = await ssh.connect(
            "x", wish, pins=Pins(folders.state, clock), clock=clock, on_lost=lambda _: None
        )
        before, started = used(), time.monotonic()
        sent = await push(
            transport,
            self.local,
            self.sha256,
            self.size,
            f"models/{self.sha256}/model.gguf",
            root=f"{self.home}/fleet",
            generation="",
            say=lambda *numbers: None,
            clock=clock,
            manifests=self.folder / "manifests",
            lanes=BulkLanes("x", wish, transport, folders, SystemRandom()),
        )
        taken = Taken(time.monotonic() - started, used() - before)
        await transport.close()
        if sent != self.size:
            raise SystemExit(f"fleet sent {sent} bytes of {self.size}")
        return taken

    def check(self, tool: str) -> None:
        path = f"{self.home}/fleet/models/{self.sha256}/model.gguf" if tool.startswith("fleet") else self.copy
        said = self.host.exec("openssl", "dgst", "-sha256", "-r", path).split()[0]
        if said != self.sha256:
            raise SystemExit(f"{tool}: the copy is another file")
        self.host.exec("rm", "-f", path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--gib", type=float, default=1.0, help="size of the model (default: 1)")
    parser.add_argument("--rounds", type=int, default=3, help="copies by each tool (default: 3)")
    parser.add_argument("--cases", default="near,far", help="near, far or both (default: near,far)")
    parser.add_argument("--json", action="store_true", help="one JSON document")
    given = parser.parse_args()
    needs_root(parser)
    rows: list[dict[str, Any]] = []
    for case in given.cases.split(","):
        name, link = CASES[case]
        memory = "/dev/shm" if Path("/dev/shm").is_dir() else None
        with hosts(1, **link) as (host,), tempfile.TemporaryDirectory(dir=memory) as folder:
            rows += compared(Site(Path(folder), host, int(given.gib * 2**30)), name, given.rounds)
    show(rows, given.json)


def compared(site: Site, case: str, rounds: int) -> list[dict[str, Any]]:
    """Rates and CPU of every tool, against raw TCP and scp."""
    tools: dict[str, Callable[[], Taken]] = {"raw TCP": site.tcp, "fleet": site.fleet}
    tools |= {tool: run for tool, run in (("scp", site.scp), ("rsync", site.rsync)) if shutil.which(tool)}
    first = site.fleet(is_cold=True)
    site.check("fleet, cold")
    every: dict[str, list[Taken]] = {tool: [] for tool in tools}
    for _ in range(rounds):
        for tool, run in tools.items():
            every[tool].append(run())
            site.check(tool)
    best = {tool: min(takes, key=lambda taken: taken.seconds) for tool, takes in every.items()}
    best["fleet, cold"] = first
    least = {tool: min(taken.cpu for taken in takes) for tool, takes in every.items()}
    least["fleet, cold"] = first.cpu
    gib, raw = site.size / 2**30, site.size / best["raw TCP"].seconds / 1e6
    rows = [
        row(f"{tool}, {case}: MB/s against raw TCP", site.size / taken.seconds / 1e6, raw)
        for tool, taken in best.items()
    ]
    if "scp" in least:
        rows += [
            row(f"{tool}, {case}: CPU s/GiB against scp", cpu / gib, least["scp"] / gib)
            for tool, cpu in least.items()
        ]
    return rows


def measured(act: Callable[[], object]) -> Taken:
    before, started = used(), time.monotonic()
    act()
    return Taken(time.monotonic() - started, used() - before)


def used() -> float:
    """CPU seconds of this process and of its children that have ended."""
    whose = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(usage.ru_utime + usage.ru_stime for usage in map(resource.getrusage, whose))


def called(*argv: str) -> None:
    subprocess.run(argv, check=True)


def write_random(path: Path, size: int) -> None:
    with open(path, "wb") as file:
        for start in range(0, size, 2**24):
            file.write(os.urandom(min(2**24, size - start)))


if __name__ == "__main__":
    main()
