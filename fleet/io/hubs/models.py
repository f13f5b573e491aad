"""Models of a hub: resolved once, pinned in fleet.lock, and told."""

from collections.abc import Callable, Sequence
from pathlib import Path

from fleet.core.errors import PlanError
from fleet.core.plan import count_text, size_text
from fleet.io.fetch import download, ranges
from fleet.io.fetch.answers import Want
from fleet.io.hubs.access import Access
from fleet.io.hubs.hub import Hub
from fleet.io.models import learned, lock_file
from fleet.io.ports import Folders
from fleet.models import gguf, hub, splits
from fleet.models.hub import Pinned
from fleet.sources.base import Repository

Say = Callable[[str], None]


async def pinned(
    place: Repository,
    sha256: str | None,
    base: Path,
    folders: Folders,
    access: Access,
    say: Say,
    parts: Sequence[str] = (),
) -> Pinned:
    """What the source stands for: as fleet.lock says, else asked of the hub now and written there.

    Args:
        sha256, parts: what the inventory wants of a model of one file, or of several.
        base: the folder of the inventory.
        say: told what was pinned.

    Raises:
        PlanError: the file is not the one that the inventory wants, or none that can be served.
        FleetError: neither the lock nor the hub knows it.
    """
    path = lock_file.path_of(base)
    found = lock_file.read(path).get(str(place))
    if found is None:
        async with learned.changing(folders):
            known = lock_file.read(path)  # another run may have been faster
            found = known.get(str(place))
            if found is None:
                found = await _resolve(place, sha256, access, parts)
                lock_file.write(path, known | {str(place): found})
                say(f"pinned in {lock_file.NAME}: {told(found)}")
    wanted = tuple(parts) or ((sha256,) if sha256 is not None else ())
    held = tuple(one.sha256 for one in found.files)
    if wanted and wanted != held:
        raise PlanError(
            f"{lock_file.NAME} pins the sha256 {', '.join(held)}, the inventory wants {', '.join(wanted)}",
            kind="wrong-sha256",
            next=f"{pinning(held)}, or take the entry of {place} out of {path}",
        )
    return found


async def renewed(
    place: Repository, base: Path, folders: Folders, access: Access
) -> tuple[Pinned | None, Pinned]:
    """What was pinned, and what the hub holds today, which is pinned from now on.

    Raises: as pinned.
    """
    path = lock_file.path_of(base)
    async with learned.changing(folders):
        known = lock_file.read(path)
        before = known.get(str(place))
        found = await _resolve(place, None, access)
        if before is not None and _bytes(before) == _bytes(found):
            return before, before  # a commit that left the files as they were
        lock_file.write(path, known | {str(place): found})
        return before, found


async def fetch(place: Repository, found: Pinned, part: Path, access: Access, say: Say) -> None:
    """The pinned file under `part`. Raises as download.download."""
    at = Hub(access)
    say(f"fetching {found.file} of {place.id}, {size_text(found.size)}, from {at.host}")
    want = Want(at.key, at.check(place), found.size, access.connections)
    await download.download(at.url(place, found.commit, found.file), part, say, want=want)


async def headers(
    place: Repository, found: Pinned | None, access: Access
) -> list[tuple[gguf.Header, int | None]]:
    """The header of a model there, and those of its further parts; no more than that is read.

    Args:
        found: what is pinned; None: what the hub holds today is looked at, split or not.
    """
    at = Hub(access)
    if found is None:
        listing = await at.listing(place)
        commit, files = listing.commit, splits.paths(hub.choose(place, listing).path)
    else:
        commit, files = found.commit, tuple(one.file for one in found.files)
    check = at.check(place)
    async with ranges.client(key=at.key) as client:
        return [await ranges.header(client, at.url(place, commit, file), check=check) for file in files]


def told(found: Pinned) -> str:
    """A pin for people."""
    hashes = ", ".join(one.sha256 for one in found.files)
    more = f" and {count_text(len(found.rest), 'further file')}" if found.rest else ""
    return f"{found.file}{more} at commit {found.commit[:12]}, {size_text(found.whole_size)}, sha256 {hashes}"


def pinning(hashes: Sequence[str]) -> str:
    """The line that pins a model in the inventory."""
    quoted = ", ".join(f'"{one}"' for one in hashes)
    return f"sha256 = {quoted}" if len(hashes) == 1 else f"parts = [{quoted}]"


def _bytes(found: Pinned) -> list[tuple[str, str]]:
    return [(one.file, one.sha256) for one in found.files]


async def _resolve(
    place: Repository, sha256: str | None, access: Access, parts: Sequence[str] = ()
) -> Pinned:
    return hub.pin(place, await Hub(access).listing(place), sha256, parts)
