"""Servers that want less of one connection or of all, disks that fill up, and links that expire."""

import asyncio
import contextlib
import hashlib
import os
import random
import subprocess
import sys
from collections import Counter
from email.utils import formatdate
from pathlib import Path

import pytest

from fleet.core.errors import FleetError, PlanError
from fleet.io.fetch import part_file
from fleet.io.fetch.answers import Want
from fleet.io.fetch.download import download
from tests.controller import Controller
from tests.io.controllers import GGUF
from tests.io.files import FileServer
from tests.io.test_transfer import FOUR, Waits

DATA = GGUF + random.Random(9).randbytes(24 << 20)
LATER = 1_956_528_000.0  # a clock of 2032
PIECE = 4 << 20  # bytes: what one connection of four asks for of so small a file


@pytest.fixture
def server():
    running = FileServer(DATA)
    yield running
    running.close()


async def fetch(server: FileServer, part: Path, path: str = "file", want: Want = FOUR, **more) -> list[str]:
    said: list[str] = []
    await download(server.at(path), part, said.append, want=want, **more)
    return said


async def test_a_piece_that_one_connection_is_refused_is_fetched_by_another(server, tmp_path):
    server.busy, server.busy_at, server.after, server.rate, waits = 1, 2 * PIECE, "7", 4 << 20, Waits()
    said = await fetch(server, tmp_path / "part", sleep=waits)
    assert (tmp_path / "part").read_bytes() == DATA
    assert (waits.seconds, server.busy) == ([], 0)
    assert not any("wait" in one for one in said)
    begun = Counter(int(one.range.removeprefix("bytes=").split("-")[0]) for one in server.asked if one.range)
    assert begun == {at: 2 if at == 2 * PIECE else 1 for at in range(0, len(DATA), PIECE)}


async def test_a_piece_that_stays_refused_is_waited_for_by_the_last_connection(server, tmp_path):
    server.busy, server.busy_at, server.after, waits = 4, 2 * PIECE, "7", Waits()
    await fetch(server, tmp_path / "part", sleep=waits)
    assert (tmp_path / "part").read_bytes() == DATA
    assert set(waits.seconds) == {7}


async def test_a_piece_that_is_never_given_ends_in_one_sentence_and_costs_nothing_else(server, tmp_path):
    server.busy, server.busy_at, server.after, waits = 1000, 2 * PIECE, "7", Waits()
    with pytest.raises(FleetError, match=r"no connection to 127\.0\.0\.1: 127\.0\.0\.1 is busy"):
        await fetch(server, tmp_path / "part", sleep=waits)
    assert part_file.PartFile(tmp_path / "part", server.at("file")).missing() == ((2 * PIECE, 3 * PIECE),)
    server.busy, server.asked = 0, []
    await fetch(server, tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == DATA
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    ("after", "seconds"),
    [
        (formatdate(LATER + 17, usegmt=True), 17),
        (formatdate(LATER - 3600, usegmt=True), 0),
        ("Sunday, 01-Jan-32 00:00:17 GMT", 17),
        ("Thu Jan  1 00:00:17 2032", None),  # names no zone
        ("soon", None),
        ("-5", None),
        ("1e9", None),
    ],
)
async def test_a_date_to_come_again_is_read_against_the_servers_own_clock(server, tmp_path, after, seconds):
    server.busy, server.after, server.now, waits = 1, after, LATER, Waits()
    if seconds is None:
        with pytest.raises(FleetError, match="answered 429"):
            await fetch(server, tmp_path / "part", sleep=waits)
        assert waits.seconds == []
        return
    await fetch(server, tmp_path / "part", sleep=waits)
    assert waits.seconds == [seconds]
    assert (tmp_path / "part").read_bytes() == DATA


@pytest.fixture
def disk(tmp_path):
    """A file system of 112 MiB, and what fills it."""
    if os.geteuid() or sys.platform != "linux":
        pytest.skip("needs root on Linux: a disk of its own")
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=112m", "fleet-test", folder], check=True)
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def fill(disk: Path) -> None:
    with contextlib.suppress(OSError), open(disk / "other", "wb", buffering=0) as file:
        while file.write(bytes(1 << 20)):
            pass


async def start(server: FileServer, disk: Path, path: str) -> "asyncio.Task[list[str]]":
    """A download of which a part came before the disk was full."""
    server.rate = 2 << 20
    task = asyncio.create_task(fetch(server, disk / "part", path, Want(connections=1)))
    while not part_file.note_of(disk / "part").exists():
        assert not task.done()
        await asyncio.sleep(0.02)
    fill(disk)
    server.rate = None
    return task


async def test_a_file_whose_room_was_taken_in_time_comes_although_the_disk_fills_up(server, disk):
    await (await start(server, disk, "file"))
    assert (disk / "part").read_bytes() == DATA


async def test_a_disk_that_fills_up_under_a_file_of_unknown_length_is_one_sentence(server, disk):
    task = await start(server, disk, "bare")
    opened = len(os.listdir("/proc/self/fd"))
    with pytest.raises(PlanError, match=r"free in .*, and others wrote there meanwhile") as caught:
        await task
    assert (caught.value.kind, "XDG_CACHE_HOME" in caught.value.next) == ("no-room", True)
    assert len(os.listdir("/proc/self/fd")) < opened
    held = part_file.PartFile(disk / "part", server.at("bare")).done
    data = (disk / "part").read_bytes()
    assert held and all(data[start:end] == DATA[start:end] for start, end in held)
    (disk / "other").unlink()
    await fetch(server, disk / "part", "bare")
    assert (disk / "part").read_bytes() == DATA


async def test_a_signed_link_is_signed_again_when_it_expires_and_only_then(server, tmp_path):
    made = []

    async def link() -> str:
        made.append(server.at(server.link()))
        return made[-1]

    await fetch(server, tmp_path / "part", "unsigned", Want(connections=1, link=link))
    assert (tmp_path / "part").read_bytes() == DATA
    assert (len(made), {one.path for one in server.asked}) == (1, {"/link?sig=0"})
    (tmp_path / "part").unlink()
    server.cuts, server.half = 2, 1 << 20
    await fetch(server, tmp_path / "part", "unsigned", Want(connections=1, link=link))
    assert (tmp_path / "part").read_bytes() == DATA
    assert len(made) == 3  # the second was good for two broken answers


async def test_a_link_that_never_worked_is_not_signed_again(server, tmp_path):
    async def link() -> str:
        return server.at("link?sig=1")

    with pytest.raises(PlanError, match="answered 403"):
        await fetch(server, tmp_path / "part", "unsigned", Want(link=link))
    assert len(server.asked) == 1


def test_connections_of_the_inventory_are_those_of_a_download(server, tmp_path):
    fleet = Controller(tmp_path, cache=tmp_path / "cache")
    server.rate = 32 << 20
    for wanted in (1, 3):
        source = "url:" + server.at(f"file{wanted}")
        fleet.inventory.write_text(
            f'[defaults]\nconnections = {wanted}\n[models.tiny]\nsource = "{source}"\n'
            f'sha256 = "{hashlib.sha256(DATA).hexdigest()}"\n'
        )
        server.widest = 0
        fleet.well("models", "pull", "tiny")
        assert server.widest in (wanted, wanted + 1)  # it notices a little later that one was left
        for file in (tmp_path / "cache/fleet/models").glob("*.gguf"):
            file.unlink()
