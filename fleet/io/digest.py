"""sha256 of files on the controller, and what to say where it is another one."""

import asyncio
import hashlib
from pathlib import Path

from fleet.core.errors import FleetError, InventoryError


def sha256(path: Path) -> str:
    """In hex. Reads all of the file; call it in a thread. Raises OSError."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


async def digest(path: Path, wanted: str | None = None) -> str:
    """sha256 of a file, which has to be the wanted one."""
    try:
        found = await asyncio.to_thread(sha256, path)
    except (FileNotFoundError, IsADirectoryError) as error:
        raise InventoryError(f"llama_cpp.source: no file {path}", next=f"ls {path.parent}") from error
    except OSError as error:
        raise FleetError(f"{path} cannot be read: {error.strerror}", next=f"ls -l {path}") from error
    if wanted is not None and wanted != found:
        raise wrong_hash(path.name, wanted, found)
    return found


def wrong_hash(name: str, wanted: str, found: str | None) -> FleetError:
    shown = f", not {wanted[:16]}…" if wanted else ""
    return FleetError(
        f"sha256 of {name} is {found[:16] + '…' if found else 'another one'}{shown}",
        kind="checksum",
        next=f'if the publisher vouches for it: sha256 = "{found}" under [llama_cpp]'
        if found
        else "correct sha256 under [llama_cpp]",
    )
