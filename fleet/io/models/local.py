"""Model files on this machine: found where the inventory says, and taken into the cache."""

import os
from pathlib import Path

from fleet.core.errors import PlanError
from fleet.io.fetch import download
from fleet.io.models.memory import unreadable
from fleet.sources.base import Local


def local(place: Local, base: Path) -> Path:
    """The file that a `file:` means.

    Args:
        base: what a relative path is relative to.

    Raises:
        PlanError: it is not there, or is none.
    """
    try:
        file = base / Path(place.path).expanduser()
    except RuntimeError:  # ~nobody
        raise PlanError(f"there is no home for {place.path}", next="write the whole path") from None
    if file.is_dir():
        raise PlanError(f"{file} is a folder", next="name the .gguf file in it")
    try:
        file.stat()
    except OSError as error:
        raise unreadable(file, error) from error
    if not file.is_file():
        raise PlanError(f"{file} is not a file", next="name a .gguf file")
    return file.absolute()


def adopt(part: Path, file: Path) -> None:
    """The finished file under its hash, on the disk before it has the name."""
    with open(part, "rb") as opened:
        os.fsync(opened.fileno())
    part.chmod(0o444)
    part.replace(file)
    download.forget(part)


def size(file: Path) -> int:
    return file.stat().st_size
