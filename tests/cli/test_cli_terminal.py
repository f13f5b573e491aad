"""The command line at a terminal: interrupted, asked, watched, completed."""

import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest

from fleet.shell import essence
from tests.controller import Controller, Ended
from tests.embedded import EmbeddedHost
from tests.terminal import says

PATIENCE = 60.0  # seconds


def test_records_that_cannot_be_kept_stop_everything(apart: Controller):
    (apart.state / "fleet").mkdir(parents=True)
    (apart.state / "fleet" / "fleet.db").mkdir()
    says(apart("facts", "h1"), 1, "journal")


def test_a_reader_that_leaves_gets_no_traceback(apart: Controller):
    line = (
        f"{sys.executable} -m fleet config show --schema | head -1; {sys.executable} -m fleet facts | head -1"
    )
    done = subprocess.run(
        ["sh", "-c", line], check=False, cwd=apart.folder, env=apart.env, capture_output=True, text=True
    )
    assert "Traceback" not in done.stderr
    assert "Error" not in done.stderr


def hear(terminal: int, word: bytes) -> None:
    """Reads what is written there, in however many pieces, until the word is there."""
    said = b""
    end = time.monotonic() + PATIENCE
    while word not in said:
        ready, _, _ = select.select([terminal], [], [], max(0.0, end - time.monotonic()))
        assert ready, f"no {word!r} within {PATIENCE:g} s; it said {said!r}"
        said += os.read(terminal, 1 << 16)


def interrupt(
    fleet: Controller, *words: str, stdin: int | None = None, until: Callable[[], None] | None = None
) -> Ended:
    """Start a command, send SIGINT once it has said something, and see how it ends.

    Args:
        stdin: a terminal.
        until: waits for what it says there.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "fleet", *words],
        cwd=fleet.folder,
        env=fleet.env,
        stdin=subprocess.DEVNULL if stdin is None else stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE if stdin is None else stdin,
        text=True,
    )
    assert process.stdout
    if until is None:
        process.stdout.readline()
    else:
        until()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=PATIENCE)
    return Ended(process.returncode, out, err or "")


def test_ctrl_c_ends_with_130_and_one_sentence(apart: Controller):
    ended = interrupt(apart, "status", "--watch", "--plain", "--every", "0.2")
    assert ended.code == 130, ended
    assert "interrupted" in ended.err
    assert "Traceback" not in ended.err
    assert apart.journal("run_ended")[-1]["exit_code"] in (0, 130)


@pytest.mark.usefixtures("clean")
def test_ctrl_c_at_a_question_does_not_wait_for_the_answer(apart: Controller):
    ours, theirs = pty.openpty()
    try:
        asked = partial(hear, ours, b"[y/N]")
        ended = interrupt(apart, "push", "h1", stdin=theirs, until=asked)
        assert ended.code == 130, ended
        hear(ours, b"interrupted")
    finally:
        os.close(ours)
        os.close(theirs)


@pytest.mark.usefixtures("clean")
@pytest.mark.parametrize(
    ("hosts_", "typed", "code"), [("h1", "y", 0), ("h1", "", 7), ("all", "y", 7), ("all", "2", 0)]
)
def test_a_person_is_asked_and_enter_alone_means_no(apart: Controller, hosts_: str, typed: str, code: int):
    ours, theirs = pty.openpty()
    try:
        os.write(ours, f"{typed}\n".encode())
        done = subprocess.run(
            [sys.executable, "-m", "fleet", "push", hosts_], check=False, cwd=apart.folder, env=apart.env,
            stdin=theirs, stderr=theirs, stdout=subprocess.PIPE, text=True, timeout=60,
        )  # fmt: skip
        assert done.returncode == code, done.stdout + os.read(ours, 1 << 16).decode()
    finally:
        os.close(ours)
        os.close(theirs)


def test_a_watched_line_is_news_only_when_it_says_something_else():
    line = "rtx     ready  1.7 (19m ago)  8%   0s"
    assert essence(line) == essence("rtx  ready  1.7 (20m ago)  9%  1s")
    assert essence(line) != essence("rtx     ready  1.7 (19m ago)  38%   0s")
    assert essence(line) != essence("rtx     down  1.7 (19m ago)  8%   0s")


@pytest.mark.usefixtures("clean")
def test_watching_prints_what_changed_and_nothing_else(apart: Controller, hosts: dict[str, EmbeddedHost]):
    process = apart.start("status", "h1", "--watch", "--plain", "--every", "0.1")
    assert process.stdout
    try:
        assert re.match(r"\d\d:\d\d:\d\d  HOST", process.stdout.readline())
        assert process.stdout.readline().split()[1:4] == ["h1", "ready", "-"]
        looks = len(apart.journal("probed"))
        end = time.monotonic() + PATIENCE
        while len(apart.journal("probed")) < looks + 3:
            assert time.monotonic() < end, "it looks no more"
            time.sleep(0.1)
        build = hosts["h1"].home / ".local" / "share" / "fleet" / "builds" / ("a" * 16)
        build.mkdir(parents=True)
        record = {"fingerprint": "a" * 16, "backend": "vulkan", "number": 1}
        (build / "BUILD.json").write_text(json.dumps(record, indent=2) + "\n")
        lines = [process.stdout.readline()]
        while "vulkan" not in lines[-1]:  # its memory may have changed meanwhile
            assert lines[-1], "it ended"
            lines.append(process.stdout.readline())
        told = [essence(line[10:]) for line in lines]
        assert all(before != after for before, after in pairwise(told))
    finally:
        process.terminate()
        process.wait(30)
        process.stdout.close()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_script_of(shell: str, fleet: Controller):
    script = fleet.well("completion", shell).out
    assert "_FLEET_COMPLETE" in script
    if shutil.which(shell):
        checked = subprocess.run([shell, "-n"], check=False, input=script, capture_output=True, text=True)
        assert checked.returncode == 0, checked.stderr


def test_the_environment_names_an_inventory_and_forbids_changes(apart: Controller, tmp_path: Path):
    apart.env |= {"FLEET_INVENTORY": str(tmp_path / "elsewhere.toml"), "FLEET_READ_ONLY": "1"}
    apart.inventory.rename(tmp_path / "elsewhere.toml")
    says(apart("--host", "h1", "push", "--yes"), 6, "read-only")
    assert apart.well("--host", "h1", "facts", "--json").host["name"] == "h1"


def test_names_are_completed_from_the_inventory(apart: Controller):
    apart.env |= {"_FLEET_COMPLETE": "bash_complete", "COMP_WORDS": "fleet status h", "COMP_CWORD": "2"}
    assert {"h1", "h2"} <= {line.partition(",")[2] for line in apart("status").out.splitlines()}
