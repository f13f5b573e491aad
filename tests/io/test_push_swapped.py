"""A model file of this machine that becomes another one while it is pushed: said, and not published."""

import json
import os
import random
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.controller import Controller
from tests.io.controllers import GGUF
from tests.io.storing import NOBODY
from tests.live.sites import Site, digest
from tests.rig.hosts import RigHost, Rigs

MIB = 1 << 20
SIZE = 64 * MIB  # four chunks
HELD = 6 * MIB  # at most, by pipes and windows: so much more was sent where the first chunk is there
RATE = 160  # Mbit/s: three seconds
OTHER = GGUF + random.Random("other").randbytes(SIZE)


@pytest.fixture(scope="module")
def host(rig: Rigs) -> Iterator[RigHost]:
    hosts = rig.up(1, rate=RATE)
    yield hosts["h1"]
    hosts.down()


@pytest.fixture
def site(host: RigHost, tmp_path: Path) -> Iterator[Site]:
    yield Site(Controller(tmp_path / "desk", tmp_path / "cache"), host)
    host.exec("sh", "-c", "rm -rf /home/$0/.local", host.user)


def replaced(file: Path) -> None:
    fresh = file.with_name("fresh")
    fresh.write_bytes(OTHER)
    fresh.replace(file)


def truncated(file: Path) -> None:
    os.truncate(file, file.stat().st_size - 1)


def emptied(file: Path) -> None:
    os.truncate(file, 0)


def removed(file: Path) -> None:
    file.unlink()


def linked_to_another(file: Path) -> None:
    other = file.with_name("elsewhere.gguf")
    other.write_bytes(OTHER)
    file.unlink()
    file.symlink_to(other)


def linked_to_nowhere(file: Path) -> None:
    file.unlink()
    file.symlink_to("nowhere.gguf")


def a_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


def rewritten_in_place(file: Path) -> None:
    """Its last bytes, which were not sent yet; nothing else of it changes."""
    with open(file, "r+b") as opened:
        opened.seek(-MIB, os.SEEK_END)
        opened.write(bytes(MIB))


CHANGES = (
    replaced, truncated, emptied, removed, linked_to_another, linked_to_nowhere, a_folder, rewritten_in_place,
)  # fmt: skip


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_file_that_changes_midway_is_not_published_and_the_right_one_goes_on(
    site: Site, tmp_path: Path, change: Callable[[Path], None]
):
    file, data = tmp_path / "model.gguf", GGUF + random.Random(1).randbytes(SIZE)
    file.write_bytes(data)
    sha256 = digest(file)
    site.controller.write([site.host], NOBODY, {"big": {"source": f"file:{file}", "sha256": sha256}})
    run = site.controller.start("push", "h1", "--model", "big", "--yes", "--jsonl", stderr=-1)
    assert run.stdout
    events = []
    for line in run.stdout:
        events.append(json.loads(line))
        if events[-1]["event"] == "step_progress" and events[-1]["done"] > SIZE / 4 + HELD:
            run.send_signal(signal.SIGSTOP)
            change(file)
            run.send_signal(signal.SIGCONT)
            break
    rest, said = run.communicate(timeout=120)
    events += [json.loads(line) for line in rest.splitlines()]
    assert run.returncode in (1, 6), said
    assert "Traceback" not in said
    (failed,) = [event for event in events if event["event"] == "step_failed"]
    assert str(file) in failed["message"]
    assert failed["next"]
    assert list(site.root.glob("models/*/model.gguf")) == []

    ended = site.controller("push", "h1", "--model", "big", "--yes")
    assert ended.code in (1, 6), ended
    assert "Traceback" not in ended.err
    assert "-> next: " in ended.err
    assert list(site.root.glob("models/*/model.gguf")) == []

    if file.is_dir():
        file.rmdir()
    file.unlink(missing_ok=True)
    file.write_bytes(data)
    held = site.verified(file)
    assert held
    again = site.controller.well("push", "h1", "--model", "big", "--yes", "--jsonl")
    (done,) = again.events("step_done")
    assert done["bytes"] == len(data) - held
    assert digest(site.root / "models" / sha256 / "model.gguf") == sha256
    assert list(site.root.glob("parts/*")) == []
