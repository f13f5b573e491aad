"""Inodes that run out in the middle of a push, on a real ext4 with few of them."""

import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.controller import Controller
from tests.io import gates
from tests.io.controllers import GGUF
from tests.io.gates import Gate, emptied, ended
from tests.io.storing import NOBODY
from tests.live.sites import Site, digest
from tests.parts import split
from tests.rig.hosts import RigHost, Rigs

HOST, RATE = "h1", 80  # Mbit/s, so that a model of this size takes a second or two
MIB = 1 << 20


@pytest.fixture(scope="module")
def host(rig: Rigs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RigHost]:
    profile = gates.profile(tmp_path_factory.mktemp("profile"))
    hosts = rig.up(1, disk={HOST: "96:160"}, profile={HOST: profile}, rate=RATE)
    yield hosts[HOST]
    hosts.down()


@pytest.fixture
def site(host: RigHost, tmp_path: Path) -> Iterator[Site]:
    made = Site(Controller(tmp_path / "desk", tmp_path / "cache"), host)
    models = {name: written(tmp_path, name) for name in ("one", "two")}
    files = split(tmp_path)
    models["many"] = {"source": f"file:{files[0]}", "parts": [digest(file) for file in files]}
    made.controller.write([host], NOBODY, models)
    yield made
    host.exec("sh", "-c", "rm -rf /srv/gate /home/full /home/$0/.local", host.user)


def written(folder: Path, name: str) -> dict[str, object]:
    file = folder / f"{name}.gguf"
    file.write_bytes(GGUF + random.Random(name).randbytes(18 * MIB))
    return {"source": f"file:{file}", "sha256": digest(file)}


def used_up(host: RigHost) -> None:
    """Not one inode is free; blocks are."""
    program = "mkdir -p /home/full; cd /home/full; n=0; while touch $n; do n=$((n + 1)); done 2>/dev/null"
    host.exec("sh", "-c", program)
    assert host.exec("df", "--output=iavail", "/home").split()[1] == "0"


def published(site: Site) -> list[str]:
    """What is there under its final name and is what the name says; anything else fails."""
    path = f"/home/{site.host.user}/.local/share/fleet/models"
    said = site.host.exec("sh", "-c", f"cd {path} && for m in */model.gguf; do sha256sum $m; done")
    pairs = [line.split() for line in said.splitlines()]
    assert all(name == f"{sha256}/model.gguf" for sha256, name in pairs)
    return sorted(sha256 for sha256, _ in pairs)


def push(site: Site, name: str) -> tuple[int, list[dict[str, object]]]:
    """Pushes a model, and takes all inodes when it is on its way."""
    run = site.controller.start("push", HOST, "--model", name, "--yes", "--jsonl")
    assert run.stdout
    events = []
    for line in run.stdout:
        events.append(json.loads(line))
        if events[-1]["event"] == "step_progress" and events[-1]["step"] == f"push model {name}":
            used_up(site.host)
            break
    rest, _ = run.communicate(timeout=120)
    return run.returncode, events + [json.loads(line) for line in rest.splitlines()]


def sha256(site: Site, name: str) -> str:
    return digest(site.controller.folder.parent / f"{name}.gguf")


def test_a_file_that_is_on_its_way_has_every_inode_that_it_needs(site: Site):
    code, events = push(site, "one")
    assert code == 0, events[-3:]
    assert published(site) == [sha256(site, "one")]


def test_what_has_none_yet_is_refused_before_its_first_byte_and_what_arrived_stays(site: Site):
    gate = Gate(site)
    gate.shut("before", "/model.gguf")
    run = site.controller.start("push", HOST, "--model", "one", "--model", "two", "--yes", "--jsonl")
    gate.stopped(run)
    used_up(site.host)
    gate.open()
    said, _ = run.communicate(timeout=120)
    events = [json.loads(line) for line in said.splitlines()]
    assert run.returncode == 1, events[-3:]
    (failed,) = [event for event in events if event["event"] == "step_failed"]
    assert "the disk is full" in failed["message"]
    assert "df -i" in failed["next"]
    assert [event["step"] for event in events if event["event"] == "step_done"] == ["push model one"]
    assert published(site) == [sha256(site, "one")]
    emptied(site.host)
    again = site.controller.well("push", HOST, "--model", "one", "--model", "two", "--yes", "--jsonl")
    assert [event["step"] for event in again.events("step_done")] == ["push model two"]
    assert published(site) == sorted(sha256(site, name) for name in ("one", "two"))


def test_before_its_final_name_and_after_its_last_byte_a_file_needs_none(site: Site):
    gate = Gate(site)
    gate.shut("before", "/model.gguf")
    run = site.controller.start("push", HOST, "--model", "one", "--yes")
    gate.stopped(run)
    used_up(site.host)
    gate.open()
    assert ended(run) == 0
    assert published(site) == [sha256(site, "one")]


def test_files_of_one_model_that_cannot_be_put_together_are_kept_and_not_sent_again(site: Site):
    gate = Gate(site)
    gate.shut("before", "models/sets/.")
    run = site.controller.start("push", HOST, "--model", "many", "--yes", "--jsonl")
    gate.stopped(run)
    used_up(site.host)
    gate.open()
    said, _ = run.communicate(timeout=120)
    assert run.returncode == 1
    (failed,) = [json.loads(line) for line in said.splitlines() if '"step_failed"' in line]
    assert "cannot be made" in failed["message"]
    assert "fleet" in failed["next"] or "space" in failed["next"]
    assert len(published(site)) == 3
    emptied(site.host)
    again = site.controller.well("push", HOST, "--model", "many", "--yes", "--jsonl")
    (done,) = again.events("step_done")
    assert done["step"].startswith("put the 3 files")
    assert site.controller.well("push", HOST, "--model", "many", "--yes", "--json").host["steps"] == []
