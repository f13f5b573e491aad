"""`fleet models pull` and `pin` are killed: the next one asks only for the rest, and no pin is lost."""

import hashlib
import json
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fleet.io.fetch import part_file
from tests.controller import Controller
from tests.io.controllers import GGUF
from tests.io.files import FileServer
from tests.live.sites import digest

MIB = 1 << 20
DATA = GGUF + random.Random(16).randbytes(16 * MIB)
SHA = hashlib.sha256(DATA).hexdigest()
SLOW = 4 * MIB  # bytes/s of each connection
PATIENCE = 60.0  # seconds


@pytest.fixture
def server() -> Iterator[FileServer]:
    running = FileServer(DATA)
    yield running
    running.close()


@pytest.fixture
def fleet(tmp_path: Path, server: FileServer) -> Controller:
    made = Controller(tmp_path / "desk", tmp_path / "cache")
    made.write([], {}, {"big": {"source": source(server), "sha256": SHA}})
    return made


def source(server: FileServer) -> str:
    return f"url:{server.at('model.gguf')}"


def models(fleet: Controller) -> Path:
    return Path(fleet.env["XDG_CACHE_HOME"]) / "fleet" / "models"


def kept(fleet: Controller) -> int:
    """Bytes that the next pull need not ask for."""
    for part in models(fleet).glob("*.part"):
        if part_file.note_of(part).exists():
            note = json.loads(part_file.note_of(part).read_text())
            return sum(end - start for start, end in note["done"])
    return 0


def until(look: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not look():
        assert time.monotonic() < end, "never came true"
        time.sleep(0.01)


def killed(fleet: Controller, moment: Callable[[], bool], *words: str) -> None:
    """Starts a command and kills it at the moment."""
    run = fleet.start(*words)
    try:
        until(lambda: moment() or run.poll() is not None)
        assert run.poll() is None, "it ended before the moment came"
    finally:
        run.kill()
        run.communicate()


def slowed(fleet: Controller, server: FileServer) -> None:
    """From now on the server is slow, and keeps the last tenth of what is missing: no moment is missed."""
    server.rate = SLOW
    server.most = server.sent + (len(server.data) - kept(fleet)) * 9 // 10


def hurried(fleet: Controller, server: FileServer) -> int:
    """From now on the server is fast and counts anew, once nothing of before is under way; what is kept."""
    server.closing.set()
    until(lambda: server.open == 0)
    server.closing.clear()
    server.rate, server.most, server.sent = None, None, 0
    return kept(fleet)


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_a_pull_that_is_killed_is_gone_on_with_by_the_next_which_asks_only_for_the_rest(
    fleet: Controller, server: FileServer, share: float
):
    slowed(fleet, server)
    killed(fleet, lambda: kept(fleet) >= share * len(DATA), "models", "pull", "big")
    assert not list(models(fleet).glob("*.gguf"))
    had = hurried(fleet, server)
    assert had >= share * len(DATA)
    (got,) = fleet.well("models", "pull", "big", "--json").json["models"]
    assert (got["sha256"], got["bytes"], got["changed"]) == (SHA, len(DATA), True)
    assert server.sent <= len(DATA) - had
    assert digest(models(fleet) / f"{SHA}.gguf") == SHA
    assert not list(models(fleet).glob("*.part*"))
    server.asked.clear()
    assert "nothing to do" in fleet.well("models", "pull", "big").out
    assert server.asked == []


def test_a_pull_that_is_killed_twice_loses_nothing_of_either(fleet: Controller, server: FileServer):
    slowed(fleet, server)
    killed(fleet, lambda: kept(fleet) >= 0.3 * len(DATA), "models", "pull", "big")
    first = kept(fleet)
    slowed(fleet, server)
    killed(fleet, lambda: kept(fleet) >= 0.7 * len(DATA), "models", "pull", "big")
    assert kept(fleet) > first
    had = hurried(fleet, server)
    fleet.well("models", "pull", "big")
    assert server.sent <= len(DATA) - had
    assert digest(models(fleet) / f"{SHA}.gguf") == SHA


def test_a_pull_that_is_killed_before_its_first_byte_leaves_nothing_in_the_way(
    fleet: Controller, server: FileServer
):
    server.half, server.holds = 0, 99
    killed(fleet, lambda: len(server.asked) > 0, "models", "pull", "big")
    assert not list(models(fleet).glob("*.gguf"))
    server.holds = 0
    hurried(fleet, server)
    fleet.well("models", "pull", "big")
    assert digest(models(fleet) / f"{SHA}.gguf") == SHA


def test_an_interrupted_pull_says_that_the_same_command_goes_on(fleet: Controller, server: FileServer):
    slowed(fleet, server)
    run = fleet.start("models", "pull", "big", stderr=subprocess.PIPE)
    until(lambda: kept(fleet) >= 0.3 * len(DATA))
    run.send_signal(signal.SIGINT)
    _, said = run.communicate(timeout=PATIENCE)
    assert run.returncode == 130
    assert "Traceback" not in said
    assert "interrupted" in said
    had = hurried(fleet, server)
    fleet.well("models", "pull", "big")
    assert server.sent <= len(DATA) - had


def test_a_file_that_changed_there_while_nobody_pulled_is_never_mixed(fleet: Controller, server: FileServer):
    slowed(fleet, server)
    killed(fleet, lambda: kept(fleet) >= 0.3 * len(DATA), "models", "pull", "big")
    server.data, server.tag, server.rate, server.most = DATA[::-1], '"two"', None, None
    ended = fleet("models", "pull", "big")
    assert ended.code == 6, ended
    assert not list(models(fleet).glob("*.gguf"))
    server.data, server.tag = DATA, '"three"'
    fleet.well("models", "pull", "big")
    assert digest(models(fleet) / f"{SHA}.gguf") == SHA


def test_a_pin_that_is_killed_while_it_is_renewed_is_the_old_one_until_the_new_is_written(
    fleet: Controller, server: FileServer
):
    fleet.write([], {}, {"big": {"source": source(server), "allow_unpinned": True}})
    fleet.well("models", "pull", "big")
    lock = fleet.folder / "fleet.lock"
    before = lock.read_bytes()
    assert SHA.encode() in before
    server.data, server.tag = GGUF + bytes(16 * MIB), '"two"'
    slowed(fleet, server)
    killed(fleet, lambda: kept(fleet) >= 8 * MIB, "models", "pin", "big")
    assert lock.read_bytes() == before
    assert {path.name for path in fleet.folder.iterdir() if path.is_file()} == {
        "fleet.lock",
        "inventory.toml",
    }
    # what is pinned is what everybody gets, also where the source has moved on
    (got,) = fleet.well("models", "pull", "big", "--json").json["models"]
    assert (got["sha256"], got["changed"]) == (SHA, False)
    had = hurried(fleet, server)
    pinned = fleet.well("models", "pin", "big", "--json").json["model"]
    assert (pinned["changed"], pinned["bytes"]) == (True, len(server.data))
    assert server.sent <= len(server.data) - had
    assert lock.read_bytes() != before
    assert "nothing to do" in fleet.well("models", "pin", "big").out


def test_a_first_pin_that_is_killed_leaves_no_lock_and_the_next_writes_it(
    fleet: Controller, server: FileServer
):
    fleet.write([], {}, {"big": {"source": source(server), "allow_unpinned": True}})
    slowed(fleet, server)
    killed(fleet, lambda: kept(fleet) >= 4 * MIB, "models", "pin", "big")
    assert not (fleet.folder / "fleet.lock").exists()
    had = hurried(fleet, server)
    assert fleet.well("models", "pin", "big", "--json").json["model"]["sha256"] == SHA
    assert server.sent <= len(DATA) - had
