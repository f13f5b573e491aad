"""What we know of model files on this machine: their hashes, as long as they do not change."""

import os
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tomli_w

from fleet.core.errors import FleetError, PlanError
from fleet.io import digest
from fleet.io.push.manifest import stamp
from fleet.models import gguf
from fleet.models.splits import Part, check_part

FIRST = 1 << 20  # bytes of a file's beginning that are read first


@dataclass(slots=True)
class Memory:
    """`models.lock` in the state folder.

    `files`: path -> sha256 and what changes when the file does. `learned`: source ->
    sha256 and size of a model that the inventory does not pin.
    """

    path: Path
    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    learned: dict[str, dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def load(cls, state: Path) -> "Memory":
        """A file that cannot be read is one that knows nothing."""
        memory = cls(state / "models.lock")
        try:
            document = tomllib.loads(memory.path.read_text("utf-8"))
        except (OSError, ValueError, RecursionError):
            return memory
        for name in ("files", "learned"):
            table = document.get(name)
            if isinstance(table, dict):
                getattr(memory, name).update({k: v for k, v in table.items() if isinstance(v, dict)})
        return memory

    def save(self) -> None:
        fresh = self.path.with_suffix(".new")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        fresh.write_text(tomli_w.dumps({"files": self.files, "learned": self.learned}), "utf-8")
        fresh.replace(self.path)

    def sha256(self, file: Path) -> str | None:
        """The hash of a file that is still the one we checked."""
        known = self.files.get(str(file))
        try:
            is_same = known is not None and list(stamp(file)) == known.get("stamp")
        except OSError:
            return None
        return str(known["sha256"]) if known is not None and is_same and "sha256" in known else None

    def keep(self, file: Path, sha256: str) -> None:
        self.files = {k: v for k, v in self.files.items() if os.path.exists(k)}
        self.files[str(file)] = {"sha256": sha256, "stamp": list(stamp(file))}
        self.save()

    def learn(self, source: str, sha256: str, size: int) -> None:
        self.learned[source] = {"sha256": sha256, "size": size}
        self.save()

    def learned_sha256(self, source: str) -> str | None:
        value = self.learned.get(source, {}).get("sha256")
        return value if isinstance(value, str) else None


def checked(file: Path, part: Part | None = None) -> str:
    """The sha256 of a file that can be a model. Reads all of it; call it in a thread.

    Args:
        part: which file of a model it must be; None: the only one.

    Raises:
        PlanError: not a GGUF file, cut off, or another part than it should be.
        FleetError: it cannot be read.
    """
    try:
        before = stamp(file)
        check_part(read_header(file), part)
        sha256 = digest.sha256(file)
        if stamp(file) != before:
            raise FleetError(f"{file} changes while it is read", next="wait until it is complete")
        return sha256
    except OSError as error:
        raise unreadable(file, error) from error


def read_header(file: Path) -> gguf.Header:
    """The header of a GGUF file, reading no more of it than needed."""
    size = file.stat().st_size
    need = FIRST
    with open(file, "rb") as opened:
        while True:
            opened.seek(0)
            try:
                return gguf.header(opened.read(need), size)
            except gguf.Short as short:
                need = max(short.need, 4 * need)


def unreadable(file: Path, error: OSError) -> FleetError:
    if isinstance(error, FileNotFoundError):
        return PlanError(
            f"there is no file {file}", next="correct its source in the inventory, or put the file there"
        )
    reason = os.strerror(error.errno) if error.errno else str(error)
    return FleetError(f"{file}: {reason}", next=f"ls -l {file}")
