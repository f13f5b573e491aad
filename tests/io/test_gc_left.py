"""`fleet gc` and what conversions left on a host: told with its bytes and why, and removed once."""

import os
import subprocess
from pathlib import Path

import pytest

from fleet.commands import gc
from fleet.io.shelltext import placed
from tests.controller import Controller
from tests.io import storing
from tests.io.storing import NOBODY, TINY, root
from tests.models.test_leftovers import ID, OTHER, age

hosts, home = storing.hosts, storing.home
ENVIRONMENT = "3" * 16
WEEK = 7 * 86_400  # seconds


@pytest.fixture
def fleet(tmp_path: Path, capsys, hosts) -> Controller:
    controller = storing.Inside(tmp_path / "desk", capsys)
    controller.write(hosts.values(), NOBODY, {"tiny": TINY})
    return controller


def fill(home: Path) -> list[Path]:
    """A conversion that was given up, one that is over and whose model is gone, and their converter."""
    given_up, over = (root(home) / "conversions" / name for name in (ID, OTHER))
    converter = root(home) / "converter" / ENVIRONMENT
    tree = root(home) / "converter" / "tree-t1"
    for folder in (given_up / "in", over, converter / "site", tree):
        folder.mkdir(parents=True)
    (given_up / "base.gguf").write_bytes(bytes(3 << 20))
    (given_up / "in" / "model.safetensors").write_bytes(bytes(1 << 20))
    (over / "results").write_text(f"Q8_0 {'a' * 64} 5\n")
    (converter / "ready").touch()
    packed = root(home) / "parts" / f"converter-{ENVIRONMENT}.tar"
    packed.parent.mkdir()
    packed.write_bytes(bytes(2 << 20))
    age(given_up, WEEK + 3600)
    return [given_up, over, converter, tree, packed]


@pytest.mark.parametrize("words", [["gc"], ["models", "gc"]])
def test_what_conversions_left_is_named_with_its_bytes_and_why_and_goes_once(
    fleet: Controller, home: Path, words
):
    left = fill(home)
    shown = fleet.well(*words, "h1", "--dry-run", "--json").host["steps"]
    assert [step["title"].partition(": ")[0].rpartition(" (")[0] for step in shown] == [
        f"remove conversions/{ID}",
        f"remove conversions/{OTHER}",
        f"remove converter/{ENVIRONMENT}",
        "remove converter/tree-t1",
        "remove parts/converter-333333",
    ]
    assert shown[0]["title"] == f"remove conversions/{ID} (4.0 MiB): broken off, and untouched for 7 days"
    assert all(path.exists() for path in left)
    fleet.well(*words, "h1", "--yes")
    assert not any(path.exists() for path in left)
    assert list((root(home) / "trash").iterdir()) == []
    assert fleet.well(*words, "h1", "--yes", "--json").host["steps"] == []


def test_a_part_that_nobody_wants_goes_with_what_says_who_may_write_it(fleet: Controller, home: Path):
    parts = root(home) / "parts"
    parts.mkdir(parents=True)
    (parts / f"{'a' * 64}.part").write_bytes(bytes(1 << 20))
    (parts / f"{'a' * 64}.part.writer").touch()
    fleet.well("gc", "h1", "--yes")
    assert list(parts.iterdir()) == []
    assert fleet.well("gc", "h1", "--yes", "--json").host["steps"] == []


def test_work_that_was_broken_off_lately_stays_and_the_plan_says_so(fleet: Controller, home: Path):
    given_up, over, *converter = fill(home)
    (given_up / "base.gguf").touch()
    host = fleet.well("gc", "h1", "--yes", "--json").host
    assert [step["title"].partition(" (")[0] for step in host["steps"]] == [f"remove conversions/{OTHER}"]
    (said,) = host["notes"]
    assert said.startswith(f"conversions/{ID} (4.0 MiB) stays: broken off less than 7 days ago")
    assert not over.exists()
    assert all(path.exists() for path in (given_up, *converter))


def test_what_a_running_conversion_needs_is_not_in_the_plan_and_not_removed_by_an_older_one(
    fleet: Controller, home: Path
):
    given_up, _, *converter = fill(home)
    running = subprocess.Popen(["sleep", "600"])
    try:
        job = root(home) / "jobs" / f"convert-{ID}-quantise-q8_0"
        job.mkdir(parents=True)
        start = Path(f"/proc/{running.pid}/stat").read_text().rpartition(") ")[2].split()[19]
        boot = Path("/proc/sys/kernel/random/boot_id").read_text()
        (job / "pid").write_text(f"{running.pid} {start} {boot}")
        host = fleet.well("gc", "h1", "--yes", "--json").host
        assert f"conversions/{ID} (4.0 MiB) stays: it runs now" in host["notes"]
        assert all(path.exists() for path in (given_up, *converter))
        for kind, jobs in (("conversions", f"convert-{ID}-*"), ("converter", "convert*")):
            name = ID if kind == "conversions" else ENVIRONMENT
            script = placed(gc.remove(kind, name, None, jobs).action.script, str(root(home)))
            done = subprocess.run(["sh", "-s"], input=script, capture_output=True, text=True, check=False)
            assert done.returncode == 1
            assert f"convert-{ID}-quantise-q8_0 runs there now" in done.stdout
            assert (root(home) / kind / name).exists()
    finally:
        running.kill()
        running.wait()
    fleet.well("gc", "h1", "--yes")
    assert not any(path.exists() for path in (given_up, *converter))


def test_the_results_of_a_conversion_go_with_its_last_model_in_one_run(fleet: Controller, home: Path):
    model = root(home) / "models" / ("a" * 64)
    model.mkdir(parents=True)
    (model / "model.gguf").write_bytes(b"GGUF!")
    over = root(home) / "conversions" / OTHER
    over.mkdir(parents=True)
    (over / "results").write_text(f"Q8_0 {'a' * 64} 5\n")
    fleet.well("models", "keep", "a" * 12, "h1", "--yes")
    assert fleet.well("gc", "h1", "--yes", "--json").host["steps"] == []
    fleet.well("models", "keep", "a" * 12, "h1", "--off", "--yes")
    fleet.well("gc", "h1", "--yes")
    assert not over.exists()
    assert not model.exists()
    assert fleet.well("gc", "h1", "--yes", "--json").host["steps"] == []


def test_a_planted_link_among_what_conversions_left_is_not_followed(
    fleet: Controller, home: Path, tmp_path: Path
):
    outside = tmp_path / "outside"
    (outside / ID).mkdir(parents=True)
    (outside / ID / "precious").write_text("x")
    root(home).mkdir(parents=True)
    (root(home) / "conversions").symlink_to(outside)
    assert fleet.well("gc", "h1", "--yes", "--json").host["steps"] == []
    assert (outside / ID / "precious").exists()
    assert os.listdir(outside) == [ID]


def test_what_a_removal_that_was_cut_off_left_in_the_trash_goes_with_the_next(fleet: Controller, home: Path):
    gone = root(home) / "trash" / f"{'a' * 64}.77"
    gone.mkdir(parents=True)
    (gone / "model.gguf").write_bytes(bytes(2 << 20))
    gone.chmod(0o500)
    (step,) = fleet.well("models", "gc", "h1", "--dry-run", "--json").host["steps"]
    assert step["title"] == "empty the trash (2.0 MiB) that was left by a removal that was cut off"
    fleet.well("models", "gc", "h1", "--yes")
    assert not gone.exists()
    assert fleet.well("models", "gc", "h1", "--yes", "--json").host["steps"] == []
