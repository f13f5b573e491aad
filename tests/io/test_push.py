"""Pushing a file to a host: real programs in a real shell, on this machine."""

import asyncio
import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import fleet
from fleet.core.errors import DeadlineError, FleetError, StepError, UnreachableError
from fleet.io.clock import SystemClock
from fleet.io.local import LocalTransport
from fleet.io.ports import Answer
from fleet.io.push import push
from fleet.io.push_errors import explained

MIB = 1 << 20
CHUNK = 2 * MIB
SIZE = 7 * MIB + 12345


class Cut:
    """A link that is lost after so many bytes of data, with the receiver's end closed."""

    def __init__(self, after: int) -> None:
        self.inner = LocalTransport("cut")
        self.left = after

    async def run(self, script, **options):
        return await self.inner.run(script, **options)

    async def feed(self, line, chunks, *, deadline):
        is_lost = False

        async def pieces() -> AsyncIterator[bytes]:
            nonlocal is_lost
            async for piece in chunks:
                if len(piece) > self.left:
                    if self.left:
                        yield piece[: self.left]
                    is_lost, self.left = True, 0
                    return
                self.left -= len(piece)
                yield piece

        answer = await self.inner.feed(line, pieces(), deadline=deadline)
        if is_lost:
            raise UnreachableError("the connection was lost", kind="link-lost")
        return answer


class Dirty:
    """A link behind which every byte arrives as another one."""

    def __init__(self, times: int) -> None:
        self.inner = LocalTransport("dirty")
        self.times = times

    async def run(self, script, **options):
        return await self.inner.run(script, **options)

    async def feed(self, line, chunks, *, deadline):
        self.times -= 1
        is_wrong = self.times >= 0

        async def pieces() -> AsyncIterator[bytes]:
            async for piece in chunks:
                yield bytes(len(piece)) if is_wrong else piece

        return await self.inner.feed(line, pieces(), deadline=deadline)


class Stuck:
    """A link that takes a little and then nothing more."""

    def __init__(self) -> None:
        self.inner = LocalTransport("stuck")

    async def run(self, script, **options):
        return await self.inner.run(script, **options)

    async def feed(self, line, chunks, *, deadline):
        async def pieces() -> AsyncIterator[bytes]:
            async for piece in chunks:
                yield piece
                await asyncio.Event().wait()

        return await self.inner.feed(line, pieces(), deadline=deadline)


class Shelled(LocalTransport):
    """A host whose `sh` is another one; busybox brings its own dd, ls and awk too."""

    def __init__(self, shell: str, folder: Path) -> None:
        super().__init__(shell)
        self.folder = folder
        program = shutil.which(shell)
        folder.mkdir()
        (folder / "sh").symlink_to(program)
        for name in TOOLS if shell == "busybox" else ():
            (folder / name).symlink_to(program)

    async def start(self, command):
        return await super().start(f"PATH={self.folder}:$PATH; export PATH; {command}")


TOOLS = ("dd", "ls", "awk", "mv", "rm", "mkdir", "chmod", "df", "sync", "sha256sum")
SHELLS = [shell for shell in ("dash", "bash", "zsh", "ksh", "mksh", "busybox") if shutil.which(shell)]


class World:
    """A host's root, a file for it, and what was said."""

    def __init__(self, folder: Path, size: int = SIZE, name: str = "model.gguf") -> None:
        self.local = folder / name
        self.local.write_bytes(random.Random(size).randbytes(size))
        self.data = self.local.read_bytes()
        self.sha256 = hashlib.sha256(self.data).hexdigest()
        self.root = folder / "root of it's own"
        self.to = f"models/{self.sha256}/model.gguf"
        self.manifests = folder / "manifests"
        self.said: list[tuple] = []
        self.moved = 0

    @property
    def final(self) -> Path:
        return self.root / self.to

    @property
    def part(self) -> Path:
        return self.root / "parts" / f"{self.sha256}.part"

    def begin(self, data: bytes) -> None:
        """As if an earlier push had left this."""
        self.part.parent.mkdir(parents=True)
        self.part.write_bytes(data)

    async def push(self, transport=None, **options) -> int:
        def count(sent: int) -> None:
            self.moved += sent

        return await push(
            transport or LocalTransport("here"), self.local, self.sha256, len(self.data), self.to,
            root=str(self.root), generation=options.pop("generation", ""), clock=SystemClock(), chunk=CHUNK,
            say=lambda *numbers: self.said.append(numbers), manifests=self.manifests, moved=count, **options,
        )  # fmt: skip


@pytest.fixture
def world(tmp_path) -> World:
    return World(tmp_path)


async def test_a_file_arrives_whole_read_only_and_under_its_name(world):
    assert await world.push() == SIZE
    assert world.final.read_bytes() == world.data
    assert world.final.stat().st_mode & 0o777 == 0o444
    assert not world.part.exists()
    assert f'"{world.sha256}"' in (world.final.parent / "META.json").read_text()
    assert world.root.stat().st_mode & 0o077 == 0


async def test_a_second_push_sends_nothing(world):
    await world.push()
    before = world.final.stat()
    assert await world.push() == 0
    assert world.final.stat() == before


@pytest.mark.parametrize("size", [0, 1, MIB, CHUNK, CHUNK + 1, 3 * CHUNK])
async def test_every_size_arrives(tmp_path, size):
    world = World(tmp_path, size)
    assert await world.push() == size
    assert world.final.read_bytes() == world.data


@pytest.mark.parametrize(
    "name", ["a b.gguf", 'it\'s "q".gguf', "new\nline.gguf", "Ünïcode-模型.gguf", "-rf", "$(x)`y`;z"]
)
async def test_the_name_here_does_not_matter(tmp_path, name):
    world = World(tmp_path, 1000, name)
    await world.push()
    assert world.final.read_bytes() == world.data


@pytest.mark.parametrize("cut", [0, 1, CHUNK - 1, CHUNK, 5 * MIB, SIZE - 1])
async def test_a_lost_link_goes_on_where_it_stopped(world, cut):
    with pytest.raises(UnreachableError):
        await world.push(Cut(cut))
    assert not world.final.exists()
    sent = await world.push()
    assert world.final.read_bytes() == world.data
    assert sent == SIZE - cut // CHUNK * CHUNK
    done = [int(numbers[0]) for numbers in world.said]
    assert cut // CHUNK * CHUNK in done
    assert done[-1] == SIZE


@pytest.mark.parametrize("shell", SHELLS)
async def test_every_shell_receives_resumes_and_verifies(world, tmp_path, shell):
    host = Shelled(shell, tmp_path / "bin")
    world.begin(world.data[: 3 * MIB] + bytes(MIB) + b"longer" * SIZE)
    assert await world.push(host) == SIZE - CHUNK
    assert world.final.read_bytes() == world.data
    assert await world.push(host) == 0


async def test_a_link_that_breaks_again_and_again_gets_there_without_sending_a_verified_chunk_twice(world):
    for _ in range(20):
        try:
            await world.push(Cut(CHUNK + MIB))
            break
        except UnreachableError:
            assert not world.final.exists()
    assert world.final.read_bytes() == world.data
    assert world.moved <= SIZE + 4 * MIB


@pytest.mark.parametrize("at", [0, CHUNK - 1, CHUNK, 5 * MIB, SIZE - 1])
async def test_a_flipped_byte_costs_one_chunk(world, at):
    data = bytearray(world.data)
    data[at] ^= 1
    world.begin(bytes(data))
    number = at // CHUNK
    assert await world.push() == min(CHUNK, SIZE - number * CHUNK)
    assert world.final.read_bytes() == world.data


async def test_a_complete_part_costs_no_byte(world):
    world.begin(world.data)
    assert await world.push() == 0
    assert world.final.read_bytes() == world.data


async def test_a_part_that_is_too_long_is_cut(world):
    world.begin(world.data + b"more" * 1000)
    assert await world.push() == 0
    assert world.final.read_bytes() == world.data


async def test_a_part_that_nobody_may_write_is_gone_on_with(world):
    world.begin(world.data[:CHUNK])
    world.part.chmod(0o444)
    assert await world.push() == SIZE - CHUNK


async def test_two_gaps_are_two_ranges(world):
    data = bytearray(world.data)
    data[0] ^= 1
    data[3 * CHUNK] ^= 1
    world.begin(bytes(data))
    assert await world.push() == CHUNK + SIZE - 3 * CHUNK


async def test_what_arrived_wrong_is_sent_once_more(world):
    assert await world.push(Dirty(1)) == 2 * SIZE
    assert world.final.read_bytes() == world.data


async def test_what_arrives_wrong_twice_is_an_error_and_never_gets_the_name(world):
    with pytest.raises(StepError, match="other bytes than were sent") as caught:
        await world.push(Dirty(9))
    assert "the same command again" in caught.value.next
    assert not world.final.exists()
    assert not world.part.exists()


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


async def test_a_newer_lock_on_the_host_stops_the_push(world):
    (world.root / "lock" / "lock.8").mkdir(parents=True)
    with pytest.raises(StepError) as caught:
        await world.push(generation="7")
    assert caught.value.kind == "lock-lost"
    assert world.moved == 0
    assert not world.final.exists()
    assert await world.push(generation="8") == SIZE


async def test_a_link_that_stands_still_ends_and_keeps_what_came(world):
    with pytest.raises(DeadlineError, match=r"no byte moved for 0\.3 s"):
        await world.push(Stuck(), idle=0.3)
    assert await world.push() == SIZE


async def test_a_file_that_changed_here_is_refused_before_the_first_byte(world):
    world.local.write_bytes(world.data[:-1] + b"?")
    with pytest.raises(FleetError, match="is not the file it was"):
        await world.push()
    assert not world.root.exists()


async def test_a_file_that_is_gone_here_is_one_sentence(world):
    world.local.unlink()
    with pytest.raises(FleetError, match="No such file") as caught:
        await world.push()
    assert caught.value.next.startswith("ls -l ")


async def test_chunks_are_hashed_once_for_all_hosts(world, tmp_path):
    await world.push()
    (kept,) = world.manifests.glob("*.json")
    before = kept.stat().st_ino
    world.root = tmp_path / "another"
    await world.push()
    assert kept.stat().st_ino == before


@pytest.mark.parametrize("damage", ["", "[]", '{"chunks": 3}'])
async def test_a_damaged_manifest_is_made_again(world, damage):
    await world.push()
    (kept,) = world.manifests.glob("*.json")
    kept.write_text(damage)
    shutil.rmtree(world.root)
    assert await world.push() == SIZE


async def test_progress_counts_up_to_the_whole_and_ends_there(world):
    await world.push()
    done = [numbers[0] for numbers in world.said]
    assert done == sorted(done)
    assert done[0] == 0
    assert done[-1] == SIZE
    assert {numbers[1] for numbers in world.said} == {SIZE}


async def test_a_disk_that_is_full_before_is_found_before_the_first_byte(small_disk, tmp_path):
    world = World(tmp_path)
    world.root = small_disk / "root"
    with pytest.raises(StepError, match=r"4\.\d MiB free|3\.\d MiB free") as caught:
        await world.push()
    assert caught.value.kind == "disk-full"
    assert world.moved == 0


async def test_a_disk_that_fills_up_meanwhile_keeps_what_arrived(small_disk, tmp_path):
    world = World(tmp_path, 2 * MIB)
    world.root = small_disk / "root"

    class Filling(Dirty):
        async def feed(self, line, chunks, *, deadline):
            (small_disk / "other").write_bytes(bytes(3 * MIB))
            return await self.inner.feed(line, chunks, deadline=deadline)

    with pytest.raises(StepError, match="the disk is full") as caught:
        await world.push(Filling(0))
    assert caught.value.kind == "disk-full"
    assert not world.final.exists()
    (small_disk / "other").unlink()
    await world.push()
    assert world.final.read_bytes() == world.data


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
from fleet.io.push import push
from fleet.io.push_errors import explained

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
    """A file system of 4 MiB."""
    if os.geteuid() or sys.platform != "linux":
        pytest.skip("needs root")
    folder = tmp_path / "disk"
    folder.mkdir()
    if mount("-t", "tmpfs", "-o", "size=4m", "fleet-test", folder):
        pytest.skip("needs root that may mount")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def mount(*arguments) -> int:
    return subprocess.run(["mount", *arguments], check=False, capture_output=True).returncode
