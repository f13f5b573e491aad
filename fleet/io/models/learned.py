"""What sources that move were found to hold: written to fleet.lock once, and kept to."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from fleet.io.exclusive import exclusive
from fleet.io.models import lock_file
from fleet.io.ports import Folders
from fleet.models.fixed import Fixed


def known(source: str, base: Path) -> Fixed | None:
    """As fleet.lock has it. Raises InventoryError where that file is damaged."""
    return lock_file.read_fixed(lock_file.path_of(base)).get(source)


async def once(source: str, base: Path, folders: Folders, resolve: Callable[[], Awaitable[Fixed]]) -> Fixed:
    """As fleet.lock has it, else as it is resolved now, which is written there."""
    found = known(source, base)
    if found is not None:
        return found
    async with changing(folders):
        found = known(source, base)  # another run may have been faster
        if found is None:
            found = await resolve()
            _write(source, found, base)
        return found


async def learn(source: str, found: Fixed, base: Path, folders: Folders) -> None:
    """From now on the source stands for that file."""
    async with changing(folders):
        if known(source, base) != found:
            _write(source, found, base)


def changing(folders: Folders) -> AbstractAsyncContextManager[None]:
    """One process at a time; its lock lies elsewhere, so that nothing litters the inventory's folder."""
    return exclusive(folders.state / f"{lock_file.NAME}.held")


def _write(source: str, found: Fixed, base: Path) -> None:
    path = lock_file.path_of(base)
    lock_file.write_fixed(path, lock_file.read_fixed(path) | {source: found})
