"""What benchmarks on hosts of their own have in common: the hosts, a model for them, and rows of figures."""

import argparse
import json
import os
import random
import struct
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT)]


def needs_root(parser: argparse.ArgumentParser) -> None:
    """Ends the program where hosts cannot be made."""
    if os.geteuid() != 0 or sys.platform != "linux":
        parser.exit(2, "needs root on Linux: it makes hosts of its own\n")


@contextmanager
def hosts(count: int, **options: Any) -> Iterator[list[Any]]:
    """So many hosts of the rig, gone afterwards; options as its `up` takes them."""
    from tests.rig.hosts import Rigs

    rigs = Rigs()
    try:
        yield list(rigs.up(count, **options).values())
    finally:
        rigs.down()


def write_model(path: Path, size: int, is_random: bool = True) -> None:
    """A GGUF file of one tensor of random bytes, or of zeros, which take almost no room on a disk."""

    def text(value: str) -> bytes:
        return struct.pack("<Q", len(value)) + value.encode()

    header = b"GGUF" + struct.pack("<IQQ", 3, 1, 1)
    header += text("general.architecture") + struct.pack("<I", 8) + text("llama")
    header += text("blob") + struct.pack("<IQIQ", 1, size // 4, 0, 0)
    header += b"\0" * (-len(header) % 32)
    chance, left = random.Random(size), size // 4 * 4
    with open(path, "wb") as file:
        file.write(header)
        file.truncate(len(header) + left)
        while is_random and left:
            piece = chance.randbytes(min(left, 1 << 20))
            file.write(piece)
            left -= len(piece)


def row(what: str, value: float, against: float | None) -> dict[str, Any]:
    """A figure, and what it is measured against."""
    return {
        "what": what,
        "value": value,
        "against": against,
        "ratio": None if against is None else value / against,
    }


def show(rows: Sequence[dict[str, Any]], is_json: bool) -> None:
    if is_json:
        print(json.dumps({"rows": rows}))
        return
    width = max(len(row["what"]) for row in rows)
    for row in rows:
        against = "" if row["against"] is None else f"  of {row['against']:.6g}: {row['ratio']:.3f}"
        print(f"{row['what']:{width}} {row['value']:12.6g}{against}")
