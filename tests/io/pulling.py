"""A host that fetches one file from a server with faults, by the tools that it has."""

import hashlib
from pathlib import Path

from fleet.io.clock import SystemClock, SystemRandom
from fleet.io.local import LocalTransport
from fleet.io.pull.pull import pull
from fleet.io.pull.pulls import Pull
from tests.io.files import FileServer

TOOLS = ("curl", "wget", "python3")


class Lacking(LocalTransport):
    """A host on which some programs do not work."""

    def __init__(self, folder: Path, lacks: tuple[str, ...]) -> None:
        super().__init__("here")
        self.folder = folder
        folder.mkdir()
        for name in lacks:
            (folder / name).write_text("#!/bin/sh\nexit 127\n")
            (folder / name).chmod(0o755)

    async def start(self, command):
        return await super().start(f"PATH={self.folder}:$PATH; export PATH; {command}")


class Puller:
    """A root, and a file that is published.

    Args:
        tool: the only one that works on the host; empty: none.
        lacks: further programs that do not.
    """

    def __init__(
        self, folder: Path, server: FileServer, tool: str = "curl", lacks: tuple[str, ...] = ()
    ) -> None:
        self.tool = tool
        self.server = server
        self.sha256 = hashlib.sha256(server.data).hexdigest()
        self.root = folder / "root of it's own"
        self.transport = Lacking(folder / "bin", (*lacks, *(name for name in TOOLS if name != tool)))
        self.said: list[tuple[float, ...]] = []
        self.moved = 0

    @property
    def final(self) -> Path:
        return self.root / "models" / self.sha256 / "model.gguf"

    @property
    def part(self) -> Path:
        return self.root / "parts" / f"{self.sha256}.part"

    @property
    def job(self) -> Path:
        return self.root / "jobs" / f"pull-{self.sha256}"

    def begin(self, data: bytes) -> None:
        """As if an earlier pull had come so far."""
        self.part.parent.mkdir(parents=True)
        self.part.write_bytes(data)
        self.job.mkdir(parents=True)
        (self.job / "pulled").touch()

    async def pull(self, path: str = "model.gguf", size: int | None = None, **options) -> None:
        def count(came: int) -> None:
            self.moved += came

        async def reach():
            return self.transport

        wanted = Pull(self.server.at(path), self.sha256, size or len(self.server.data))
        to = f"models/{self.sha256}/model.gguf"
        await pull(
            reach, wanted, to, root=str(self.root), generation="", limit=options.pop("limit", None),
            say=lambda *numbers: self.said.append(numbers), clock=SystemClock(), random=SystemRandom(),
            moved=count, **options,
        )  # fmt: skip

    def ranges(self) -> list[str | None]:
        return [asked.range for asked in self.server.asked]
