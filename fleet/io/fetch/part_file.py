"""A file that is being filled, and beside it the note that says which of its bytes are there.

A byte is in the note only after it is on the disk, so that whatever ends us costs no finished span and
keeps no wrong byte. Beyond the note the file may hold anything.
"""

import asyncio
import contextlib
import errno
import hashlib
import json
import os
import shutil
import threading
from collections.abc import Sequence
from pathlib import Path

from fleet.core.errors import PlanError
from fleet.core.plan import size_text
from fleet.io.fetch import spans
from fleet.io.fetch.spans import Span

SPARE = 64 << 20  # bytes that stay free on this machine
FULL = (errno.ENOSPC, errno.EDQUOT)
_flush = getattr(os, "fdatasync", os.fsync)  # macOS has none


class PartFile:
    """One file while it is fetched: one task writes, and asks for saves.

    Attributes:
        size: bytes of the whole; None: unknown.
        validator: what the server calls this version of it.
    """

    def __init__(self, path: Path, name: str) -> None:
        """As an earlier call left it, if that was about the same file.

        Args:
            name: what is fetched; only its hash is written, for an address may hold a signature.
        """
        self.path = path
        self._name = hashlib.sha256(name.encode()).hexdigest()
        self._lock = threading.Lock()
        self._file: int | None = None
        self._starts: dict[int, int] = {}  # where a span ends -> where it starts
        self.size: int | None = None
        self.validator: str | None = None
        self._load()

    @property
    def done(self) -> tuple[Span, ...]:
        return spans.merged((start, end) for end, start in self._starts.items())

    def missing(self) -> tuple[Span, ...] | None:
        """What is to be fetched; None: unknown, as the size is."""
        return None if self.size is None else spans.missing(self.done, self.size)

    def begin(self, size: int | None, validator: str | None) -> None:
        """Opens it with room for all of it.

        Raises:
            PlanError: the disk has not so much room.
            OSError: it cannot be written.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.size, self.validator = size, validator
        flags = os.O_CREAT | os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW
        self._file = os.open(self.path, flags, 0o600)
        held = os.fstat(self._file).st_blocks * 512
        make_room(self.path, None if size is None else max(0, size - held))
        if size is None:
            os.truncate(self._file, max((end for _, end in self.done), default=0))
            return
        os.truncate(self._file, size)
        if size and hasattr(os, "posix_fallocate"):
            try:
                os.posix_fallocate(self._file, 0, size)
            except OSError as error:
                if error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):
                    raise

    def write(self, at: int, data: bytes) -> None:
        assert self._file is not None
        end = at
        while data:
            written = os.pwrite(self._file, data, end)
            data, end = data[written:], end + written
        self._starts[end] = self._starts.pop(at, at)

    async def keep(self) -> None:
        """As save, without holding others while the disk works."""
        await asyncio.to_thread(self._save, self.done)

    def save(self) -> None:
        """What came until now, on the disk and in the note."""
        self._save(self.done)

    def _save(self, done: Sequence[Span]) -> None:
        with self._lock:
            if self._file is None:
                return
            _flush(self._file)
            note = {"name": self._name, "size": self.size, "validator": self.validator, "done": done}
            try:
                self._write_note(json.dumps(note))
            except OSError as error:
                # The bytes have their room already, and an older note tells nothing wrong.
                if error.errno not in FULL:
                    raise

    def _write_note(self, text: str) -> None:
        fresh = self._note.with_suffix(".new")
        with open(os.open(fresh, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(self._note)

    def close(self) -> None:
        """No save that is still on its way in a thread writes after this."""
        with self._lock:
            if self._file is not None:
                os.close(self._file)
                self._file = None

    def clear(self) -> None:
        """What is there is another file, or unknown: begin anew."""
        self.close()
        self._starts, self.size, self.validator = {}, None, None
        forget(self.path)

    @property
    def _note(self) -> Path:
        return note_of(self.path)

    def _load(self) -> None:
        with contextlib.suppress(OSError, ValueError, TypeError, LookupError, RecursionError):
            note = json.loads(self._note.read_text())
            length = self.path.stat().st_size
            if note["name"] != self._name:
                return
            size, validator = note["size"], note["validator"]
            done = [(int(start), min(int(end), length)) for start, end in note["done"]]
            self._starts = {end: start for start, end in spans.merged(done) if start >= 0}
            self.size = size if type(size) is int else None
            self.validator = validator if isinstance(validator, str) else None


def make_room(path: Path, need: int | None) -> None:
    """Raises PlanError where the disk has less than that and the spare room."""
    free = shutil.disk_usage(path.parent).free
    if free < (need or 0) + SPARE:
        raise no_room(path, f"{size_text((need or 0) + SPARE)} are needed", free)


def no_room(path: Path, why: str, free: int) -> PlanError:
    return PlanError(
        f"this machine has {size_text(free)} free in {path.parent}, {why}",
        kind="no-room",
        next="free space there, or export XDG_CACHE_HOME=/a/larger/disk",
    )


def forget(path: Path) -> None:
    """So that the next call begins anew."""
    path.unlink(missing_ok=True)
    note_of(path).unlink(missing_ok=True)
    note_of(path).with_suffix(".new").unlink(missing_ok=True)


def note_of(path: Path) -> Path:
    return path.with_name(path.name + ".json")
