"""Models taken as their sources hold them today."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from fleet.core.edits import Renewed
from fleet.io.fetch import download
from fleet.io.hubs import models as hub_models
from fleet.io.hubs import registry
from fleet.io.hubs.access import Access
from fleet.io.models import learned
from fleet.io.models import search as model_search
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

    Raises: as model_search.find.
    """
    place = sources.parse(model.source)
    with model_search.named(name):
        match place:
            case Repository():
                before, after = await hub_models.renewed(place, base, folders, access)
                was = before.id if before else None
                parts = tuple(one.sha256 for one in after.files) if after.rest else ()
                return Renewed(after.commit, after.file, after.whole_size, after.id, was, parts)
            case Image():
                return await registry.renewed(place, base, folders, access)
        known = learned.known(str(place), base)
        mark = known.marks.get("version") if known else None
        if known and mark and isinstance(place, Address) and await download.version(place.url) == mark:
            return Renewed("", "", known.size, known.sha256, known.sha256)
        # What was pinned stays so until the new is written in its place.
        found = await model_search.find(name, model, base, folders, access, say, anew=(str(place),))
        parts = tuple(one.id for one in found.parts)
        return Renewed("", "", found.size or 0, found.id, known.sha256 if known else None, parts)
