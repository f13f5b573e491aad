"""gc and unlock as conversations, and their programs on a real root."""

import os
import stat
import subprocess
from dataclasses import replace

import pytest

from fleet.commands import gc, unlock
from fleet.core.facts import Build, ModelFile, Part
from fleet.core.flow import Carried, Carry
from fleet.io.shelltext import placed
from tests.commands.values import HELD, INVENTORY, LOCK, SHA, asked, ended, facts, request

OLD, NEW, OTHER = "0" * 16, "1" * 16, "6" * 64


def planned(module, found):
    flow = module.verb.flow(request(module.__name__.rpartition(".")[2]), INVENTORY, "laptop")
    next(flow)
    return flow, asked(flow, found)


def removed(**found):
    return [step.key for step in planned(gc, facts(**found))[1].steps]


def test_gc_of_a_bare_host_does_nothing():
    flow, plan = planned(gc, facts())
    assert plan.steps == ()
    assert ended(flow, False).steps == ()


def test_gc_keeps_what_a_release_uses_and_what_the_inventory_wants():
    builds = (Build(OLD, "cpu", 1), Build(NEW, "cpu", 2))
    models = (HELD, ModelFile(OTHER, 5))
    assert removed(builds=builds, models=models, used=frozenset([NEW])) == [
        f"gc:builds/{OLD}", f"gc:models/{OTHER}",
    ]  # fmt: skip
    assert removed(builds=builds, models=models, used=frozenset([NEW, OLD, OTHER])) == []


def test_gc_keeps_the_newest_build_of_a_host_without_servers():
    assert removed(builds=(Build(OLD, "cpu", 1), Build(NEW, "cpu", 2))) == [f"gc:builds/{OLD}"]


def test_gc_keeps_the_part_of_a_model_that_is_still_wanted():
    assert removed(parts=(Part(SHA, 1), Part(OTHER, 2))) == [f"gc:parts/{OTHER}.part"]


def run(script, root, generation=""):
    return subprocess.run(
        ["sh", "-s"], check=False, input=placed(script, str(root), generation), capture_output=True, text=True
    )


def step_for(kind, name):
    return gc.remove(kind, name, 0).action.script


def test_what_gc_removes_is_gone_although_it_was_read_only(tmp_path):
    build = tmp_path / "builds" / OLD / "bin"
    build.mkdir(parents=True)
    (build / "llama-server").write_text("x")
    for path in (build / "llama-server", build, build.parent):
        path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    done = run(step_for("builds", OLD), tmp_path)
    assert done.returncode == 0, done.stderr
    assert os.listdir(tmp_path / "builds") == []
    assert os.listdir(tmp_path / "trash") == []
    assert run(step_for("builds", OLD), tmp_path).returncode == 0


@pytest.mark.parametrize("name", ["../x", "a/b", "", ".hidden", "a b"])
def test_gc_refuses_names_that_are_not_plain_ids(tmp_path, name):
    done = run(step_for("models", name), tmp_path)
    assert done.returncode == 1
    assert "refusing the name" in done.stdout


def test_gc_does_not_follow_a_link_out_of_the_root(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "keep").write_text("x")
    root = tmp_path / "root"
    (root / "models").mkdir(parents=True)
    (root / "models" / OTHER).symlink_to(outside)
    assert run(step_for("models", OTHER), root).returncode == 1
    assert (outside / "keep").exists()
    (root / "models" / OTHER).unlink()
    (root / "models").rmdir()
    (root / "models").symlink_to(tmp_path)
    (tmp_path / OTHER).mkdir()
    assert run(step_for("models", OTHER), root).returncode == 1
    assert (tmp_path / OTHER).exists()


def test_gc_of_a_host_that_was_taken_over_removes_nothing(tmp_path):
    (tmp_path / "models" / OTHER).mkdir(parents=True)
    (tmp_path / "lock" / "lock.3").mkdir(parents=True)
    assert run(step_for("models", OTHER), tmp_path, "2").returncode == 75
    assert (tmp_path / "models" / OTHER).exists()


def test_a_free_lock_needs_no_unlock():
    for lock in (None, replace(LOCK, is_released=True)):
        flow, plan = planned(unlock, facts(lock=lock))
        assert (plan.steps, plan.notes) == ((), ("the lock is free",))
        assert ended(flow, False) is plan


def test_unlock_names_the_holder_and_takes_only_the_lock_it_named():
    flow, plan = planned(unlock, facts(lock=LOCK))
    (step,) = plan.steps
    assert "ops@desk (fleet deploy, pid 9)" in step.title
    assert flow.send(True) == Carry(plan)
    assert ended(flow, Carried()) == plan


def test_after_unlock_the_next_write_of_the_old_holder_is_refused(tmp_path):
    (tmp_path / "lock" / "lock.7").mkdir(parents=True)
    script = planned(unlock, facts(lock=LOCK))[1].steps[0].action.script
    assert run("", tmp_path, "7").returncode == 0
    done = run(script, tmp_path)
    assert done.returncode == 0, done.stdout
    assert (tmp_path / "lock" / "lock.8" / "done").exists()
    (tmp_path / "models" / OTHER).mkdir(parents=True)
    assert run(step_for("models", OTHER), tmp_path, "7").returncode == 75
    # said again, it finds somebody else's lock and leaves it alone
    (tmp_path / "lock" / "lock.9").mkdir()
    assert run(script, tmp_path).returncode == 1
    assert not (tmp_path / "lock" / "lock.9" / "done").exists()
