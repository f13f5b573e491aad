"""The functions that every program for a host may use, in every shell of this machine."""

import hashlib
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from fleet.core.shell import assign
from fleet.platforms import macos
from fleet.platforms.base import program
from tests.platforms.shells import SHELLS, run, told

every_shell = pytest.mark.parametrize("shell", SHELLS)


def until(is_so: Callable[[], bool], tries: int = 3000) -> None:
    while not is_so():
        tries -= 1
        assert tries, "it never came"
        time.sleep(0.01)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "Application Support" / "fleet"
    folder.mkdir(parents=True)
    return folder


def test_the_preamble_passes_shellcheck(tmp_path):
    text = tmp_path / "program.sh"
    text.write_text("# shellcheck shell=sh\n" + program('echo "$WORD"\n', WORD="it's"))
    checked = subprocess.run(["shellcheck", "-s", "sh", text], capture_output=True, text=True, check=False)
    assert (checked.stdout, checked.returncode) == ("", 0)


def test_a_variable_keeps_every_character(root):
    word = 'it\'s $HOME `id` "x" \\ * \n; end'
    assert told("sh", root, 'printf "%s\\n" "$WORD"', WORD=word) == word


@every_shell
@pytest.mark.parametrize("tool", ["openssl", "python3", "sha256sum", "shasum"])
def test_every_tool_gives_the_same_digest(shell, tool, root):
    file = root / "a model.gguf"
    file.write_bytes(os.urandom(3_000_001))
    only = f'is_here() {{ [ "$1" = {tool} ]; }}\n'
    assert (
        told(shell, root, only + 'digest "$FILE"', FILE=str(file))
        == hashlib.sha256(file.read_bytes()).hexdigest()
    )


@every_shell
def test_a_file_that_cannot_be_read_has_no_digest(shell, root):
    answer = run(shell, program('digest "$FILE"', FILE=str(root / "absent")))
    assert answer.returncode != 0
    assert b"cannot hash" in answer.stderr


@every_shell
def test_a_process_is_alive_only_with_its_own_start_and_this_boot(shell, root):
    body = """
sleep 60 & pid=$!
start=$(start_time $pid) boot=$(boot_id)
is_alive $pid "$start" "$boot" && echo alive
is_alive $pid "1$start" "$boot" || echo other start
is_alive $pid "$start" "another boot" || echo other boot
is_alive $pid || echo nothing recorded
is_alive "" "" "$boot" || echo no pid
kill $pid; wait $pid 2>/dev/null
is_alive $pid "$start" "$boot" || echo ended
case $start in *' '*) echo two words ;; esac
"""
    assert told(shell, root, body).splitlines() == [
        "alive",
        "other start",
        "other boot",
        "nothing recorded",
        "no pid",
        "ended",
    ]


def test_a_process_that_ended_and_was_not_waited_for_is_not_alive(root):
    process = subprocess.Popen(["true"])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert told("sh", root, 'start_time "$PID" || echo ended', PID=str(process.pid)) == "ended"
    process.wait()


@pytest.mark.parametrize("shell", [name for name in SHELLS if name != "busybox"])  # it brings its own ps
def test_a_mac_names_the_start_of_a_process_in_one_word_and_in_utc(shell, root):
    """The same options of ps as on macOS, with this machine's ps."""
    body = (
        macos.platform.script
        + "process_start $$\nTZ=Asia/Tokyo process_start $$\nprocess_start 4194305 || echo none\n"
    )
    first, second, third = told(shell, root, body).splitlines()
    assert re.fullmatch(r"[A-Z][a-z]{2}_[A-Z][a-z]{2}_\d+_\d\d:\d\d:\d\d_\d{4}", first)
    assert first[:13] == second[:13]  # GNU's ps may be a second off
    assert third == "none"


@every_shell
@pytest.mark.parametrize(
    ("generation", "there", "status"),
    [("2", (), 0), ("2", (1, 2), 0), ("2", (1, 2, 3), 75), ("9", (10,), 75), ("10", (9,), 0), ("", (3,), 0)],
)
def test_a_program_ends_with_75_when_a_higher_lock_exists(shell, generation, there, status, root):
    for number in there:
        (root / "lock" / f"lock.{number}").mkdir(parents=True)
    (root / "lock" / "lock.other").mkdir(parents=True)
    script = assign(FLEET_ROOT=str(root), FLEET_GENERATION=generation) + program("fence\necho done\n")
    answer = run(shell, script)
    assert answer.returncode == status
    assert answer.stdout == (b"" if status else b"done\n")


def test_a_job_that_was_taken_over_works_under_the_new_generation(root):
    for number in (1, 2):
        (root / "lock" / f"lock.{number}").mkdir(parents=True)
    (root / "generation").write_text("2\n")
    file = str(root / "generation")
    assert told("sh", root, "fence\necho done\n", generation="1", FLEET_GENERATION_FILE=file) == "done"


@every_shell
@pytest.mark.parametrize("way", ["setsid", "perl", "nohup"])
def test_a_detached_program_outlives_its_group_and_says_its_pid(shell, way, root):
    """The shell is killed as with kill -9 of sshd: with its whole process group."""
    body = f'is_here() {{ [ "$1" = {way} ]; }}\ndetach "$LOG" sh -c "$CMD"\n'
    command = "echo begun; read -r line || echo no input; exec sleep 60"
    shell_process = subprocess.Popen(
        [*SHELLS[shell], "-s"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
    )
    script = assign(FLEET_ROOT=str(root)) + program(body, LOG=str(root / "log"), CMD=command) + "\nsleep 50\n"
    shell_process.stdin.write(script.encode())
    shell_process.stdin.close()
    pid = int(shell_process.stdout.readline())
    try:
        if way == "nohup":  # it shares the group, but no terminal hangs up on it
            os.kill(shell_process.pid, signal.SIGKILL)
        else:
            until(lambda: os.getsid(pid) == pid)  # a moment after it begins
            os.killpg(shell_process.pid, signal.SIGKILL)
        shell_process.wait()
        until(lambda: "no input" in (root / "log").read_text())
        assert (root / "log").read_text() == "begun\nno input\n"
        os.kill(pid, 0)
    finally:
        os.kill(pid, signal.SIGKILL)
        if way == "nohup":
            os.killpg(shell_process.pid, signal.SIGKILL)
        shell_process.stdout.close()


@every_shell
def test_free_bytes_are_those_of_the_nearest_folder_that_exists(shell, root):
    system = os.statvfs(root)
    body = 'free_bytes "$FLEET_ROOT"\nfree_bytes "$FLEET_ROOT/not there/yet"\n'
    for line in told(shell, root, body).splitlines():
        assert 0.5 < int(line) / (system.f_bavail * system.f_frsize) < 2


@every_shell
def test_publishing_replaces_a_file(shell, root):
    (root / "tmp").write_text("new")
    (root / "final").write_text("old")
    told(shell, root, 'publish "$FLEET_ROOT/tmp" "$FLEET_ROOT/final"')
    assert (root / "final").read_text() == "new"
    assert not (root / "tmp").exists()


@every_shell
def test_publishing_a_folder_over_a_folder_never_moves_into_it(shell, root):
    for name in ("tmp", "final"):
        (root / name).mkdir()
        (root / name / "name").write_text(name)
    told(shell, root, 'publish "$FLEET_ROOT/tmp" "$FLEET_ROOT/final"')
    assert sorted(path.name for path in (root / "final").iterdir()) == ["name"]
    assert (root / "final" / "name").read_text() == "tmp"
    assert [path.read_text() for path in root.glob("trash/*/name")] == ["final"]


@every_shell
def test_publishing_a_link_switches_it_and_leaves_both_folders_alone(shell, root):
    for name in ("one", "two"):
        (root / name).mkdir()
    (root / "current").symlink_to("one")
    (root / "next").symlink_to("two")
    told(shell, root, 'publish "$FLEET_ROOT/next" "$FLEET_ROOT/current"')
    assert os.readlink(root / "current") == "two"
    assert not list((root / "one").iterdir())


def test_a_link_is_switched_without_gnu_mv_too(root):
    (root / "one").mkdir()
    (root / "current").symlink_to("one")
    (root / "next").symlink_to("two")
    other = 'mv() { case $1 in -fT | -fh) return 64 ;; esac; command mv "$@"; }\n'
    told("sh", root, other + 'publish "$FLEET_ROOT/next" "$FLEET_ROOT/current"')
    assert os.readlink(root / "current") == "two"


def test_a_file_is_not_published_over_a_folder(root):
    (root / "tmp").write_text("new")
    (root / "final").mkdir()
    script = assign(FLEET_ROOT=str(root)) + program('publish "$FLEET_ROOT/tmp" "$FLEET_ROOT/final"')
    assert run("sh", script).returncode != 0
    assert not list((root / "final").iterdir())


def test_nothing_is_published_once_somebody_else_holds_the_lock(root):
    (root / "lock" / "lock.2").mkdir(parents=True)
    (root / "tmp").write_text("new")
    variables = assign(FLEET_ROOT=str(root), FLEET_GENERATION="1")
    answer = run("sh", variables + program('publish "$FLEET_ROOT/tmp" "$FLEET_ROOT/final"'))
    assert answer.returncode == 75
    assert not (root / "final").exists()


@every_shell
@pytest.mark.parametrize(
    ("wish", "env", "place"),
    [
        ("", {"HOME": "/home/a b", "XDG_DATA_HOME": ""}, "/home/a b/.local/share/fleet"),
        ("", {"HOME": "/home/a b", "XDG_DATA_HOME": "/data"}, "/data/fleet"),
        ("/srv/fleet/", {}, "/srv/fleet"),
        ("~/models", {"HOME": "/home/a b"}, "/home/a b/models"),
    ],
)
def test_the_root_is_what_was_wished_or_the_platforms_own_place(shell, wish, env, place):
    script = assign(FLEET_ROOT=wish) + program('printf "%s" "$FLEET_ROOT"')
    assert run(shell, script, env).stdout.decode() == place


def test_a_program_that_hangs_is_ended():
    answer = run("sh", program("limited 1 sleep 50\n"))
    assert answer.returncode != 0
