"""Every recorded output of llama.cpp, read by who reads it. The table is in llama_cpp.py."""

import os
import re
from collections.abc import Callable
from contextlib import suppress
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest

from fleet.builds.explain import CONFIGURE
from fleet.builds.explain import explain as explain_build
from fleet.core.errors import ProbeError
from fleet.models import buffers
from fleet.platforms.probe.store import devices
from fleet.servers import metrics, slots
from fleet.servers.capabilities import parse_help
from fleet.servers.capabilities import read as read_program
from fleet.servers.failure import explain
from tests.recordings.llama_cpp import ROWS

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


def version(text: str) -> tuple[int | None, str | None, str | None]:
    found = read_program("", text)
    return found.number, found.commit, found.version


def allocated(text: str) -> dict[str, tuple[float | None, ...]]:
    found = buffers.read(text.splitlines())
    return {
        device: tuple(
            round(kinds[kind] / MIB, 2) if kind in kinds else None
            for kind in ("weights", "kv", "compute", "output")
        )
        for device, kinds in found.by_device().items()
    }


def sums(text: str) -> dict[str, int]:
    found = buffers.read(text.splitlines())
    assert found.total is None
    devices = {row.device for row in found.result}
    return {
        one: sum(row.total for row in found.result if row.device == one) // MIB for one in sorted(devices)
    }


def built(text: str) -> str | None:
    """What fleet would say of a log that it saw end with 0: no cause, whatever its lines are like."""
    cause, _ = explain_build(text.splitlines(), 0)
    return None if cause == "the build ended with exit code 0" else cause


def cases(text: str) -> dict[str, str]:
    """Each configuration by its options, and why it failed."""
    found = {}
    for case in text.split("### cmake ")[1:]:
        options, code, *lines = case.splitlines()
        cause, following = explain_build(lines, CONFIGURE if code == "rc=1" else 0)
        assert following
        if code == "rc=1":
            found[options] = cause
        else:
            assert (code, cause) == ("rc=0", "the build ended with exit code 0")
    return found


READERS: dict[str, Callable[[str], Any]] = {
    "http": answer,
    "transitions": transitions,
    "ended": ended(),
    "ended-0": ended(0),
    "ended-132": ended(132),
    "devices": listed,
    "flags": parse_help,
    "version": version,
    "buffers": allocated,
    "sums": sums,
    "built-0": built,
    "cases": cases,
}


def row_of(name: str) -> tuple[str, str, Any] | None:
    return next((row for row in ROWS if fnmatch(name, row[0])), None)


@pytest.mark.parametrize("name", FILES)
def test_a_recording_is_read_or_told_to_be_nothing_of_the_kind(name):
    row = row_of(name)
    assert row is not None, f"{name} stands in no row"
    _, reader, value = row
    found = READERS[reader]((FOLDER / name).read_text("utf-8", "replace"))
    if reader.startswith(("ended", "flags")):
        assert value in found
    elif reader == "cases":
        assert list(found) == list(value)
        assert [words for case, words in value.items() if words not in found[case]] == [], found
    else:
        assert found == value


def test_every_row_has_a_recording():
    patterns = [row[0] for row in ROWS]
    assert [pattern for pattern in patterns if not any(fnmatch(name, pattern) for name in FILES)] == []
