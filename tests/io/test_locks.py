"""The lock of a host: one holder at a time, none for ever, and no late write."""

import asyncio
import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fleet.core.errors import PlanError, StepError, UnreachableError
from fleet.io.local import LocalTransport
from fleet.io.locks import BEAT, OLD, TTL, Owner
from fleet.io.ports import Answer, Transport
from fleet.io.shelltext import packaged, placed
from fleet.platforms.base import program
from tests.io.locking import Jumping, Place, Still


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


async def test_inv06_of_eight_at_once_exactly_one_gets_it(place: Place):
    for number in range(1, 6):
        said = await asyncio.gather(*(place.lock() for _ in range(8)))
        assert said.count(f"acquired {number}") == 1, said
        assert all(word in (f"acquired {number}", "lost", f"held {number} 0") for word in said)
        assert await place.beat(str(number), "done") == 0


async def test_inv06_of_eight_that_take_a_dead_lock_over_exactly_one_gets_it(place: Place):
    await place.lock()
    for number in range(1, 4):
        said = await asyncio.gather(*(place.lock(take=str(number)) for _ in range(8)))
        assert said.count(f"acquired {number + 1}") == 1, said


async def test_inv06_who_was_slow_does_not_get_a_number_that_was_swept_away(place: Place, tmp_path: Path):
    await place.lock()
    await place.beat("1", "done")
    shims, ready, go = tmp_path / "shims", tmp_path / "ready", tmp_path / "go"
    shims.mkdir()
    (shims / "mkdir").write_text(
        f'#!/bin/sh\ncase $* in lock.2) : > "{ready}"; while [ ! -e "{go}" ]; do sleep 0.05; done ;; esac\n'
        'PATH=/usr/bin:/bin exec mkdir "$@"\n'
    )
    (shims / "mkdir").chmod(0o755)
    slow = await asyncio.create_subprocess_exec(
        "sh", "-c", placed(packaged("lock", OWNER="{}", TAKE=""), str(place.root)),
        env={"PATH": f"{shims}:{os.environ['PATH']}", "HOME": str(tmp_path)}, stdout=subprocess.PIPE,
    )  # fmt: skip
    while not ready.exists():
        assert slow.returncode is None
        await asyncio.sleep(0.02)
    for number in ("2", "3"):
        assert await place.lock() == f"acquired {number}"
        await place.beat(number, "done")
    assert await place.lock() == "acquired 4"
    assert not (place.root / "lock" / "lock.2").exists()
    go.touch()
    out, _ = await slow.communicate()
    assert out == b"lost\n"
    assert sorted(os.listdir(place.root / "lock")) == ["lock.3", "lock.4"]


async def test_a_lock_is_given_back_and_taken_by_the_next_at_once(place: Place):
    for generation in ("1", "2", "3"):
        async with place.hold(place.owner(run=f"r{generation}"), Still()) as held:
            assert held == generation
    assert len(os.listdir(place.root / "lock")) <= 2
    assert place.told == []


async def test_inv07_a_run_of_this_controller_that_was_killed_is_taken_over_at_once(place: Place):
    code = (
        "import sys, time; from pathlib import Path; from fleet.io.locks import Owner;"
        "owner = Owner(Path(sys.argv[1]), 'dead', 'push'); print(owner.line, flush=True); time.sleep(60)"
    )
    (place.folder / "desk").mkdir()
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, place.folder / "desk", stdout=subprocess.PIPE
    )
    assert child.stdout
    line = (await child.stdout.readline()).decode().strip()
    assert (await place.run(packaged("lock", OWNER=line, TAKE=""))).out == b"acquired 1\n"
    owner = place.owner()
    with pytest.raises(PlanError):
        async with place.hold(owner, Still()):
            pass
    child.kill()
    await child.wait()
    async with place.hold(owner, Still()) as generation:
        assert generation == "2"


async def test_a_run_of_this_controller_that_lives_is_refused_at_once_by_name(place: Place):
    async with place.hold(place.owner(run="r1"), Still()):
        with pytest.raises(PlanError) as wrong:
            async with place.hold(place.owner(run="r2"), Still()):
                pass
    assert wrong.value.kind == "locked"
    assert f"(fleet push, pid {os.getpid()})" in wrong.value.what
    assert "fleet unlock here" in str(wrong.value.next)


async def test_another_controller_that_shows_life_is_refused_by_name(place: Place):
    assert await place.lock("ann") == "acquired 1"
    beats = 0

    async def meanwhile(seconds: float) -> None:
        nonlocal beats
        beats += 1
        assert await place.beat("1", str(beats)) == 0

    with pytest.raises(PlanError, match="ann@"):
        async with place.hold(place.owner(), Jumping(meanwhile)):
            pass
    assert beats == 1


async def test_inv07_another_controller_that_is_silent_is_taken_over_after_the_ttl_by_our_own_clock(
    place: Place,
):
    await place.lock("ann")
    # its clock and its file times are a day ahead, which must not matter
    os.utime(place.root / "lock" / "lock.1" / "beat", (4e9, 4e9))
    clock = Jumping()
    entered = None
    async with place.hold(place.owner(), clock) as generation:
        entered = clock.time
        assert generation == "2"
    assert TTL <= entered <= TTL + 3
    (said,) = place.told
    assert "ann@" in said


async def test_inv06_what_a_former_holder_writes_late_is_refused(place: Place):
    await place.lock()
    await place.lock(take="1")
    assert await place.beat("1", "5") == 75
    assert (await place.run(program("fence; echo written"), "1")).status == 75
    assert (await place.run(program("fence; echo written"), "2")).out == b"written\n"
    assert (place.root / "lock" / "lock.1" / "beat").read_text() == "0\n"


async def test_who_lost_the_lock_stops_at_its_next_beat(place: Place):
    async def meanwhile(seconds: float) -> None:
        assert await place.lock("ann", take="1") == "acquired 2"

    with pytest.raises(StepError) as wrong:
        async with place.hold(place.owner(), Jumping(meanwhile)):
            await asyncio.Event().wait()
    assert wrong.value.kind == "lock-lost"
    # and leaves the other's lock alone
    assert not (place.root / "lock" / "lock.2" / "done").exists()


async def test_ctrl_c_gives_the_lock_back(place: Place):
    entered = asyncio.Event()

    async def work() -> None:
        async with place.hold(place.owner(), Still()):
            entered.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (place.root / "lock" / "lock.1" / "done").exists()


async def test_a_host_that_is_away_is_not_waited_for_to_give_its_lock_back(place: Place):
    is_away = False

    async def reach() -> Transport:
        if is_away:
            await asyncio.Event().wait()
        return place.transport

    async with place.hold(place.owner(), Still(), reach=reach, release=0.01):
        is_away = True
    assert not (place.root / "lock" / "lock.1" / "done").exists()


async def test_a_lock_that_was_taken_when_the_link_broke_is_known_as_ours(place: Place):
    class Breaks(LocalTransport):
        async def run(self, script: str, **more) -> Answer:  # type: ignore[override]
            answer = await super().run(script, **more)
            if len(os.listdir(place.root / "lock")) == 1 and not broken:
                broken.append(answer.out)
                raise UnreachableError("the connection was lost", kind="link-lost")
            return answer

    broken: list[bytes] = []
    place.transport = Breaks("here")

    class OneSecond(Still):
        async def sleep(self, seconds: float) -> None:
            if seconds == BEAT:
                await super().sleep(seconds)

    async with place.hold(place.owner(), OneSecond()) as generation:
        assert generation == "1"
    assert broken == [b"acquired 1\n"]


async def test_inv22_a_newer_layout_is_refused(place: Place):
    place.root.mkdir()
    (place.root / "LAYOUT").write_text("2\n")
    with pytest.raises(StepError, match="layout 2") as wrong:
        async with place.hold(place.owner(), Still()):
            pass
    assert "update fleet" in str(wrong.value.next)


async def test_a_root_that_cannot_be_written_is_one_clear_sentence(place: Place):
    place.folder.joinpath("file").touch()
    place.root = place.folder / "file" / "root"
    with pytest.raises(StepError, match="cannot make") as wrong:
        async with place.hold(place.owner(), Still()):
            pass
    assert wrong.value.next


@pytest.fixture
def small(place: Place, request: pytest.FixtureRequest) -> Iterator[Path]:
    """The root is a disk of its own."""
    place.root.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", request.param, "tmpfs", place.root], check=True)
    yield place.root
    subprocess.run(["umount", place.root], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: a full disk of its own")
@pytest.mark.parametrize("small", ["ro", "nr_inodes=1", "nr_inodes=3", "nr_inodes=4"], indirect=True)
@pytest.mark.usefixtures("small")
async def test_a_disk_that_takes_no_more_files_is_one_clear_sentence(place: Place):
    with pytest.raises(StepError, match=r"cannot|no space") as wrong:
        async with place.hold(place.owner(), Still()):
            pass
    assert "free space" in str(wrong.value.next)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: a full disk of its own")
@pytest.mark.parametrize("small", ["size=64k"], indirect=True)
@pytest.mark.parametrize("layout", ["", "1\n"])
async def test_a_full_disk_is_one_clear_sentence_and_nothing_is_left(place: Place, small: Path, layout: str):
    (small / "LAYOUT").write_text(layout)
    fill(small / "fill")
    with pytest.raises(StepError) as wrong:
        async with place.hold(place.owner(), Still()):
            pass
    assert "free space" in str(wrong.value.next)
    assert not list(small.glob("lock/lock.*"))
    os.truncate(small / "fill", 4096)
    async with place.hold(place.owner(run="r2"), Still()) as generation:
        assert generation == "1"


def fill(path: Path) -> None:
    """Takes every byte that the disk has."""
    with open(path, "wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))


def test_files_of_runs_that_were_killed_long_ago_are_swept_and_living_ones_stay(tmp_path):
    living = Owner(tmp_path, "living", "deploy")
    (tmp_path / "owners" / "killed").touch()
    later = time.time() + 2 * OLD
    living.sweep(later)
    assert [path.name for path in (tmp_path / "owners").iterdir()] == ["living"]
    living.close()
