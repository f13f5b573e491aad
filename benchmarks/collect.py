"""What watching many hosts at 1 Hz costs this machine: processor, memory, lines; needs root.

    python benchmarks/collect.py [--hosts 50] [--seconds 30] [--json]

Hosts of their own are made of namespaces on this machine (tests/rig), each with a real sshd.
The budget is 30 % of a core and 300 MiB for 300 hosts; `against` is its part for so many hosts
(the memory of an empty collector is counted once). No servers run on these hosts.
"""

import argparse
import asyncio
import os
import resource
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parent)]

from hosts import hosts, needs_root, row, show  # noqa: E402

BUDGET = 0.30  # of a core, for MOST hosts
MEMORY = 300 << 20  # bytes, for all of it
MOST = 300  # hosts
PATIENCE = 300.0  # seconds until all hosts have answered


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--hosts", type=int, default=50, help="how many, at most 300 (default: 50)")
    parser.add_argument("--seconds", type=float, default=30, help="length of the measurement (default: 30)")
    parser.add_argument("--json", action="store_true", help="one JSON document; seconds and bytes")
    given = parser.parse_args()
    needs_root(parser)
    with hosts(min(given.hosts, MOST)) as found:
        rows = asyncio.run(measured({host.name: host for host in found}, given.seconds))
    show(rows, given.json)


async def measured(hosts: dict[str, Any], seconds: float) -> list[dict[str, Any]]:
    """CPU, memory and lines of a collector on these hosts, once all of them have answered."""
    from fleet.core.events import Event, Heartbeat, Sampled
    from fleet.core.inventory import Inventory
    from fleet.io.folders import SystemFolders
    from fleet.io.runs import world
    from fleet.io.servers.collect import Collector
    from tests.io.watching import Screen, wish

    counts: Counter[str] = Counter()
    seen: set[str | None] = set()
    size = 0

    def tell(event: Event) -> None:
        counts[type(event).__name__] += 1
        if isinstance(event, Heartbeat | Sampled):
            seen.add(event.host)

    case = f"{len(hosts)} hosts at 1 Hz"
    with tempfile.TemporaryDirectory() as folder:
        folders = SystemFolders(*(Path(folder) / name for name in ("state", "cache", "config")))
        for path in (folders.state, folders.cache, folders.config):
            path.mkdir()
        inventory = Inventory(hosts={name: wish(host) for name, host in hosts.items()})
        before = resident()
        async with world(inventory, Screen(), "benchmark", folders) as opened:
            collecting = asyncio.create_task(Collector(opened, tell).run())
            began, spent = time.monotonic(), cpu()
            async with asyncio.timeout(PATIENCE):
                while len(seen) < len(hosts):
                    await asyncio.sleep(0.05)
            first, connecting = time.monotonic() - began, cpu() - spent
            await asyncio.sleep(5)
            loops = await looped(opened, next(iter(hosts)))
            counts.clear()
            began, spent = time.monotonic(), cpu()
            await asyncio.sleep(seconds)
            length, used = time.monotonic() - began, cpu() - spent
            size = resident()
            said = dict(counts)
            after = await looped(opened, next(iter(hosts)))
            collecting.cancel()
            await asyncio.gather(collecting, return_exceptions=True)
    budget = BUDGET * len(hosts) / MOST
    lines = (said.get("Heartbeat", 0) + said.get("Sampled", 0)) / length
    there = (after[1] - loops[1]) / (after[0] - loops[0])
    return [
        row(f"fleet, {case}: share of a core", used / length, budget),
        row(f"fleet, {case}: resident memory, bytes", size, MEMORY),
        row(f"fleet, {case}: lines a second", lines, float(len(hosts))),
        row(f"fleet, {case}: of these with new values", said.get("Sampled", 0) / length, None),
        row(f"fleet, {case}: bytes a host more", (size - before) / len(hosts), None),
        row(f"fleet, {case}: seconds until all had answered", first, None),
        row(f"fleet, {case}: processor seconds for that", connecting, None),
        row(f"fleet, {case}: all of a host's own work, share of a core", there, 0.01),
    ]


async def looped(opened: Any, host: str) -> tuple[float, float]:
    """Now, and the processor seconds of the loop on a host, ended children included."""
    # The shell that worked most: of all programs there only the loop goes on and on.
    script = """for f in /proc/[0-9]*/stat; do
        read -r line < "$f" 2>/dev/null || continue
        case $line in *'(sh)'*) set -- ${line##*) }; echo "$((${12} + ${13} + ${14} + ${15}))" ;; esac
    done"""
    answer = await (await opened.transport(host)).run(script, deadline=30)
    ticks = [int(word) for word in answer.out.split()]
    return time.monotonic(), max(ticks, default=0) / os.sysconf("SC_CLK_TCK")


def cpu() -> float:
    """Processor seconds of this process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def resident() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


if __name__ == "__main__":
    main()
