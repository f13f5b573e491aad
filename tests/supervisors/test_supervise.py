"""The supervise script, for real, under every shell there is."""

import os
import shutil
import signal
import subprocess
import sys
import time

import pytest

STAYS = f"#!{sys.executable} -IS\nimport time\ntime.sleep(1000)\n"
STUBBORN = (
    f"#!{sys.executable} -IS\nimport signal, time\nsignal.signal(15, signal.SIG_IGN)\ntime.sleep(1000)\n"
)
CRASHES = "#!/bin/sh\necho 'error: invalid argument: --x' >&2\nexit 3\n"
NO_LINKS = "#!/bin/sh\nexit 1\n"  # as `ln` answers on FAT
# As a machine that is busy elsewhere: the record of a supervisor waits for its name until it may go on.
STALLS = """#!/bin/sh
case $* in
    *supervise.pid*)
        : > '{folder}/stalled'
        while [ ! -e '{folder}/go' ]; do sleep 0.05; done
        ;;
esac
exec {mv} "$@"
"""


def becomes(look) -> bool:
    """Within a minute."""
    end = time.monotonic() + 60
    while not look():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def servers(place) -> int:
    """How many there are, once all that were started have become one."""
    found: list[str] = []

    def are_whole() -> bool:
        found[:] = [line for line in place.processes() if "stand-in" in line or "/releases/" in line]
        return bool(found) and all("stand-in" in line for line in found)

    assert becomes(are_whole), found
    return len(found)


def supervised(place, programs=None) -> subprocess.Popen:
    """One more supervisor.

    Args:
        programs: a folder of those that it finds before the machine's.
    """
    command = [str(place.shells / "sh"), str(place.root / "bin" / "supervise.sh"), "chat"]
    path = f"{programs}:{os.environ['PATH']}" if programs else os.environ["PATH"]
    environ = {**os.environ, "PATH": path}
    return subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True, env=environ)


def stand_in(place, name: str, text: str):
    """A folder with one program."""
    folder = place.root.parent / "programs"
    folder.mkdir()
    (folder / name).write_text(text.format(folder=folder, mv=shutil.which("mv")))
    (folder / name).chmod(0o755)
    return folder


def test_a_started_server_runs_and_a_stopped_one_leaves_nothing(place):
    made = place.release(STAYS)
    answer = place.verb(made, "deploy")
    assert answer.returncode == 0, answer.stderr
    one = place.until("running")
    assert (one.release, one.supervisor, one.restarts, one.is_proven) == (made.rid, "supervise", 0, False)
    answer = place.verb(made, "stop")
    assert answer.returncode == 0, answer.stderr
    assert place.processes() == []
    assert place.until("stopped").pid is None


def test_a_killed_server_is_started_again_and_is_not_proven_any_more(place):
    made = place.release(STAYS)
    place.verb(made, "deploy")
    first = place.until("running")
    assert place.verb(made, "prove").returncode == 0
    assert place.until("running").is_proven
    os.kill(first.pid, signal.SIGKILL)
    second = place.until("running", other_than=first.pid)
    assert second.restarts == 1
    assert not second.is_proven
    assert second.exit_code == 137


def test_starting_twice_at_once_makes_one_server(place):
    made = place.release(STAYS)
    place.verb(made, "deploy")
    place.until("running")
    others = [supervised(place) for _ in range(3)]
    assert [other.wait(60) for other in others] == [0, 0, 0]
    assert servers(place) == 1


@pytest.mark.parametrize("has_links", [True, False], ids=["", "no hard links"])
def test_after_a_power_cut_many_supervisors_make_one_server(place, has_links):
    made = place.release(STAYS)
    service = place.root / "services" / "chat"
    place.verb(made, "deploy")
    place.until("running")
    place.verb(made, "stop")
    stale = f"{os.getpid()}\n1\nanother-boot\n{made.rid}\n"
    (service / "supervise.pid").write_text(stale)
    (service / "child").write_text(stale)
    (service / "supervise.pid.99999999.link").write_text(stale)
    programs = None if has_links else stand_in(place, "ln", NO_LINKS)
    many = [supervised(place, programs) for _ in range(4)]
    place.until("running")
    keeper = place.supervisor()
    assert [one.wait(60) for one in many if one.pid != keeper] == [0, 0, 0]
    assert servers(place) == 1
    assert list(service.glob("supervise.pid*")) == [service / "supervise.pid"]
    assert place.verb(made, "stop").returncode == 0
    for one in many:
        one.wait(60)


def test_a_supervisor_that_stalls_while_it_claims_a_server_takes_none_from_another(place):
    made = place.release(STAYS)
    place.verb(made, "deploy")
    place.until("running")
    assert place.verb(made, "stop").returncode == 0
    programs = stand_in(place, "mv", STALLS)
    late = supervised(place, programs)
    assert becomes((programs / "stalled").exists)
    other = supervised(place)
    place.until("running")
    assert place.supervisor() == other.pid
    (programs / "go").touch()
    assert late.wait(60) == 0
    assert place.supervisor() == other.pid
    assert servers(place) == 1
    assert place.verb(made, "stop").returncode == 0
    assert other.wait(60) == 0


def test_a_supervisor_killed_outright_leaves_a_child_that_the_next_one_adopts(place):
    made = place.release(STAYS)
    place.verb(made, "deploy")
    one = place.until("running")
    keeper = place.supervisor()
    os.kill(keeper, signal.SIGKILL)
    assert becomes(lambda: is_gone(keeper))
    assert place.until("running").pid == one.pid
    assert place.verb(made, "start").returncode == 0
    assert becomes(lambda: place.supervisor() not in (0, keeper))
    assert place.until("running").pid == one.pid
    assert servers(place) == 1
    os.kill(one.pid, signal.SIGKILL)
    assert place.until("running", other_than=one.pid).release == made.rid
    assert servers(place) == 1


def test_a_crash_loop_ends_as_failed_with_its_exit_code_and_its_last_lines(place):
    made = place.release(CRASHES, starts=3)
    place.verb(made, "deploy")
    place.until("failed")  # by a look that may have counted before the last start
    one = place.until("failed")
    assert one.exit_code == 3
    assert "error: invalid argument: --x" in one.log_tail
    assert one.restarts == 2
    assert becomes(lambda: not place.processes())


def test_a_server_that_ignores_term_is_killed(place):
    made = place.release(STUBBORN)
    place.verb(made, "deploy")
    one = place.until("running")
    assert place.verb(made, "stop").returncode == 0
    assert becomes(lambda: is_gone(one.pid))
    assert place.processes() == []


def test_a_held_server_stays_down_and_says_why(place):
    made = place.release(STAYS)
    place.verb(made, "deploy")
    place.until("running")
    assert place.verb(made, "hold", REASON="making room").returncode == 0
    one = place.until("stopped")
    assert one.held == "making room"
    command = [str(place.shells / "sh"), str(place.root / "bin" / "supervise.sh"), "chat"]
    assert subprocess.run(command, timeout=30, check=False).returncode == 0
    assert place.processes() == []
    assert place.verb(made, "start").returncode == 0
    assert place.until("running").held is None


def test_a_process_that_took_over_the_number_is_never_touched(place):
    made = place.release(STAYS)
    place.verb(made, "deploy")
    place.until("running")
    assert place.verb(made, "stop").returncode == 0
    stranger = subprocess.Popen(["sleep", "1000"])
    try:
        record = place.root / "services" / "chat" / "child"
        record.write_text(f"{stranger.pid}\n1\nanother-boot\n{made.rid}\n")
        assert place.verb(made, "stop").returncode == 0
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


def test_the_key_is_made_on_the_host_once_and_only_its_owner_reads_it(place):
    made = place.release(STAYS)
    place.verb(made, "deploy")
    place.until("running")
    key = place.root / "services" / "chat" / "key"
    text = key.read_text()
    assert len(text) == 64 and int(text, 16)
    assert key.stat().st_mode & 0o777 == 0o600
    place.verb(made, "deploy")
    assert key.read_text() == text
    assert all(text not in line for line in place.processes())


def test_a_removed_service_leaves_no_folder(place):
    made = place.release(STAYS)
    place.verb(made, "deploy")
    place.until("running")
    assert place.verb(made, "remove").returncode == 0
    assert not (place.root / "services" / "chat").exists()
    assert place.processes() == []
    assert place.instances() == ()


def test_a_new_release_takes_the_place_of_the_old_one(place):
    old = place.release(STAYS)
    place.verb(old, "deploy")
    place.until("running")
    new = place.release(STAYS, context=4096)
    assert new.rid != old.rid
    assert place.verb(old, "stop").returncode == 0
    assert place.verb(new, "deploy").returncode == 0
    one = place.until("running")
    assert (one.release, one.previous) == (new.rid, old.rid)
