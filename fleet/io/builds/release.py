"""Release archives of finished binaries on the controller: fetched, checked by their hash, packed anew."""

import asyncio
from pathlib import Path

from fleet.core.flow import Asset
from fleet.core.plan import Artifact
from fleet.io.builds.binaries import repack
from fleet.io.cache import Cache, full
from fleet.io.digest import digest
from fleet.io.exclusive import exclusive
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
    async with exclusive(cache.folder / "incoming" / f"prebuilt-{artifact.id}.lock"):
        if (there := await asyncio.to_thread(cache.path, artifact)) is not None:
            return there
        if not asset.is_remote:
            return await _pack(artifact, asset, base / Path(asset.place).expanduser(), cache)
        part = cache.folder / "downloads" / f"{asset.sha256}.part"
        part.parent.mkdir(parents=True, exist_ok=True)
        await download(asset.place, part, lambda message: None)
        try:
            return await _pack(artifact, asset, part, cache)
        finally:
            forget(part)


async def _pack(artifact: Artifact, asset: Asset, file: Path, cache: Cache) -> Path:
    await digest(file, asset.sha256)
    packed = cache.partial(artifact)
    try:
        await asyncio.to_thread(repack, file, packed, asset.name)
        return await cache.adopt(artifact, packed)
    except OSError as error:
        raise full(cache.folder, error) from error
    finally:
        packed.unlink(missing_ok=True)
