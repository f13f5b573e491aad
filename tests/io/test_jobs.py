"""Long steps outlive the link and the controller, and are followed to their end."""

import asyncio
import contextlib
import os
import shutil
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from fleet.core.errors import DeadlineError, StepError
from fleet.core.inventory import Host
from fleet.core.plan import Run
from fleet.io.clock import SystemClock, SystemRandom
from fleet.io.folders import find
from fleet.io.jobs import Ended, run_job
from fleet.io.links import Links, links
from fleet.io.local import LocalTransport
from fleet.io.ports import Transport
from fleet.io.shelltext import packaged, placed
from fleet.platforms.base import program
from tests.embedded import Embedded, EmbeddedHost
from tests.io.near import running
from tests.io.pushing import Shelled


@dataclass
class Desk:
    """A controller that runs one job on a root of its own."""

    root: Path
    reach: Callable[[], Awaitable[Transport]]
    lines: list[str] = field(default_factory=list)
    progress: list[tuple[float, float]] = field(default_factory=list)

    async def run(self, script: str, generation: str = "", deadline: float = 60.0) -> Ended:
        return await run_job(
            self.reach, Run(program(script), deadline, "job-1"), str(self.root), generation,
            clock=SystemClock(), random=SystemRandom(), on_line=self.lines.append,
            on_progress=lambda done, total: self.progress.append((done, total)),
        )  # fmt: skip

    @property
    def job(self) -> Path:
        return self.root / "jobs" / "job-1"

    async def until(self, line: str) -> None:
        async with asyncio.timeout(120):
            while line not in self.lines:
                await asyncio.sleep(0.02)


async def here() -> Transport:
    return LocalTransport("here")


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "a root", here)


@pytest.fixture
async def linked(embedded: Embedded, tmp_path: Path) -> AsyncIterator[tuple[Desk, EmbeddedHost]]:
    """The same over a real SSH connection."""
    (host,) = embedded.up(["far"]).values()
    wish = Host(
        address=host.address, port=host.port, user=host.user, identity=str(host.key),
        known_hosts=str(host.known_hosts),
    )  # fmt: skip
    many: Links = links({"far": wish}, find())
    yield Desk(tmp_path / "a root", lambda: many.get("far", deadline=60)), host
    await many.close()


async def gone(mark: str) -> None:
    """Waits until no process of this machine has the mark in its command line."""
    for _ in range(600):
        if not running(mark):
            return
        await asyncio.sleep(0.05)
    raise AssertionError(running(mark))


@pytest.mark.parametrize("code", [0, 1, 6, 75, 127, 137])
async def test_the_exit_code_of_a_job_is_told_with_its_last_lines(desk: Desk, code: int):
    ended = await desk.run(f"echo one; echo two >&2; exit {code}")
    assert (ended.exit_code, ended.tail) == (code, ("one", "two"))


async def test_progress_is_read_from_ninja_and_make(desk: Desk):
    await desk.run("echo '[3/12] Building x'; echo '[ 50%] Building y'; echo '[x/y] no'")
    assert desk.progress == [(3.0, 12.0), (50.0, 100.0)]


async def test_what_a_job_prints_is_made_harmless(desk: Desk):
    await desk.run("printf 'a\\033[2Jb\\n\\r\\000c\\n'")
    assert not any("\x1b" in line or "\0" in line for line in desk.lines)


async def test_a_line_that_comes_in_two_parts_is_one_line(desk: Desk):
    # longer apart than the sign of life that a quiet job is followed with
    ended = await desk.run("printf begun; sleep 4; echo ' and ended'; printf 'no newline'")
    assert ended.tail == ("begun and ended", "no newline")
    assert desk.lines == ["begun and ended", "no newline"]


async def test_a_log_of_any_size_is_followed_to_its_end(desk: Desk):
    ended = await desk.run(
        'i=0; while [ $i -lt 60000 ]; do echo "line $i of a log that is long"; i=$((i+1)); done'
    )
    assert desk.job.joinpath("log").stat().st_size > 1 << 20
    assert ended.exit_code == 0
    assert len(desk.lines) == 60000
    assert ended.tail[-1].startswith("line 59999")


async def test_the_same_job_is_joined_and_not_started_twice(desk: Desk):
    waiting = 'until [ -e "$FLEET_ROOT/go" ]; do sleep 0.1; done'
    script = f'echo run >> "$FLEET_ROOT/runs"; echo started; {waiting}; exit 3'
    first = asyncio.create_task(desk.run(script))
    await desk.until("started")
    other = Desk(desk.root, here)
    second = asyncio.create_task(other.run(script))
    await other.until("started")
    (desk.root / "go").touch()
    assert [(await first).exit_code, (await second).exit_code] == [3, 3]
    assert (desk.root / "runs").read_text() == "run\n"


async def test_a_finished_job_is_not_remembered(desk: Desk):
    script = 'echo run >> "$FLEET_ROOT/runs"'
    await desk.run(script)
    await desk.run(script)
    assert (desk.root / "runs").read_text() == "run\nrun\n"


async def test_a_job_that_was_killed_is_named_and_the_same_command_starts_it_again(desk: Desk):
    task = asyncio.create_task(desk.run("echo started; sleep 60"))
    await desk.until("started")
    pid = int(desk.job.joinpath("pid").read_text().split()[0])
    os.killpg(pid, signal.SIGKILL)
    with pytest.raises(StepError, match="killed, or the host rebooted") as wrong:
        await task
    assert "same command" in str(wrong.value.next)
    assert (await desk.run("exit 0")).exit_code == 0


async def test_a_pid_of_another_boot_is_not_our_job(desk: Desk):
    desk.job.mkdir(parents=True)
    start = (Path("/proc") / str(os.getpid()) / "stat").read_text().rpartition(")")[2].split()[19]
    desk.job.joinpath("pid").write_text(f"{os.getpid()} {start} 00000000-another-boot\n")
    assert (await desk.run("echo mine")).tail == ("mine",)


async def test_a_job_that_takes_too_long_goes_on_and_is_joined(desk: Desk):
    script = 'echo started; until [ -e "$FLEET_ROOT/go" ]; do sleep 0.1; done; echo done'
    with pytest.raises(DeadlineError):
        await desk.run(script, deadline=1)
    (desk.root / "go").touch()
    assert (await desk.run(script)).tail[-1] == "done"


async def test_inv06_a_job_works_for_the_holder_that_joined_it_and_for_no_former_one(desk: Desk):
    script = 'echo started; until [ -e "$FLEET_ROOT/go" ]; do sleep 0.1; done; fence; echo written'
    (desk.root / "lock" / "lock.1").mkdir(parents=True)
    task = asyncio.create_task(desk.run(script, "1"))
    await desk.until("started")
    (desk.root / "lock" / "lock.2").mkdir()
    with pytest.raises(StepError) as wrong:
        await Desk(desk.root, here).run(script, "1")
    assert wrong.value.kind == "lock-lost"
    heir = Desk(desk.root, here)
    joined = asyncio.create_task(heir.run(script, "2"))
    await heir.until("started")
    (desk.root / "go").touch()
    assert (await joined).tail[-1] == "written"
    assert (await task).exit_code == 0
    (desk.root / "lock" / "lock.3").mkdir()
    assert desk.job.joinpath("rc").read_text().split() == ["0"]


async def test_a_job_whose_lock_was_taken_over_writes_nothing_more(desk: Desk):
    script = 'echo started; until [ -e "$FLEET_ROOT/go" ]; do sleep 0.1; done; fence; echo written'
    (desk.root / "lock" / "lock.1").mkdir(parents=True)
    task = asyncio.create_task(desk.run(script, "1"))
    await desk.until("started")
    (desk.root / "lock" / "lock.2").mkdir()
    (desk.root / "go").touch()
    ended = await task
    assert ended.exit_code == 75
    assert "written" not in ended.tail


async def test_inv09_a_job_survives_the_server_of_its_connection_and_no_line_is_lost(
    linked: tuple[Desk, EmbeddedHost],
):
    desk, host = linked
    script = (
        'i=0; while [ $i -lt 30 ]; do echo "line $i"; i=$((i+1)); sleep 0.1; done;'
        ' until [ -e "$FLEET_ROOT/go" ]; do sleep 0.1; done; echo end'
    )
    task = asyncio.create_task(desk.run(script))
    await desk.until("line 3")
    host.kill()
    await asyncio.sleep(0)
    host.start()
    await desk.until("line 20")
    host.kill()
    (desk.root / "go").touch()
    host.start()
    assert (await task).exit_code == 0
    assert desk.lines == [*(f"line {number}" for number in range(30)), "end"]
    await gone(str(desk.root))


def shells(root: Path) -> list[str]:
    """Programs for hosts that run now with a working folder below the root: those that follow a log."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if str(root) in os.readlink(entry / "cwd"):
                found.append(entry.name)
    return found


@pytest.mark.skipif(not Path("/proc/self/cwd").exists(), reason="needs /proc to see where processes are")
async def test_a_follower_leaves_no_process_when_its_connection_goes(linked: tuple[Desk, EmbeddedHost]):
    desk, host = linked
    task = asyncio.create_task(desk.run("echo started; cd /; exec sleep 300"))
    await desk.until("started")
    pid = int(desk.job.joinpath("pid").read_text().split()[0])
    assert shells(desk.root)
    host.kill()
    for _ in range(600):
        if not shells(desk.root):
            break
        await asyncio.sleep(0.05)
    assert shells(desk.root) == []
    assert desk.job.joinpath("rc").exists() is False  # the job itself lives
    os.killpg(pid, signal.SIGKILL)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    host.start()


@pytest.mark.parametrize("shell", ["dash", "bash", "busybox"])
async def test_jobs_that_are_ended_take_all_that_they_started_with_them(
    desk: Desk, tmp_path: Path, shell: str
) -> None:
    """Not every `kill` knows `--` before the number of a process group."""
    if shutil.which(shell) is None:
        pytest.skip(f"needs {shell}")
    mark = f"sleep 60{os.getpid()}"
    following = asyncio.ensure_future(desk.run(f"{mark} & echo begun; wait"))
    await desk.until("begun")
    transport = Shelled(shell, tmp_path / "shell")
    await transport.run(placed(packaged("end_jobs"), str(desk.root)), deadline=20)
    with pytest.raises(StepError):
        await following
    for _ in range(200):  # what was told to end is seen for a moment longer
        if mark not in running(mark):
            break
        await asyncio.sleep(0.05)
    assert mark not in running(mark)
