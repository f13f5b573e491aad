"""How long fleet takes to say a word about itself, beside bare Python; medians.

python benchmarks/startup.py [--runs 20] [--json]
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

BARE = [sys.executable, "-c", "pass"]
COMMANDS = {
    "fleet --version": ["--version"],
    "fleet --help": ["--help"],
    "fleet deploy --help": ["deploy", "--help"],
    "fleet completion bash": ["completion", "bash"],
    "fleet deploy --<Tab>": [],
}
TAB = {"_FLEET_COMPLETE": "bash_complete", "COMP_WORDS": "fleet deploy --", "COMP_CWORD": "2"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runs", type=int, default=20, help="starts of each (default: 20)")
    parser.add_argument("--json", action="store_true", help="one JSON document; times in seconds")
    given = parser.parse_args()
    rows = measured(given.runs)
    if given.json:
        print(json.dumps({"rows": rows}))
        return
    for row in rows:
        print(f"{row['what']:24} {row['value'] * 1e3:7.1f} ms  bare Python {row['against'] * 1e3:5.1f} ms")


def measured(runs: int) -> list[dict[str, Any]]:
    """The commands take turns with bare Python, so that a busy moment hits all alike."""
    times: dict[str, list[float]] = {what: [] for what in COMMANDS}
    bare: list[float] = []
    for _ in range(runs):
        bare.append(seconds(BARE))
        for what, words in COMMANDS.items():
            times[what].append(seconds([sys.executable, "-m", "fleet", *words], {} if words else TAB))
    against = statistics.median(bare)
    return [
        {"what": what, "value": value, "against": against, "ratio": value / against}
        for what, value in ((what, statistics.median(each)) for what, each in times.items())
    ]


def seconds(argv: Sequence[str], environ: Mapping[str, str] | None = None) -> float:
    began = time.perf_counter()
    variables = {**os.environ, **(environ or {})}
    subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, env=variables, check=True)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
