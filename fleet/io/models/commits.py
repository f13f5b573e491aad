"""Which commit of a repository is converted: asked of its hub once, then as fleet.lock has it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from fleet.io.hubs.hub import Hub
from fleet.io.models import learned, lock_file
from fleet.io.ports import Folders
from fleet.models import folder, hub
from fleet.models.hub import COMMIT
from fleet.sources.base import Repository


async def listing(
    place: Repository,
    at: Hub,
    base: Path,
    folders: Folders,
    say: Callable[[str], None],
    *,
    renew: bool = False,
    pin: bool = True,
) -> hub.Listing:
    """The files of the repository at its pinned commit.

    Args:
        base: the folder of the inventory.
        say: told what was pinned.
        renew: the commit that it has today, whatever is pinned.
        pin: write the commit down.

    Raises:
        FleetError: as Hub.listing, and where fleet.lock cannot be read or written.
    """
    if COMMIT.fullmatch(place.revision or ""):
        return await _listed(place, at)
    path, source = lock_file.path_of(base), str(place)
    known = None if renew else lock_file.read_origins(path).get(source)
    if known is None and not pin:
        return await _listed(place, at)
    if known is None:
        async with learned.changing(folders):
            known = None if renew else lock_file.read_origins(path).get(source)  # another run may be faster
            if known is None:
                found = await _listed(place, at)
                lock_file.write_origins(path, lock_file.read_origins(path) | {source: found.commit})
                say(f"pinned in {lock_file.NAME}: {source} at commit {found.commit[:12]}")
                return found
    return await _listed(replace(place, revision=known), at)


async def _listed(place: Repository, at: Hub) -> hub.Listing:
    return await at.listing(place, is_wanted=lambda name: folder.NAME.fullmatch(name) is not None)
