"""The controller's cache: finished builds, source archives, files, by kind and id."""

import asyncio
import contextlib
import itertools
import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from fleet.core.errors import FleetError
from fleet.core.plan import Artifact, size_text
from fleet.io.digest import sha256
from fleet.io.exclusive import exclusive

CAP = 20 * 2**30  # bytes
STALE = 86400.0  # seconds after which what was half fetched is given up
ENDS = {"model": ".gguf", "file": "", "converter": ".tar"}
PACKED = ".tar.gz"  # all others
SHIPPED = ("smoke.gguf",)  # files of fleet itself, in fleet/builds
_numbers = itertools.count()


@dataclass(frozen=True, slots=True)
class Cache:
    """One folder, shared by every fleet of this user. A file has its name only when it is whole.

    Beside each lies its sha256; the time of that small file is when it was last used.
    """

    folder: Path
    cap: int = CAP  # bytes, over all kinds

    def path(self, artifact: Artifact) -> Path | None:
        """The file, checked and marked as used; None where it is not there or was damaged."""
        if artifact.kind == "file":
            return _shipped(artifact)
        path = self._place(artifact)
        note = _note(path)
        try:
            wanted = note.read_text(encoding="ascii").strip()
            # a model is large, and the host checks it against its id anyway
            if artifact.kind != "model" and sha256(path) != wanted:
                raise ValueError("damaged")
            os.utime(note)
        except FileNotFoundError:
            return None
        except ValueError:
            _remove(path)
            return None
        return path

    def partial(self, artifact: Artifact) -> Path:
        """A new name in the cache's file system, to write to before `adopt`."""
        folder = self.folder / "incoming"
        _make(folder)
        return folder / f"{artifact.kind}-{artifact.id}.{os.getpid()}-{next(_numbers)}"

    async def made(self, artifact: Artifact, make: Callable[[Path], Awaitable[None]]) -> Path:
        """The file; where it is not there, made by one of all that want it, in all processes.

        Args:
            make: writes the file under the name it is given.

        Raises:
            FleetError: as adopt, or as `make`.
            OSError: of a file elsewhere, which `make` cannot read.
        """
        try:
            async with exclusive(self.folder / "incoming" / f"{artifact.kind}-{artifact.id}.lock"):
                if (there := await asyncio.to_thread(self.path, artifact)) is not None:
                    return there
                file = self.partial(artifact)
                try:
                    await make(file)
                    return await self.adopt(artifact, file)
                finally:
                    file.unlink(missing_ok=True)
        except OSError as error:
            place = error.filename if isinstance(error.filename, str) else None
            if place is not None and not Path(place).is_relative_to(self.folder):
                raise
            raise full(self.folder, error) from error

    @contextlib.asynccontextmanager
    async def scratch(self, artifact: Artifact) -> AsyncIterator[Path]:
        """A folder to make it in, which goes when it is made."""
        folder = self.partial(artifact)
        folder.mkdir(parents=True)
        try:
            yield folder
        finally:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    async def adopt(self, artifact: Artifact, file: Path) -> Path:
        """Takes a whole file in, under its final name, and makes room.

        Raises:
            FleetError: the disk is full, or the folder cannot be written.
        """
        return await asyncio.to_thread(self._adopt, artifact, file)

    def size(self) -> int:
        """Bytes of all that is in it."""
        return sum(size for _, size, _ in self._entries())

    def _adopt(self, artifact: Artifact, file: Path) -> Path:
        path = self._place(artifact)
        try:
            _make(path.parent)
            if file.stat().st_dev != path.parent.stat().st_dev:
                near = self.partial(artifact)
                shutil.copyfile(file, near)
                file.unlink()
                file = near
            digest = sha256(file)
            with open(file, "rb+") as data:
                os.fsync(data.fileno())
            note = _note(path)
            fresh = note.with_name(f"{note.name}.{os.getpid()}-{next(_numbers)}")
            fresh.write_text(digest + "\n", encoding="ascii")
            os.replace(file, path)
            os.replace(fresh, note)
        except OSError as error:
            with contextlib.suppress(OSError):
                file.unlink()
            raise full(self.folder, error) from error
        self._make_room(path)
        return path

    def _make_room(self, but: Path) -> None:
        """Removes what was not used for longest, never what has just come."""
        self._sweep(but.stat().st_mtime - STALE)
        entries = sorted(self._entries())
        total = sum(size for _, size, _ in entries)
        for _, size, path in entries:
            if total <= self.cap:
                return
            if path != but:
                _remove(path)
                total -= size

    def _sweep(self, before: float) -> None:
        """What a killed fleet left behind half written. Lock files stay."""
        for path in self.folder.glob("incoming/*"):
            with contextlib.suppress(OSError):
                if path.suffix == ".lock" or path.stat().st_mtime > before:
                    continue
                shutil.rmtree(path) if path.is_dir() else path.unlink()

    def _entries(self) -> list[tuple[float, int, Path]]:
        """Time of last use, bytes, path."""
        found = []
        for note in self.folder.glob("artifacts/*/*.sha256"):
            path = note.with_suffix("")
            with contextlib.suppress(FileNotFoundError):
                found.append((note.stat().st_mtime, path.stat().st_size, path))
        return found

    def _place(self, artifact: Artifact) -> Path:
        return self.folder / "artifacts" / artifact.kind / (artifact.id + ENDS.get(artifact.kind, PACKED))


def full(folder: Path, error: OSError) -> FleetError:
    """A file system's refusal, as a sentence."""
    try:
        free = size_text(shutil.disk_usage(folder).free)
    except OSError:
        free = "unknown"
    return FleetError(
        f"the cache {folder} cannot be written: {error.strerror or error} ({free} free)",
        kind="disk",
        next="export XDG_CACHE_HOME=/a/folder/with/space",
    )


def _note(path: Path) -> Path:
    return path.with_name(path.name + ".sha256")


def _remove(path: Path) -> None:
    for each in (_note(path), path):
        with contextlib.suppress(FileNotFoundError):
            each.unlink()


def _make(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)


def _shipped(artifact: Artifact) -> Path | None:
    for name in SHIPPED:
        path = Path(str(resources.files("fleet.builds").joinpath(name)))
        if path.is_file() and sha256(path) == artifact.id:
            return path
    return None
