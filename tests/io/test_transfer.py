"""Several connections for one file, and servers that do all that servers do."""

import asyncio
import json
import os
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from fleet.core.errors import DeadlineError, FleetError, PlanError
from fleet.io.fetch import part_file
from fleet.io.fetch.answers import Want
from fleet.io.fetch.arrivals import progress
from fleet.io.fetch.download import download
from tests.io.files import FileServer

DATA = random.Random(7).randbytes(24 << 20)
FOUR = Want(connections=4)


@pytest.fixture
def server():
    running = FileServer(DATA)
    yield running
    running.close()


class Waits:
    """Sleeps that are only written down."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)


async def until(task: asyncio.Task, is_so: Callable[[], bool]) -> None:
    while not is_so():
        assert not task.done()
        await asyncio.sleep(0.02)


async def fetch(server: FileServer, part: Path, path: str = "file", want: Want = FOUR, **more) -> list[str]:
    said: list[str] = []
    await download(server.at(path), part, said.append, want=want, **more)
    return said


@pytest.mark.parametrize("connections", [1, 2, 4, 16])
async def test_the_connections_are_as_many_as_wanted_and_no_byte_comes_twice(server, tmp_path, connections):
    wanted = min(connections, 6)  # of 4 MiB at least
    server.rate = len(DATA) / wanted
    await fetch(server, tmp_path / "part", want=Want(connections=connections))
    assert (tmp_path / "part").read_bytes() == DATA
    assert server.widest in (wanted, wanted + 1)  # it notices a little later that one was left
    # The first answer was asked for without an end, and left where the next piece begins.
    assert len(DATA) <= server.sent < len(DATA) + (8 << 20)


async def test_a_small_file_has_one_connection_and_one_question(server, tmp_path):
    await fetch(server, tmp_path / "part", want=Want())
    assert [one.range for one in server.asked] == ["bytes=0-"]
    assert (tmp_path / "part").read_bytes() == DATA


@pytest.mark.parametrize("path", ["noranges", "unsized", "once", "refuses", "elsewhere", "short", "moved"])
async def test_servers_that_keep_to_no_ranges_still_give_the_right_bytes(server, tmp_path, path):
    await fetch(server, tmp_path / "part", path)
    assert (tmp_path / "part").read_bytes() == DATA


async def test_broken_connections_are_mended_from_where_they_broke(server, tmp_path):
    server.cuts, server.half = 3, 1 << 20
    await fetch(server, tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == DATA


async def test_connections_that_fall_silent_are_replaced(server, tmp_path):
    server.holds, server.half = 2, 1 << 20
    await fetch(server, tmp_path / "part", idle=5.0)
    assert (tmp_path / "part").read_bytes() == DATA


async def test_the_last_connection_is_replaced_too_where_another_one_was_heard_meanwhile(server, tmp_path):
    answer, server.half = server.answer, 1 << 20
    late = {"bytes=4194304-": 0.0, "bytes=8388608-": 1.5}  # two of the first four pieces; seconds

    def uneven(request) -> None:
        """Two fall silent one after the other; what the one lacks comes while nothing comes to the other."""
        asked = request.headers["Range"]
        for begin, seconds in late.items():
            if asked.startswith(begin):
                time.sleep(seconds)
                server.holds += 1
        answer(request)

    server.answer = uneven
    await fetch(server, tmp_path / "part", idle=3.0)
    assert (tmp_path / "part").read_bytes() == DATA
    assert len([one for one in server.asked if one.range.startswith(f"bytes={9 << 20}-")]) == 1


async def test_a_server_that_falls_silent_altogether_is_left_and_nothing_of_it_lost(server, tmp_path):
    server.most = 4 << 20
    with pytest.raises(DeadlineError):
        await fetch(server, tmp_path / "part", idle=1.0)
    held = part_file.PartFile(tmp_path / "part", server.at("file")).done
    server.most = None
    await fetch(server, tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == DATA
    assert held


async def test_a_file_that_changes_between_ranges_is_never_mixed(server, tmp_path):
    await fetch(server, tmp_path / "part", "changing")
    assert (tmp_path / "part").read_bytes() == DATA
    assert any(one.range is None for one in server.asked)


async def test_a_busy_server_is_asked_again_when_it_says(server, tmp_path):
    server.busy, server.after, waits = 2, "17", Waits()
    said = await fetch(server, tmp_path / "part", sleep=waits)
    assert waits.seconds == [17, 17]
    assert said == ["127.0.0.1 asks us to wait 17 s"] * 2
    assert (tmp_path / "part").read_bytes() == DATA


async def test_a_busy_server_that_wants_us_to_wait_for_hours_is_one_sentence(server, tmp_path):
    server.busy, server.after, waits = 1, "7200", Waits()
    with pytest.raises(FleetError, match="asks us to wait 2h00") as caught:
        await fetch(server, tmp_path / "part", sleep=waits)
    assert caught.value.kind == "rate-limit"
    assert waits.seconds == []
    assert list(tmp_path.iterdir()) == []


async def test_a_signed_link_that_expires_is_signed_again(server, tmp_path):
    await fetch(server, tmp_path / "part", "signed")
    assert (tmp_path / "part").read_bytes() == DATA
    paths = [one.path for one in server.asked]
    assert paths.count("/signed") > 1
    assert sum(path.startswith("/link?sig=") for path in paths) > paths.count(
        "/signed"
    )  # else nothing would expire


@pytest.mark.parametrize(("path", "what"), [("garbage", "no connection"), ("circle", "in circles")])
async def test_what_is_no_answer_is_one_sentence_and_leaves_nothing(server, tmp_path, path, what):
    with pytest.raises(FleetError, match=what):
        await fetch(server, tmp_path / "part", path)
    assert list(tmp_path.iterdir()) == []


async def test_another_length_than_known_is_refused_before_a_byte_is_written(server, tmp_path):
    with pytest.raises(PlanError, match=f"has {len(DATA)} bytes of it, it should have 5"):
        await fetch(server, tmp_path / "part", want=Want(size=5, connections=4))
    assert list(tmp_path.iterdir()) == []


async def test_a_model_larger_than_the_disk_is_refused_before_a_byte_is_written(server, tmp_path):
    free = os.statvfs(tmp_path)
    assert free.f_bavail * free.f_frsize < 1 << 59
    held = part_file.PartFile(tmp_path / "part", "x")
    with pytest.raises(PlanError, match="free in") as caught:
        held.begin(1 << 59, None)
    held.close()
    assert caught.value.kind == "no-room"


async def test_a_disk_without_room_is_one_sentence_and_leaves_no_note(server, tmp_path, tiny_disk):
    part = part_file.PartFile(tiny_disk / "part", "x")
    part.size = None
    with pytest.raises(PlanError, match="free in"):
        part.begin(1 << 20, None)  # 64 MiB stay free
    part.close()
    with pytest.raises(FleetError, match="free in") as caught:
        await fetch(server, tiny_disk / "part")
    assert "XDG_CACHE_HOME" in caught.value.next
    assert [path.name for path in tiny_disk.iterdir() if path.suffix == ".json"] == []


async def test_a_file_of_no_bytes_is_a_file(server, tmp_path):
    server.data = b""
    await fetch(server, tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == b""


async def test_what_is_cancelled_goes_on_where_it_was(server, tmp_path):
    server.rate, server.most = 2 << 20, 20 << 20
    task = asyncio.create_task(fetch(server, tmp_path / "part"))
    await until(task, lambda: done(tmp_path / "part") >= 6 << 20)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    held = part_file.PartFile(tmp_path / "part", server.at("file"))
    missing = sum(end - start for start, end in held.missing() or ())
    server.asked.clear()
    server.rate = server.most = None
    await fetch(server, tmp_path / "part", want=Want(connections=1))
    assert (tmp_path / "part").read_bytes() == DATA
    asked = [one.range.removeprefix("bytes=").split("-") for one in server.asked[1:]]
    assert 0 < missing <= len(DATA) - (6 << 20)
    assert sum(int(last) + 1 - int(first) for first, last in asked) < missing


KILLED = """
import asyncio, pathlib, sys
from fleet.io.fetch.answers import Want
from fleet.io.fetch.download import download
asyncio.run(download(sys.argv[1], pathlib.Path(sys.argv[2]), print, want=Want(connections=4)))
"""


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
async def test_a_kill_costs_no_finished_range_and_keeps_no_wrong_byte(server, tmp_path, share):
    server.rate, server.most, part = 3 << 20, int(0.9 * len(DATA)), tmp_path / "part"
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", KILLED, server.at("file"), str(part))
    while process.returncode is None and done(part) < share * len(DATA):
        await asyncio.sleep(0.01)
    assert process.returncode is None
    process.kill()
    await process.wait()
    held = part_file.PartFile(part, server.at("file"))
    data = part.read_bytes()
    assert all(data[start:end] == DATA[start:end] for start, end in held.done)
    kept = done(part)
    assert kept >= share * len(DATA)
    server.rate, server.most, server.asked = None, None, []
    await fetch(server, part)
    assert part.read_bytes() == DATA
    firsts = [int(one.range.removeprefix("bytes=").split("-")[0]) for one in server.asked]
    assert not any(start < first < end for first in firsts for start, end in held.done)


def done(part: Path) -> int:
    """Bytes that the note vouches for."""
    try:
        note = json.loads(part_file.note_of(part).read_text())
    except FileNotFoundError:
        return 0
    return sum(end - start for start, end in note["done"])


@pytest.mark.parametrize(
    "note",
    ["", "[]", "{", '{"name": 3}', '{"done": "x"}', '{"name": "NAME", "size": "x", "done": [[5, "a"]]}'],
)
async def test_a_damaged_note_is_one_that_knows_nothing(server, tmp_path, note):
    part = tmp_path / "part"
    part.write_bytes(b"?" * len(DATA))
    known = part_file.PartFile(part, server.at("file"))._name
    part_file.note_of(part).write_text(note.replace("NAME", known))
    await fetch(server, part)
    assert part.read_bytes() == DATA


async def test_a_part_that_was_cut_is_filled_up_again(server, tmp_path):
    part = tmp_path / "part"
    await fetch(server, part)
    os.truncate(part, 5 << 20)
    await fetch(server, part)
    assert part.read_bytes() == DATA


async def test_a_link_planted_in_the_way_is_not_followed(server, tmp_path):
    (tmp_path / "precious").write_bytes(b"mine")
    (tmp_path / "part").symlink_to(tmp_path / "precious")
    with pytest.raises(FleetError, match="part: "):
        await fetch(server, tmp_path / "part")
    assert (tmp_path / "precious").read_bytes() == b"mine"


async def test_a_note_holds_no_address(server, tmp_path):
    server.rate, server.most = 2 << 20, 20 << 20
    task = asyncio.create_task(fetch(server, tmp_path / "part", "file?signature=hunter2"))
    await until(task, lambda: done(tmp_path / "part") >= 6 << 20)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert b"hunter2" not in b"".join(
        path.read_bytes() for path in tmp_path.iterdir() if path.suffix == ".json"
    )


def test_what_is_unknown_of_the_progress_is_left_out():
    assert progress(1 << 30, 4 << 30, 1 << 29, 16.0) == "1.0 GiB of 4.0 GiB, 32.0 MiB/s, 1m36 left"
    assert progress(1 << 30, None, 1 << 29, 16.0) == "1.0 GiB, 32.0 MiB/s"
    assert progress(1 << 30, 4 << 30, 0, 16.0) == "1.0 GiB of 4.0 GiB"
