"""From key to paint in the dashboard while a model is pushed; needs root.

    python benchmarks/tui_push.py [--keys 50] [--rate 1000] [--hosts 2] [--json]

Hosts of their own are made of namespaces on this machine (tests/rig), each with a real sshd behind
a line of so many Mbit/s. The real `fleet tui` on a pseudo-terminal is told to push a file of its own
to all of them, and letters are typed into its command line until so many were echoed, before the push
and while it runs. Controller and hosts share this machine's cores. Nothing is asserted.
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).resolve().parent)]

from hosts import hosts, needs_root, row, show, write_model  # noqa: E402
from tui import Terminal, latency  # noqa: E402

PATIENCE = 180.0  # seconds for the push to begin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--keys", type=int, default=50, help="letters typed (default: 50)")
    parser.add_argument("--rate", type=float, default=1000.0, help="of each line, Mbit/s (default: 1000)")
    parser.add_argument("--hosts", type=int, default=2, help="that are pushed to at once (default: 2)")
    parser.add_argument("--gib", type=float, default=3.0, help="size of the model (default: 3)")
    parser.add_argument("--json", action="store_true", help="one JSON document; seconds")
    given = parser.parse_args()
    needs_root(parser)
    with hosts(given.hosts, rate=given.rate) as found, tempfile.TemporaryDirectory() as folder:
        rows = measured(found, Path(folder), given.keys, int(given.gib * 2**30))
    show(rows, given.json)


def measured(hosts: Sequence[Any], folder: Path, keys: int, size: int) -> list[dict[str, Any]]:
    """Key to paint in a dashboard at rest, and in the same one during its push."""
    from tests.controller import Controller

    controller = Controller(folder / "records", folder / "cache")
    write_model(folder / "model.gguf", size, is_random=False)
    models = {"big": {"source": f"file:{folder / 'model.gguf'}", "allow_unpinned": True}}
    controller.write(hosts, servers={}, models=models)
    words = [sys.executable, "-m", "fleet", "tui", "--inventory", str(controller.inventory)]
    terminal = Terminal(words, (140, 40), {**controller.env, "LC_ALL": "C.UTF-8"})
    try:
        terminal.wait_for(hosts[0].name, PATIENCE)
        terminal.read(5.0)
        quiet = latency(terminal, keys)
        terminal.read(1.0)
        terminal.write(":push all --model big\r")
        terminal.wait_for("push model", PATIENCE)
        terminal.read(1.0)
        terminal.write(f"{len(hosts)}\r" if len(hosts) > 1 else "y")
        wait_for_part(hosts, PATIENCE)
        busy = latency(terminal, keys)
        is_running = any(parts(host) for host in hosts)
    finally:
        terminal.close()
    if not is_running:
        raise SystemExit("the push was over before the last key; take a larger --gib")
    case = f"{len(hosts)} hosts, {size / 2**30:g} GiB"
    return [
        row("fleet tui at rest: key to paint, median", statistics.median(quiet), 0.05),
        row(f"fleet tui, push to {case}: key to paint, median", statistics.median(busy), 0.05),
        row(f"fleet tui, push to {case}: key to paint, worst of {keys}", max(busy), 0.2),
    ]


def parts(host: Any) -> list[Path]:
    home: Path = host.files / "root" / "home" / host.user
    return [one for one in home.glob(".local/share/fleet/parts/*.part") if one.stat().st_size > 2**20]


def wait_for_part(hosts: Sequence[Any], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not all(parts(host) for host in hosts):
        if time.monotonic() > end:
            raise SystemExit("no byte arrived")
        time.sleep(0.1)


if __name__ == "__main__":
    main()
