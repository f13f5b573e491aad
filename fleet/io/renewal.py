"""Models taken as their sources hold them today."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from fleet.core.edits import Renewed
from fleet.io import download, hub_models, learned, models, registry
from fleet.io.hub_access import Access
from fleet.io.ports import Folders
from fleet.sources import base as sources
from fleet.sources.base import Address, Image, Repository

if TYPE_CHECKING:
    from fleet.core.inventory import Model


async def renewed(
    name: str, model: "Model", base: Path, folders: Folders, access: Access, say: Callable[[str], None]
) -> Renewed:
    """What the source of a model holds today, which is pinned in fleet.lock from now on.

    A hub or a registry is only asked. Another source is fetched, unless its server says that it is
    still what was pinned.

    Raises: as models.find.
    """
    place = sources.parse(model.source)
    with models.named(name):
        match place:
            case Repository():
                before, after = await hub_models.renewed(place, base, folders, access)
                was = before.sha256 if before else None
                return Renewed(after.commit, after.file, after.size, after.sha256, was)
            case Image():
                return await registry.renewed(place, base, folders, access)
        known = learned.known(str(place), base)
        mark = known.marks.get("version") if known else None
        if known and mark and isinstance(place, Address) and await download.version(place.url) == mark:
            return Renewed("", "", known.size, known.sha256, known.sha256)
        await learned.forget(str(place), base, folders)
        try:
            found = await models.find(name, model, base, folders, access, say)
        except BaseException:
            if known:  # what could not be renewed stays pinned
                await learned.learn(str(place), known, base, folders)
            raise
        return Renewed("", "", found.size or 0, found.id, known.sha256 if known else None)
