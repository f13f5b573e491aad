"""What a host cannot take: links in the way, full and read-only disks, and a push that was killed."""

import asyncio
import contextlib
import hashlib
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import fleet
from fleet.core.errors import StepError
from fleet.io.local import LocalTransport
from fleet.io.ports import Answer
from fleet.io.push.errors import explained
from tests.io.pushing import CHUNK, MIB, SIZE, Shelled, World


@pytest.fixture
def world(tmp_path) -> World:
    return World(tmp_path)


@pytest.mark.parametrize("target", ["the part", "parts", "models", "the final name"])
async def test_a_symbolic_link_in_the_way_is_never_followed(world, tmp_path, target):
    outside = tmp_path / "outside"
    outside.mkdir()
    victim = outside / "victim"
    victim.write_text("precious")
    paths = {"the part": world.part, "parts": world.part.parent, "models": world.root / "models"}
    path = paths.get(target, world.final)
    path.parent.mkdir(parents=True)
    path.symlink_to(victim if target.startswith("the ") else outside)
    with pytest.raises(StepError, match="is a symbolic link") as caught:
        await world.push()
    assert caught.value.next.startswith("rm ")
    assert victim.read_text() == "precious"
    assert os.listdir(outside) == ["victim"]


@pytest.mark.parametrize("target", ["part", "final"])
async def test_a_folder_in_the_way_is_named(world, target):
    path = {"part": world.part, "final": world.final}[target]
    path.mkdir(parents=True)
    with pytest.raises(StepError, match=f"{path.name} is ") as caught:
        await world.push()
    assert caught.value.next.startswith("mv ")
    assert world.moved == 0


async def test_a_file_where_a_folder_belongs_is_named(world):
    world.root.mkdir()
    (world.root / "models").write_text("x")
    with pytest.raises(StepError, match="models is not a folder"):
        await world.push()


async def test_a_root_below_a_file_is_one_sentence(world):
    world.root = world.local / "root"
    with pytest.raises(StepError) as caught:
        await world.push()
    assert caught.value.next


async def test_a_disk_that_is_full_before_is_found_before_the_first_byte(small_disk, tmp_path):
    world = World(tmp_path)
    world.root = small_disk / "root"
    with pytest.raises(StepError, match=r"4\.\d MiB free|3\.\d MiB free") as caught:
        await world.push()
    assert caught.value.kind == "disk-full"
    assert world.moved == 0


class Filling(Shelled):
    """A host whose disk another program fills before the first byte comes."""

    def __init__(self, folder: Path, disk: Path, reserves: bool) -> None:
        super().__init__("dash", folder)
        self.disk = disk
        if not reserves:
            (folder / "fallocate").write_text("#!/bin/sh\nexit 1\n")
            (folder / "fallocate").chmod(0o755)

    async def feed(self, line, chunks, *, deadline):
        with contextlib.suppress(OSError), open(self.disk / "other", "wb", buffering=0) as other:
            while other.write(bytes(4096)):
                pass
        with contextlib.suppress(OSError):
            for number in range(1000):
                (self.disk / f"inode {number}").touch()
        return await super().feed(line, chunks, deadline=deadline)


async def test_a_disk_that_fills_up_meanwhile_has_the_room_and_the_inodes_we_reserved(small_disk, tmp_path):
    world = World(tmp_path, 2 * MIB)
    world.root = small_disk / "root"
    assert await world.push(Filling(tmp_path / "bin", small_disk, True)) == 2 * MIB
    assert world.final.read_bytes() == world.data


async def test_a_disk_that_fills_up_where_none_can_be_reserved_keeps_what_arrived(small_disk, tmp_path):
    world = World(tmp_path, 2 * MIB + 1000)
    world.root = small_disk / "root"
    with pytest.raises(StepError, match="the disk is full") as caught:
        await world.push(Filling(tmp_path / "bin", small_disk, False))
    assert caught.value.kind == "disk-full"
    assert not world.final.exists()
    (small_disk / "other").unlink()
    await world.push()
    assert world.final.read_bytes() == world.data


async def test_a_disk_without_inodes_is_found_before_the_first_byte(small_disk, tmp_path):
    world = World(tmp_path, MIB)
    world.root = small_disk / "root"
    with contextlib.suppress(OSError):
        for number in range(1000):
            (small_disk / f"inode {number}").touch()
    with pytest.raises(StepError, match="the disk is full") as caught:
        await world.push()
    assert "df -i" in caught.value.next
    assert world.moved == 0


async def test_a_read_only_disk_is_one_sentence(small_disk, tmp_path):
    world = World(tmp_path)
    world.root = small_disk / "root"
    mount("-o", "remount,ro", small_disk)
    with pytest.raises(StepError, match="read-only") as caught:
        await world.push()
    assert "set root" in caught.value.next


class Limited(LocalTransport):
    """A host that takes no file over 1 MiB."""

    async def start(self, command):
        return await super().start(f"ulimit -f 2048; {command}")


async def test_a_limit_on_the_size_of_files_is_one_sentence(world):
    with pytest.raises(StepError, match="takes no file of this size") as caught:
        await world.push(Limited("small"))
    assert "ulimit -f" in caught.value.next
    assert await world.push() <= SIZE


@pytest.mark.parametrize(
    ("said", "what"),
    [
        ("dd: error writing '/r/x': No space left on device", "the disk is full"),
        ("dd: /r/x: Disc quota exceeded", "the disk quota is used up"),
        ("mkdir: cannot create directory '/r': Permission denied", "the user may not write in /r"),
        ("sh: 3: cannot create /r/parts/x: Read-only file system", "is read-only"),
        ("mkdir: /r: Not a directory", "is not a folder"),
        ("dd: closing output file: Input/output error", "has errors"),
        ("12+0 records in\n11+0 records out\nsomething \x1b[31mnew\x1b[0m", "and said: something"),
        ("", "it stopped with exit 1 and said: nothing"),
    ],
)
def test_what_tools_of_a_host_say_becomes_a_sentence(said, what):
    error = explained(Answer(1, b"", said.encode()), "/r")
    assert what in error.what
    assert "\x1b" not in error.what
    assert error.next


async def test_killed_midway_it_leaves_no_process_and_the_next_push_goes_on(world):
    world.local.write_bytes(random.Random(1).randbytes(24 * MIB))
    world.data = world.local.read_bytes()
    world.sha256 = hashlib.sha256(world.data).hexdigest()
    world.to = f"models/{world.sha256}/model.gguf"
    arguments = ["-c", PUSHER, str(world.local), world.sha256, str(world.root), world.to]
    child = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, stdout=asyncio.subprocess.PIPE, cwd=Path(fleet.__file__).parents[1]
    )
    await child.stdout.readline()
    child.send_signal(signal.SIGKILL)
    await child.wait()
    part = world.root / "parts" / f"{world.sha256}.part"
    for _ in range(200):
        if not writers(part):
            break
        await asyncio.sleep(0.05)
    assert writers(part) == []
    assert not world.final.exists()
    there = part.stat().st_size
    assert there
    assert await world.push() <= len(world.data) - there // CHUNK * CHUNK
    assert world.final.read_bytes() == world.data


PUSHER = """
import asyncio, sys
from pathlib import Path
from fleet.io.clock import SystemClock
from fleet.io.local import LocalTransport
from fleet.io.ports import Answer
from fleet.io.push.file import push
from fleet.io.push.errors import explained

local, sha256, root, to = sys.argv[1:]
sent = 0

def moved(count):
    global sent
    sent += count
    if sent == 8 << 20:
        print("half", flush=True)
        import time
        time.sleep(60)

size = Path(local).stat().st_size
asyncio.run(push(LocalTransport("x"), Path(local), sha256, size, to, root=root, generation="",
    say=lambda *numbers: None, clock=SystemClock(), chunk=2 << 20, moved=moved))
"""


def writers(path: Path) -> list[str]:
    """Processes that name the path in their arguments or hold it open."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            held = [os.readlink(link) for link in (process / "fd").iterdir()]
            if str(path) in held or str(path).encode() in (process / "cmdline").read_bytes():
                found.append(process.name)
        except OSError:
            continue
    return found


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 4 MiB and 64 inodes."""
    if os.geteuid() or sys.platform != "linux":
        pytest.skip("needs root")
    folder = tmp_path / "disk"
    folder.mkdir()
    if mount("-t", "tmpfs", "-o", "size=4m,nr_inodes=64", "fleet-test", folder):
        pytest.skip("needs root that may mount")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def mount(*arguments) -> int:
    return subprocess.run(["mount", *arguments], check=False, capture_output=True).returncode
