"""A file, a root for it, and links to it that are cut, dirty or stuck."""

import asyncio
import hashlib
import random
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

from fleet.core.errors import UnreachableError
from fleet.io.clock import SystemClock
from fleet.io.local import LocalTransport
from fleet.io.push.file import push

MIB = 1 << 20


CHUNK = 2 * MIB
HEADER = 100  # bytes; what is shorter stands before a chunk


SIZE = 7 * MIB + 12345


class Cut:
    """A link that is lost after so many bytes of data, with the receiver's end closed."""

    def __init__(self, after: int) -> None:
        self.inner = LocalTransport("cut")
        self.left = after

    async def run(self, script, **options):
        return await self.inner.run(script, **options)

    async def feed(self, line, chunks, *, deadline, on_line=None):
        is_lost = False

        async def pieces() -> AsyncIterator[bytes]:
            nonlocal is_lost
            async for piece in chunks:
                if len(piece) < HEADER and self.left:
                    yield piece
                    continue
                if len(piece) > self.left:
                    if self.left:
                        yield piece[: self.left]
                    is_lost, self.left = True, 0
                    return
                self.left -= len(piece)
                yield piece

        answer = await self.inner.feed(line, pieces(), deadline=deadline, on_line=on_line)
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

    async def feed(self, line, chunks, *, deadline, on_line=None):
        self.times -= 1
        is_wrong = self.times >= 0

        async def pieces() -> AsyncIterator[bytes]:
            async for piece in chunks:
                yield bytes(len(piece)) if is_wrong and len(piece) > HEADER else piece

        return await self.inner.feed(line, pieces(), deadline=deadline, on_line=on_line)


class Stuck:
    """A link that takes a little and then nothing more."""

    def __init__(self) -> None:
        self.inner = LocalTransport("stuck")

    async def run(self, script, **options):
        return await self.inner.run(script, **options)

    async def feed(self, line, chunks, *, deadline, on_line=None):
        async def pieces() -> AsyncIterator[bytes]:
            async for piece in chunks:
                yield piece
                await asyncio.Event().wait()

        return await self.inner.feed(line, pieces(), deadline=deadline, on_line=on_line)


class Shelled(LocalTransport):
    """A host whose `sh` is another one; busybox brings its own dd, ls and awk too."""

    def __init__(self, shell: str, folder: Path, lacks: tuple[str, ...] = ()) -> None:
        super().__init__(shell)
        self.folder = folder
        program = shutil.which(shell)
        folder.mkdir()
        (folder / "sh").symlink_to(program)
        for name in TOOLS if shell == "busybox" else ():
            (folder / name).symlink_to(program)
        for name in lacks:
            (folder / name).write_text("#!/bin/sh\nexit 127\n")
            (folder / name).chmod(0o755)

    async def start(self, command):
        return await super().start(f"PATH={self.folder}:$PATH; export PATH; {command}")


TOOLS = (*("dd", "ls", "awk", "mv", "rm", "mkdir", "chmod", "df", "du", "sync", "sha256sum", "head", "tee"),)


SHELLS = [shell for shell in ("dash", "bash", "zsh", "ksh", "mksh", "busybox") if shutil.which(shell)]


class Greedy(LocalTransport):
    """A host whose head takes a block from a pipe, as on BSD, and that has no perl."""

    def __init__(self, name: str, folder: Path) -> None:
        super().__init__(name)
        self.folder, self.feeds = folder, 0
        folder.mkdir()
        for tool, text in (("head", "exec cat"), ("perl", "exit 127"), ("python3", "exit 127")):
            (folder / tool).write_text(f"#!/bin/sh\n{text}\n")
            (folder / tool).chmod(0o755)

    async def start(self, command):
        return await super().start(f"PATH={self.folder}:$PATH; export PATH; {command}")

    async def feed(self, line, chunks, *, deadline, on_line=None):
        self.feeds += 1
        return await super().feed(line, chunks, deadline=deadline, on_line=on_line)


class Refused:
    """A connection of its own that the host does not take."""

    async def feed(self, line, chunks, *, deadline, on_line=None):
        await anext(aiter(chunks), None)
        raise UnreachableError("no more connections", kind="refused")


class Beside:
    """Lanes of one kind."""

    def __init__(self, *lanes) -> None:
        self.lanes, self.is_closed = list(lanes), False

    def start(self, count):
        assert count <= len(self.lanes)

    def ways(self, count):
        return [self.lanes[:count]]

    def count(self, transport):
        return len(self.lanes)

    async def close(self):
        self.is_closed = True


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
