"""One model to one host and to many behind one uplink: seconds, and bytes that left; needs root.

    python benchmarks/fanout.py [--hosts 8] [--gib 1] [--rate 1000] [--rounds 3] [--disk memory] [--json]

Hosts of their own are made of namespaces on this machine (tests/rig), each with a real sshd. The
controller is a namespace too, behind one line of so many Mbit/s; the hosts reach each other without a
limit. `fleet push` and as many scp at once bring them a file of random bytes, and the counters of that
line say what left it. Hosts write to memory, because hosts have a disk each and these would share one;
`--disk shared` lets them. Controller and hosts share this machine's cores: where those are busy all the
time, they are the limit and not the way the bytes take, and a lower `--rate` shows that. Nothing is asserted.

Of the rounds the middle one counts, by its seconds; scp has one. A push to all hosts goes before them and
does not count: a virtual machine that gave its free memory back (/sys/module/page_reporting) pays for each
page anew at the first touch, which is no work of who writes there.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parent)]

from hosts import hosts, needs_root, row, show, write_model  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--hosts", type=int, default=8, help="how many (default: 8)")
    parser.add_argument("--gib", type=float, default=1.0, help="size of the model (default: 1)")
    parser.add_argument("--rate", type=float, default=1000.0, help="of the uplink, Mbit/s (default: 1000)")
    parser.add_argument("--rounds", type=int, default=3, help="of fleet's pushes (default: 3)")
    parser.add_argument("--disk", choices=("memory", "shared"), default="memory", help="of the hosts")
    parser.add_argument("--json", action="store_true", help="one JSON document; seconds and bytes")
    given = parser.parse_args()
    needs_root(parser)
    with hosts(given.hosts) as found, tempfile.TemporaryDirectory() as folder:
        for host in found if given.disk == "memory" else ():
            own = f"/home/{host.user}/.local"
            host.exec("install", "-d", "-o", host.user, own)
            owner = host.exec("id", "-u", host.user).strip()
            host.exec("mount", "-t", "tmpfs", "-o", f"uid={owner},mode=700", "hosts", own)
        uplink = Uplink(found[0], given.rate)
        try:
            size = int(given.gib * 2**30)
            rows = measured(found, Path(folder), uplink, size, given.rate, given.rounds)
        finally:
            uplink.close()
    show(rows, given.json)


@dataclass(frozen=True)
class Taken:
    """What copies to some hosts took."""

    seconds: float
    sent: int  # bytes that left the controller
    cores: float  # of this machine that were busy, on average


class Uplink:
    """The controller's namespace, and its one line to the bridge that all hosts hang on."""

    def __init__(self, host: Any, rate: float) -> None:
        self.name = f"up{os.getpid() % 100000}"
        device = f"{self.name}b"
        port = next(
            line.split()[1].rstrip(":").split("@")[0]
            for line in run("ip", "-o", "link", "show", "type", "bridge").splitlines()
            if host.address.rsplit(".", 2)[0] in run("ip", "-o", "addr", "show", "dev", _device(line))
        )
        self.address = f"{host.address.rsplit('.', 2)[0]}.250.250"
        burst, queue = max(131072, int(rate * 500)), max(524288, int(rate * 2500))
        limit = f"tbf rate {rate:g}mbit burst {burst} limit {queue}".split()
        run("ip", "netns", "add", self.name)
        run("ip", "link", "add", device, "type", "veth", "peer", "name", "eth0", "netns", self.name)
        run("ip", "link", "set", device, "master", port, "up")
        run("tc", "qdisc", "replace", "dev", device, "root", *limit)
        self.inside("ip", "link", "set", "lo", "up")
        self.inside("ip", "addr", "add", f"{self.address}/16", "dev", "eth0")
        self.inside("ip", "link", "set", "eth0", "up")
        self.inside("tc", "qdisc", "replace", "dev", "eth0", "root", *limit)

    def inside(self, *argv: str) -> str:
        return run(*self.argv(argv))

    def argv(self, argv: Sequence[str]) -> list[str]:
        return ["ip", "netns", "exec", self.name, *argv]

    def sent(self) -> int:
        """Bytes that left the controller, headers included."""
        (line,) = json.loads(self.inside("ip", "-j", "-s", "link", "show", "dev", "eth0"))
        return int(line["stats64"]["tx"]["bytes"])

    def close(self) -> None:
        run("ip", "netns", "del", self.name)


def measured(
    hosts: Sequence[Any], folder: Path, uplink: Uplink, size: int, rate: float, rounds: int
) -> list[dict[str, Any]]:
    from tests.controller import Controller

    controller = Controller(folder / "records", folder / "cache")
    model = folder / "model.gguf"
    write_model(model, size)
    models = {"big": {"source": f"file:{model}", "allow_unpinned": True}}
    controller.write(hosts, servers={}, models=models)
    network = f"{uplink.address}/16"
    text = controller.inventory.read_text()
    controller.inventory.write_text(f"[defaults]\nprivate_networks = [{json.dumps(network)}]\n\n{text}")

    def push(count: int) -> "Taken":
        touched(count * size)
        names = [host.name for host in hosts[:count]]
        words = ["push", *names, "--model", "big", "--yes", "--max-hosts", str(count)]
        return timed(uplink, [[sys.executable, "-m", "fleet", *words]], controller.env, controller.folder)

    def scp(count: int) -> "Taken":
        touched(count * size)
        lines = [
            [
                "scp",
                "-q",
                "-F",
                str(host.ssh_config),
                "-c",
                "aes128-gcm@openssh.com",
                str(model),
                f"{host.name}:.local/m",
            ]
            for host in hosts[:count]
        ]
        return timed(uplink, lines, dict(os.environ), folder)

    push(len(hosts))  # the manifest is made, and programs and memory are there
    clean(hosts)
    ones, manys = [], []
    for _ in range(rounds):
        ones.append(push(1))
        clean(hosts)
        manys.append(push(len(hosts)))
        clean(hosts)
    one, many = middle(ones), middle(manys)
    case = f"{size / 2**30:g} GiB, {rate:g} Mbit/s"
    scp_one = scp(1)
    clean(hosts)
    scp_many = scp(len(hosts))
    clean(hosts)
    all_of_them = f"{len(hosts)} hosts, {case}"
    return [
        row(f"fleet, 1 host, {case}: seconds", one.seconds, None),
        row(f"fleet, {all_of_them}: seconds, against 1 host", many.seconds, one.seconds),
        row(
            f"fleet, {all_of_them}: of the rounds the slowest",
            max(each.seconds for each in manys),
            one.seconds,
        ),
        row(f"fleet, {all_of_them}: busy cores, against this machine's", many.cores, os.cpu_count()),
        row(f"fleet, 1 host, {case}: bytes sent, against the model", one.sent, size),
        row(f"fleet, {all_of_them}: bytes sent, against the model", many.sent, size),
        row(f"scp, 1 host, {case}: seconds", scp_one.seconds, None),
        row(f"scp, {all_of_them}: seconds, against 1 host", scp_many.seconds, scp_one.seconds),
        row(f"scp, {all_of_them}: bytes sent, against the model", scp_many.sent, size),
        row(f"fleet, {all_of_them}: seconds, against scp", many.seconds, scp_many.seconds),
    ]


def timed(uplink: Uplink, lines: Sequence[Sequence[str]], env: dict[str, str], folder: Path) -> Taken:
    """What it took until all of these had ended."""
    sent, began, busy = uplink.sent(), time.monotonic(), busy_seconds()
    with open(folder / "said", "w") as said:
        running = [
            subprocess.Popen(uplink.argv(line), env=env, cwd=folder, stdout=said, stderr=said)
            for line in lines
        ]
        codes = [each.wait() for each in running]
    seconds = time.monotonic() - began
    if any(codes):
        raise SystemExit(f"{' '.join(lines[0])}: exit {max(codes)}\n{(folder / 'said').read_text()[-2000:]}")
    return Taken(seconds, uplink.sent() - sent, (busy_seconds() - busy) / seconds)


def middle(rounds: Sequence[Taken]) -> Taken:
    return sorted(rounds, key=lambda one: one.seconds)[len(rounds) // 2]


def busy_seconds() -> float:
    """Of all cores since the machine was started."""
    with open("/proc/stat") as file:
        ticks = [int(word) for word in file.readline().split()[1:]]
    return (sum(ticks[:8]) - ticks[3] - ticks[4]) / os.sysconf("SC_CLK_TCK")


def clean(hosts: Sequence[Any]) -> None:
    for host in hosts:
        home = f"/home/{host.user}/.local"
        host.exec("rm", "-rf", f"{home}/share/fleet/models", f"{home}/m")
    os.sync()


def touched(size: int) -> None:
    """Memory for what comes: a virtual machine gets it from its host at the first touch, at 4 s a GiB."""
    memory = Path("/dev/shm") if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryFile(dir=memory) as file:
        for _ in range(0, size, 1 << 24):
            file.write(bytes(1 << 24))


def run(*argv: str) -> str:
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


def _device(line: str) -> str:
    return line.split()[1].rstrip(":").split("@")[0]


if __name__ == "__main__":
    main()
