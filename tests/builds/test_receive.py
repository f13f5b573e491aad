"""A finished build on another host: the real llama.cpp, proven there before it gets its name."""

import json
import subprocess
import tarfile
from dataclasses import replace

import pytest

from fleet.builds import plan
from fleet.builds.explain import explain
from fleet.core.flow import Claimed
from fleet.core.shell import assign
from fleet.io.cache import Cache
from tests.builds.conftest import CPU, carry
from tests.builds.hosts import probed, program_of, record, run


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "Application Support"
    folder.mkdir()
    return folder


def receive(root, finished, packed=None):
    steps, _ = plan.steps("here", CPU, probed(root), finished.tree, Claimed("cache", size=1))
    smoke = Cache(root / "cache").path(plan.smoke_artifact())
    return carry(root, steps, {"build": packed or finished.packed, "file": smoke})


def repacked(finished, folder, name, data):
    """The same build with one file changed, and its record with it."""
    folder.mkdir()
    subprocess.run(["tar", "-xzf", finished.packed, "-C", folder], check=True)
    (folder / "bin" / name).write_bytes(data)
    (folder / "bin" / name).chmod(0o700)
    return folder


def packed_again(folder, to):
    with tarfile.open(to, "w:gz") as tar:
        tar.add(folder / "BUILD.json", "BUILD.json")
        tar.add(folder / "bin", "bin")
    return to


def test_it_is_there_under_its_fingerprint_and_the_second_plan_is_empty(root, finished):
    status, lines = receive(root, finished)
    assert (status, lines[-1]) == (0, f"fleet: built {finished.fingerprint}")
    facts = probed(root)
    assert [(b.fingerprint, b.backend, b.number) for b in facts.builds] == [
        (finished.fingerprint, "cpu", 11434)
    ]
    assert plan.steps("here", CPU, facts, finished.tree) == ((), ())
    assert sorted(record(root, finished.fingerprint)["files"]) == [
        "llama-bench",
        "llama-fit-params",
        "llama-server",
    ]
    assert not list((root / "parts").iterdir())
    assert not list((root / "builds").glob(".*"))


def test_its_own_record_says_how_it_was_made(root, finished):
    receive(root, finished)
    made, _ = plan.recipe_for(CPU, probed(root), finished.tree)
    wanted = json.loads(json.dumps(made.document()))
    found = record(root, finished.fingerprint)
    assert {key: found[key] for key in wanted} == wanted
    assert found["built_at"] > 1_700_000_000


def test_what_it_says_on_this_machine_lies_beside_it(root, finished):
    receive(root, finished)
    says = root / "builds" / finished.fingerprint / "says"
    assert "build 11434" in (says / "version.txt").read_text()
    assert "--ctx-size" in (says / "help.txt").read_text()
    assert (says / "devices.txt").read_text().splitlines() == ["Available devices:", "  (none)"]


def test_receiving_it_twice_does_no_harm(root, finished):
    assert receive(root, finished)[0] == 0
    steps, _ = plan.steps("here", CPU, replace(probed(root), builds=()), finished.tree, Claimed("cache"))
    smoke = Cache(root / "cache").path(plan.smoke_artifact())
    assert carry(root, steps, {"build": finished.packed, "file": smoke})[0] == 0
    assert len(probed(root).builds) == 1


def test_packing_it_twice_gives_the_same_bytes(root, finished):
    receive(root, finished)
    script = assign(FLEET_ROOT=str(root)) + plan.pack_script(finished.fingerprint)
    one, two = (
        subprocess.run(["sh", "-s"], input=script.encode(), capture_output=True, check=True).stdout
        for _ in range(2)
    )
    assert one == two
    missing = assign(FLEET_ROOT=str(root)) + plan.pack_script("0" * 16)
    assert (
        subprocess.run(["sh", "-s"], input=missing.encode(), capture_output=True, check=False).returncode != 0
    )


def test_an_altered_program_is_refused(root, finished, tmp_path):
    folder = repacked(finished, tmp_path / "x", "llama-bench", b"#!/bin/sh\necho evil\n")
    status, lines = receive(root, finished, packed_again(folder, tmp_path / "x.tar.gz"))
    assert status == 81
    assert lines[-1] == "fleet: error: llama-bench is not the file that was built"
    assert not list((root / "builds").iterdir())


def test_another_build_under_this_name_is_refused(root, finished, tmp_path):
    folder = repacked(finished, tmp_path / "x", "llama-bench", b"")
    text = (folder / "BUILD.json").read_text().replace(finished.fingerprint, "0" * 16)
    (folder / "BUILD.json").write_text(text)
    assert receive(root, finished, packed_again(folder, tmp_path / "x.tar.gz"))[0] == 81


def test_a_broken_archive_is_refused(root, finished, tmp_path):
    half = tmp_path / "half.tar.gz"
    half.write_bytes(finished.packed.read_bytes()[:100_000])
    status, lines = receive(root, finished, half)
    assert status == 81
    assert explain(lines, status)[0] == "the archive is damaged"
    assert not list((root / "builds").iterdir())


def test_a_build_for_another_processor_is_found_out_and_the_remedy_is_to_build_here(root, finished, tmp_path):
    program = b"#!/bin/sh\nkill -s ILL $$\n"
    folder = repacked(finished, tmp_path / "x", "llama-bench", program)
    found = json.loads((folder / "BUILD.json").read_text())["files"]["llama-bench"]
    import hashlib

    text = (folder / "BUILD.json").read_text().replace(found, hashlib.sha256(program).hexdigest())
    (folder / "BUILD.json").write_text(text)
    status, lines = receive(root, finished, packed_again(folder, tmp_path / "x.tar.gz"))
    assert status == 87
    assert explain(lines, status, probed(root)) == ("built for another CPU", "fleet build here --rebuild")
    assert not list((root / "builds").iterdir())


def test_a_device_that_is_wanted_and_missing_is_found_out(root, finished):
    steps, _ = plan.steps("here", CPU, probed(root), finished.tree, Claimed("cache"))
    smoke = Cache(root / "cache").path(plan.smoke_artifact())
    carry(root, steps[:2], {"build": finished.packed, "file": smoke})
    status, lines = run(root, program_of(steps).replace("DEVICE=''", "DEVICE=CUDA"))
    assert status == 84
    assert "  (none)" in lines


def test_who_lost_the_host_to_another_controller_publishes_nothing(root, finished):
    steps, _ = plan.steps("here", CPU, probed(root), finished.tree, Claimed("cache"))
    smoke = Cache(root / "cache").path(plan.smoke_artifact())
    carry(root, steps[:2], {"build": finished.packed, "file": smoke})
    (root / "lock/lock.5").mkdir(parents=True)
    assert run(root, program_of(steps), generation="4")[0] == 75
    assert not (root / "builds" / finished.fingerprint).exists()
    assert run(root, program_of(steps), generation="5")[0] == 0
