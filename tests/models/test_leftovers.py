"""What conversions left on a host, and what of it may go."""

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from fleet.core.facts import Job
from fleet.io.shelltext import placed
from fleet.models import leftovers
from fleet.models.leftovers import Left

ID, OTHER, MODEL = "1" * 16, "2" * 16, "a" * 64
DAY = 86_400  # seconds
SHELLS = [shell for shell in ("dash", "bash", "zsh", "busybox") if shutil.which(shell)]


def left(folder: str, name: str, state: str | None = None, models: tuple[str, ...] = ()) -> Left:
    return Left(folder, name, 1 << 30, state, frozenset(models))


ENVIRONMENT = left("converter", "3" * 16)


def places(found: list[Left], jobs: tuple[Job, ...] = (), held: tuple[str, ...] = ()) -> list[str]:
    return [one.left.place for one in leftovers.spare(found, jobs, held)]


def test_the_results_of_a_conversion_stay_while_a_model_of_it_does():
    over = left("conversions", ID, "over", (MODEL,))
    assert places([over], held=(MODEL,)) == []
    assert places([over]) == [over.place]


def test_work_that_was_broken_off_stays_for_a_week_and_with_it_what_it_needs():
    fresh, quiet = left("conversions", ID, "fresh"), left("conversions", OTHER, "quiet")
    assert places([fresh, quiet, ENVIRONMENT]) == [quiet.place]
    assert places([quiet, ENVIRONMENT]) == [quiet.place, ENVIRONMENT.place]
    (said,) = leftovers.notes([fresh, quiet], ())
    assert said.startswith(f"conversions/{ID} (1.0 GiB) stays: broken off less than 7 days ago")


def test_nothing_that_a_running_conversion_needs_may_go():
    quiet, other = left("conversions", ID, "quiet"), left("conversions", OTHER, "quiet")
    runs = (Job(f"convert-{ID}-quantise-q4_k_m", True, None),)
    assert places([quiet, other, ENVIRONMENT], runs) == [other.place]
    assert leftovers.notes([quiet], runs) == (f"conversions/{ID} (1.0 GiB) stays: it runs now",)
    over = (Job(f"convert-{ID}-quantise-q4_k_m", False, 0),)
    assert places([quiet, ENVIRONMENT], over) == [quiet.place, ENVIRONMENT.place]
    unpacks = (Job("converter-" + "3" * 16, True, None),)
    assert places([ENVIRONMENT], unpacks) == []


def test_every_reason_is_told():
    found = [left("conversions", ID, "quiet"), left("conversions", OTHER, "over"), ENVIRONMENT]
    assert [one.why for one in leftovers.spare(found, (), ())] == [
        "broken off, and untouched for 7 days",
        "no model that it made is here any more",
        "nothing is converted here now; the next conversion brings it anew",
    ]


@pytest.mark.parametrize("shell", SHELLS)
def test_a_host_says_what_lies_there(shell: str, tmp_path: Path):
    root = tmp_path / "root of it's own"
    for name in ("1", "2", "3", "4"):
        (root / "conversions" / (name * 16) / "in").mkdir(parents=True)
    (root / "conversions" / ID / "base.gguf").write_bytes(bytes(1 << 20))
    (root / "conversions" / OTHER / "Q8_0.gguf.tmp").write_bytes(b"x")
    age(root / "conversions" / OTHER, 9 * DAY)
    over = root / "conversions" / ("3" * 16)
    (over / "results").write_text(f"Q8_0 {MODEL} 5\nQ4_K_M {'b' * 64} 3\n")
    (over / "check-Q8_0.said").write_text("PPL 3\n")
    (root / "conversions" / "away").symlink_to(tmp_path)
    (root / "converter" / ("e" * 16)).mkdir(parents=True)
    (root / "converter" / "tree-t1" / "conversion").mkdir(parents=True)
    (root / "converter" / "tmp").mkdir()
    (root / "parts").mkdir()
    (root / "parts" / "converter-e1.tar").write_bytes(bytes(4096))
    (root / "parts" / f"{MODEL}.part").write_bytes(b"x")
    found = {one.place: one for one in leftovers.read(said(shell, root))}
    assert {place: one.state for place, one in found.items()} == {
        f"conversions/{ID}": "fresh",
        f"conversions/{OTHER}": "quiet",
        "conversions/" + "3" * 16: "over",
        "conversions/" + "4" * 16: "over",
        "converter/" + "e" * 16: None,
        "converter/tmp": None,
        "converter/tree-t1": None,
        "parts/converter-e1.tar": None,
    }
    assert found["conversions/" + "3" * 16].models == {MODEL, "b" * 64}
    assert 1 << 20 <= found[f"conversions/{ID}"].size < 2 << 20


@pytest.mark.parametrize("shell", SHELLS)
def test_what_a_removal_that_was_cut_off_left_in_the_trash_is_told(shell: str, tmp_path: Path):
    (tmp_path / "trash").mkdir()
    assert leftovers.trash(said(shell, tmp_path)) is None
    (tmp_path / "trash" / f"{MODEL}.77").mkdir()
    (tmp_path / "trash" / f"{MODEL}.77" / "model.gguf").write_bytes(bytes(1 << 20))
    assert 1 << 20 <= (leftovers.trash(said(shell, tmp_path)) or 0) < 2 << 20


@pytest.mark.parametrize("shell", SHELLS)
def test_a_host_where_nothing_was_converted_says_nothing(shell: str, tmp_path: Path):
    assert said(shell, tmp_path / "none") == ""


@pytest.mark.parametrize(
    "line",
    [
        "conversion ../x 5 quiet",
        f"conversion {ID} five quiet",
        f"conversion {ID} 5",
        "converter .. 5",
        "converter a/b 5",
        "packed x 5 over",
        f"result {ID} ../../etc",
        "conversion",
    ],
)
def test_a_line_that_no_host_of_ours_prints_is_nothing(line: str):
    assert leftovers.read(line) == ()


def said(shell: str, root: Path) -> str:
    argv = [shell, "sh"] if shell == "busybox" else [shell]
    script = placed(leftovers.script(), str(root))
    done = subprocess.run([*argv, "-s"], input=script, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout


def age(folder: Path, seconds: int) -> None:
    then = time.time() - seconds
    for path in (*folder.rglob("*"), folder):
        os.utime(path, (then, then))
