"""Release archives of finished binaries on the controller: fetched, checked by their hash, packed anew."""

import asyncio
from pathlib import Path

from fleet.core.flow import Asset
from fleet.core.plan import Artifact
from fleet.io.builds.binaries import repack
from fleet.io.cache import Cache
from fleet.io.digest import digest
from fleet.io.fetch.download import download, forget


async def make_archive(artifact: Artifact, asset: Asset, base: Path, cache: Cache) -> Path:
    """The programs of a release archive as one .tar.gz in the cache, all in `bin/`; made once.

    Args:
        base: the inventory's folder; relative paths start there.

    Raises:
        FleetError: it is another file than the inventory names, is damaged or hostile, or
            holds no llama-server.
        DeadlineError: nothing came for too long.
    """

    async def make(to: Path) -> None:
        if not asset.is_remote:
            await _pack(asset, base / Path(asset.place).expanduser(), to)
            return
        part = cache.folder / "downloads" / f"{asset.sha256}.part"
        part.parent.mkdir(parents=True, exist_ok=True)
        await download(asset.place, part, lambda message: None)
        try:
            await _pack(asset, part, to)
        finally:
            forget(part)

    return await cache.made(artifact, make)


async def _pack(asset: Asset, file: Path, to: Path) -> None:
    await digest(file, asset.sha256)
    await asyncio.to_thread(repack, file, to, asset.name)
