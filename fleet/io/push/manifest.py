"""The hash of every chunk of a file, so that a broken transfer goes on where it stopped."""

import asyncio
import contextlib
import hashlib
import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from fleet.core.errors import FleetError
from fleet.io.exclusive import exclusive

READ = 4 << 20  # bytes at a time


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a file consists of."""

    sha256: str
    size: int  # bytes
    chunk: int  # bytes of each chunk but the last
    chunks: tuple[str, ...]  # sha256 of each
    stamp: tuple[int, int, int]  # size, mtime in ns and inode of the file that was read


async def manifest(local: Path, sha256: str, chunk: int, folder: Path | None) -> Manifest:
    """The chunks of a file, read once and remembered.

    Args:
        local: the file.
        sha256: what it must be.
        chunk: bytes.
        folder: where manifests are kept; None keeps none.

    Raises:
        FleetError: the file is gone, cannot be read, or is another one.
    """
    try:
        if folder is None:
            return await asyncio.to_thread(_read, local, sha256, chunk)
        kept = folder / f"{sha256}-{chunk}.json"
        async with exclusive(kept.with_suffix(".lock")):
            known = _load(kept, sha256, chunk)
            if (
                known is not None
                and known.stamp == stamp(local)
                and (known.sha256, known.chunk) == (sha256, chunk)
            ):
                return known
            made = await asyncio.to_thread(_read, local, sha256, chunk)
            _save(kept, made)
            return made
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise FleetError(f"cannot read {error.filename or local}: {reason}", next=f"ls -l {local}") from error


def stamp(local: Path) -> tuple[int, int, int]:
    """What changes when a file does: size, mtime in ns, inode."""
    status = local.stat()
    return status.st_size, status.st_mtime_ns, status.st_ino


def _read(local: Path, sha256: str, chunk: int) -> Manifest:
    whole, chunks, before = hashlib.sha256(), [], stamp(local)
    # Two hashes of each byte, beside each other: half the time on two cores.
    with open(local, "rb", buffering=0) as file, ThreadPoolExecutor(1) as beside:
        while True:
            one, left = hashlib.sha256(), chunk
            while left and (data := file.read(min(READ, left))):
                hashed = beside.submit(one.update, data)
                whole.update(data)
                hashed.result()
                left -= len(data)
            if left < chunk:
                chunks.append(one.hexdigest())
            if left:
                break
    if whole.hexdigest() != sha256:
        raise FleetError(
            f"{local} is not the file it was: its sha256 is {whole.hexdigest()}, {sha256} is wanted",
            next="the same command again; if it repeats, put the right file there",
        )
    return Manifest(sha256, before[0], chunk, tuple(chunks), before)


def _load(kept: Path, sha256: str, chunk: int) -> Manifest | None:
    with contextlib.suppress(FileNotFoundError, ValueError, TypeError, KeyError):
        document = json.loads(kept.read_text())
        document["chunks"] = tuple(document["chunks"])
        document["stamp"] = tuple(document["stamp"])
        made = Manifest(**document)
        return made if (made.sha256, made.chunk) == (sha256, chunk) else None
    return None


def _save(kept: Path, made: Manifest) -> None:
    fresh = kept.with_suffix(".new")
    fresh.write_text(json.dumps(asdict(made)))
    fresh.replace(kept)
