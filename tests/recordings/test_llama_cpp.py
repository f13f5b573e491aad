"""Every recorded output of llama.cpp, read by who reads it. The table is in llama_cpp.py."""

import os
import re
from collections.abc import Callable
from contextlib import suppress
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest

from fleet.core.errors import ProbeError
from fleet.platforms.probe.store import devices
from fleet.servers import metrics, slots
from fleet.servers.capabilities import parse_help
from fleet.servers.failure import explain
from tests.recordings.llama_cpp import ELSEWHERE, ROWS

SHARED = Path(os.environ.get("FLEET_SHARED", Path(__file__).resolve().parents[3] / "shared"))
FOLDER = SHARED / "recordings" / "llama.cpp"
FILES = sorted(
    str(path.relative_to(FOLDER)) for path in FOLDER.rglob("*") if path.is_file() and path.name != "README.md"
)
MIB = 1 << 20

pytestmark = pytest.mark.skipif(not FILES, reason="../shared/recordings is not there")


def answer(text: str) -> dict[str, Any]:
    """What every reader of a server's answers makes of one."""
    head, _, body = text.partition("\n\n")
    status = re.match(r"HTTP/1\.1 (\d+)", head)
    found: dict[str, Any] = {"health": slots.health(int(status[1]) if status else 0, body)}
    if found["health"] == "silent":
        del found["health"]
    if one := slots.props(body):
        found["props"] = (one.is_sleeping, one.slots, one.context, one.model)
    with suppress(ProbeError):
        found["slots"] = [(slot.id, slot.is_processing, slot.decoded) for slot in slots.parse_slots(body)]
    gauges = (metrics.processing(body.encode()), metrics.deferred(body.encode()))
    return found if gauges == (None, None) else found | {"metrics": gauges}


def transitions(text: str) -> list[str]:
    return [answer(part.partition("\n")[2])["health"] for part in text.split("--- t=")[1:]]


def ended(code: int | None = None) -> Callable[[str], str]:
    def read(text: str) -> str:
        said = re.search(r"(?m)^(?:exit code: |rc=)(-?\d+)", text)
        return explain(int(said[1]) if said and code is None else code, text.splitlines()).cause

    return read


def listed(text: str) -> list[str]:
    return [f"{one.name} {one.title} {one.total // MIB}" for one in devices(text)]


READERS: dict[str, Callable[[str], Any]] = {
    "http": answer,
    "transitions": transitions,
    "ended": ended(),
    "ended-0": ended(0),
    "ended-132": ended(132),
    "devices": listed,
    "flags": parse_help,
}


def row_of(name: str) -> tuple[str, str, Any] | None:
    return next((row for row in ROWS if fnmatch(name, row[0])), None)


def elsewhere(name: str) -> bool:
    return any(fnmatch(name, pattern) for pattern in ELSEWHERE)


@pytest.mark.parametrize("name", [name for name in FILES if not elsewhere(name)])
def test_a_recording_is_read_or_told_to_be_nothing_of_the_kind(name):
    row = row_of(name)
    assert row is not None, f"{name} stands in no row"
    _, reader, value = row
    found = READERS[reader]((FOLDER / name).read_text("utf-8", "replace"))
    if reader.startswith(("ended", "flags")):
        assert value in found
    else:
        assert found == value


def test_every_row_has_a_recording():
    patterns = [row[0] for row in ROWS] + list(ELSEWHERE)
    assert [pattern for pattern in patterns if not any(fnmatch(name, pattern) for name in FILES)] == []
