"""The files of one model put together on a host, by every shell of this machine."""

import shutil
import subprocess
from pathlib import Path

import pytest

from fleet.commands import gc
from fleet.core.facts import ModelSet
from fleet.core.plan import Artifact, Run
from fleet.io.shelltext import placed
from fleet.models import plan, splits
from tests.live.sites import digest
from tests.models.values import BARE
from tests.parts import split
from tests.platforms.shells import SHELLS, ask, run


@pytest.fixture
def root(tmp_path) -> Path:
    """A host's root with the files of a model under their hashes."""
    folder = tmp_path / "a 'fleet', of módels"
    (folder / "models").mkdir(parents=True)
    (folder / "LAYOUT").write_text("1\n")
    for file in split(tmp_path):
        held = folder / "models" / digest(file)
        held.mkdir()
        file.rename(held / "model.gguf")
        (held / "model.gguf").chmod(0o444)
    return folder


def big(root: Path) -> Artifact:
    held = sorted(root.glob("models/*/model.gguf"), key=lambda file: file.parent.name)
    return splits.together(
        "big", [Artifact("model", file.parent.name, "big", file.stat().st_size) for file in held]
    )


def gather(root: Path, shell: str = "sh", generation: str = "") -> subprocess.CompletedProcess[bytes]:
    step = plan.steps(BARE, (big(root),))[-1]
    assert isinstance(step.action, Run)
    return run(shell, placed(step.action.script, str(root), generation))


def folder(root: Path) -> Path:
    return root / "models" / "sets" / big(root).id


@pytest.mark.parametrize("shell", SHELLS)
def test_every_shell_makes_the_same_links_and_the_probe_sees_them(root, shell):
    for _ in range(2):  # the second time in place of the first
        assert gather(root, shell).returncode == 0
    names = [f"model-{number:05}-of-00003.gguf" for number in (1, 2, 3)]
    assert sorted(file.name for file in folder(root).iterdir()) == names
    for name, part in zip(names, big(root).parts, strict=True):
        assert (folder(root) / name).samefile(root / "models" / part.id / "model.gguf")
    assert [entry.name for entry in folder(root).parent.iterdir()] == [big(root).id]
    assert not list(root.glob("trash/*"))
    wanted = ModelSet(big(root).id, tuple(part.size or 0 for part in big(root).parts))
    assert ask(shell, str(root)).sets == (wanted,)
    assert plan.steps(ask(shell, str(root)), (big(root),)) == ()


def test_where_there_are_no_hard_links_there_are_others(root):
    """A folder that lies on another file system cannot be linked to by its file's number."""
    elsewhere = Path("/dev/shm") / f"parts-{root.parent.name}"
    held = root / "models" / big(root).parts[0].id
    try:
        shutil.move(held, elsewhere)
        if elsewhere.stat().st_dev == root.stat().st_dev:
            pytest.skip("/dev/shm is no other file system here")
        held.symlink_to(elsewhere)
        assert gather(root).returncode == 0
        assert (folder(root) / "model-00001-of-00003.gguf").is_symlink()
        assert len(ask("sh", str(root)).sets) == 1
        (elsewhere / "model.gguf").unlink()  # a link that leads nowhere is no file
        assert ask("sh", str(root)).sets == ()
    finally:
        shutil.rmtree(elsewhere, ignore_errors=True)


def test_a_set_with_a_file_too_few_is_none(root):
    gather(root)
    (folder(root) / "model-00002-of-00003.gguf").unlink()
    assert ask("sh", str(root)).sets == ()


def test_a_part_that_is_gone_is_named_and_nothing_is_left(root):
    wanted = plan.steps(BARE, (big(root),))[-1].action
    lost = root / "models" / big(root).parts[1].id / "model.gguf"
    lost.unlink()
    ended = run("sh", placed(wanted.script, str(root)))
    assert ended.returncode == 1
    assert f"part 2 of 3 is gone: {lost}" in ended.stderr.decode()
    assert list((root / "models" / "sets").iterdir()) == []


def test_a_link_in_the_way_is_not_followed(root, tmp_path):
    (tmp_path / "victim").mkdir()
    (root / "models" / "sets").symlink_to(tmp_path / "victim")
    ended = gather(root)
    assert ended.returncode == 1
    assert "is a symbolic link" in ended.stderr.decode()
    assert list((tmp_path / "victim").iterdir()) == []


def test_a_lock_that_was_taken_over_ends_it(root):
    (root / "lock").mkdir()
    (root / "lock" / "lock.7").touch()
    assert gather(root, generation="6").returncode == 75
    assert not (root / "models" / "sets").exists()


def test_gc_takes_a_set_away_and_leaves_the_files_as_they_are(root):
    gather(root)
    step = gc._remove("models/sets", big(root).id, None)
    assert run("sh", placed(step.action.script, str(root))).returncode == 0
    assert not folder(root).exists()
    assert {file.stat().st_mode & 0o777 for file in root.glob("models/*/model.gguf")} == {0o444}


def test_what_a_release_names_is_used(root):
    place = root / "releases" / "chat" / "r1"
    place.mkdir(parents=True)
    a, b, c = "a" * 64, "b" * 64, "c" * 64
    (place / "RELEASE.json").write_text(
        f'{{\n "sha256": "{a}",\n "parts": [\n  "{b}"\n ],\n "companions": [\n  {{\n'
        f'   "role": "lora",\n   "sha256": "{c}"\n  }}\n ]\n}}\n'
    )
    assert ask("sh", str(root)).used == {a, b, c}
