"""fleet itself is killed, at ten moments of a push: the same command goes on, and no chunk is sent twice."""

import contextlib
import hashlib
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from fleet.io.push.part import chunk_size
from tests.controller import SMOKE, Controller
from tests.embedded import Embedded, EmbeddedHost
from tests.inside import Inside

NUMBERS = count()  # the session's records tell hosts apart by their names
CHUNKS = 1
CHUNK = chunk_size(1)
SIZE = CHUNKS * CHUNK + 12345  # bytes


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A GGUF file of several chunks: a small one, and bytes that nothing reads behind it."""
    path = tmp_path_factory.mktemp("model") / "big.gguf"
    data = SMOKE.read_bytes()
    path.write_bytes(data + os.urandom(SIZE - len(data)))
    return path


@pytest.fixture
def desk(
    embedded: Embedded, tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> Iterator[tuple[Controller, EmbeddedHost]]:
    (host,) = embedded.up([f"victim-{next(NUMBERS)}"]).values()
    fleet = Inside(tmp_path / "desk", capsys)
    fleet.write([host], {}, {"big": {"source": f"file:{model}", "allow_unpinned": True}})
    yield fleet, host
    host.close()
    shutil.rmtree(host.home, ignore_errors=True)


def root(host: EmbeddedHost) -> Path:
    return host.home / ".local" / "share" / "fleet"


def told(fleet: Controller, host: EmbeddedHost, kind: str) -> list[dict[str, Any]]:
    """What the records say of the host."""
    if not (fleet.state / "fleet" / "fleet.db").exists():
        return []
    events = fleet.journal(kind)
    return [event for event in events if host.name in (event["host"], *event.get("hosts", ()))]


def held(host: EmbeddedHost) -> int:
    """Bytes of the part that lies on the host."""
    size = 0
    for part in root(host).glob("parts/*.part"):
        with contextlib.suppress(FileNotFoundError):  # it got its final name just now
            size += part.stat().st_size
    return size


def moments() -> dict[str, Callable[[Controller, EmbeddedHost], bool]]:
    """What is waited for before fleet is killed."""

    def journalled(kind: str) -> Callable[[Controller, EmbeddedHost], bool]:
        def is_there(fleet: Controller, host: EmbeddedHost) -> bool:
            return bool(told(fleet, host, kind))

        return is_there

    def arrived(size: int) -> Callable[[Controller, EmbeddedHost], bool]:
        return lambda fleet, host: held(host) >= size

    return {
        "it has begun": lambda fleet, host: bool(told(fleet, host, "run_started")),
        "it has probed": journalled("probed"),
        "it has planned": journalled("planned"),
        "it was confirmed": journalled("confirmed"),
        "the lock is there": lambda fleet, host: (root(host) / "lock" / "lock.1").exists(),
        "the part is there": lambda fleet, host: bool(list(root(host).glob("parts/*.part"))),
        "half a chunk has arrived": arrived(CHUNK // 2),
        "a chunk has arrived": arrived(CHUNK),
        "all has arrived": arrived(SIZE),
        "it is published": lambda fleet, host: bool(list(root(host).glob("models/*/model.gguf"))),
    }


def is_right(path: Path, model: Path) -> bool:
    return hashlib.sha256(path.read_bytes()).digest() == hashlib.sha256(model.read_bytes()).digest()


@pytest.mark.parametrize("moment", moments())
def test_inv05_killed_when(moment: str, desk: tuple[Controller, EmbeddedHost], model: Path):
    fleet, host = desk
    has_come = moments()[moment]
    process = fleet.start("push", host.name, "--model", "big", "--yes")
    while not has_come(fleet, host) and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert process.stdout
    process.stdout.close()
    for final in root(host).glob("models/*/model.gguf"):
        assert is_right(final, model)
    # what the network still held arrives, and what was asked for last is done
    quiet, end = 0, time.monotonic() + 120
    while quiet < 3:
        assert time.monotonic() < end, "somebody still works there"
        quiet = 0 if host.programs() else quiet + 1
        time.sleep(0.1)
    kept = held(host) // CHUNK * CHUNK if held(host) < SIZE else SIZE
    is_there = bool(list(root(host).glob("models/*/model.gguf")))
    before = len(told(fleet, host, "step_done"))  # of a run that was done when it was killed
    fleet.well("push", host.name, "--model", "big", "--yes")
    (final,) = root(host).glob("models/*/model.gguf")
    assert is_right(final, model)
    assert list(root(host).glob("parts/*.part")) == []
    sent = sum(event["bytes"] for event in told(fleet, host, "step_done")[before:])
    assert sent == (0 if is_there else SIZE - kept)
    assert fleet.well("push", host.name, "--model", "big", "--yes").out == f"{host.name}: nothing to do\n"
    newest = max((root(host) / "lock").glob("lock.*"))
    assert is_there or (newest / "done").exists()


def test_a_host_whose_server_dies_midway_gets_the_rest_without_a_second_command(
    desk: tuple[Controller, EmbeddedHost], model: Path
):
    fleet, host = desk
    process = fleet.start("push", host.name, "--model", "big", "--yes", "--json", "--limit-rate", "8M")
    while held(host) < CHUNK // 2:
        assert process.poll() is None, "it was done before it was struck"
        time.sleep(0.01)
    host.kill()
    host.start()
    assert process.wait(60) == 0
    assert process.stdout
    process.stdout.close()
    (final,) = root(host).glob("models/*/model.gguf")
    assert is_right(final, model)
    (done,) = told(fleet, host, "step_done")
    assert SIZE <= done["bytes"] <= 2 * SIZE
    assert len(told(fleet, host, "link_lost")) == 1
