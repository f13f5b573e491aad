"""Models taken as their sources hold them today."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from fleet.core.edits import Renewed
from fleet.io.fetch import download
from fleet.io.hubs import models as hub_models
from fleet.io.hubs import objects, registry
from fleet.io.hubs.access import Access
from fleet.io.models import learned
from fleet.io.models import search as model_search
from fleet.io.ports import Folders
from fleet.models import splits
from fleet.models.fixed import Fixed
from fleet.sources import base as sources
from fleet.sources.base import Address, Image, Object, Place, Repository

if TYPE_CHECKING:
    from fleet.core.inventory import Model


async def renewed(
    name: str, model: "Model", base: Path, folders: Folders, access: Access, say: Callable[[str], None]
) -> Renewed:
    """What the source of a model holds today, which is pinned in fleet.lock from now on.

    A hub or a registry is only asked, and a bucket that names hashes. Another source is fetched, unless
    its server says that it is still what was pinned.

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
            case Object():  # what the inventory wants of it follows
                model = model.model_copy(update={"sha256": None, "parts": ()})
        files = splits.places(place)
        known = [learned.known(str(each), base) for each in files]
        moved = [
            str(each) for each, one in zip(files, known, strict=True) if not await _is_same(each, one, access)
        ]
        held = [one for one in known if one is not None]
        was = _id(held) if len(held) == len(files) else None
        if was is not None and not moved:
            return Renewed("", "", sum(one.size for one in held), was, was, _parts(held))
        # What was pinned stays so until the new is written in its place.
        found = await model_search.find(name, model, base, folders, access, say, anew=tuple(moved))
        parts = tuple(one.id for one in found.parts)
        return Renewed("", "", found.size or 0, found.id, was, parts)


async def _is_same(place: Place, known: Fixed | None, access: Access) -> bool:
    """Whether its server says that it is still what was pinned."""
    match place:
        case Address(url) if known is not None and (mark := known.marks.get("version")):
            return await download.version(url) == mark
        case Object() if known is not None:
            return await objects.is_same(place, known, access)
    return False


def _id(held: list[Fixed]) -> str:
    return held[0].sha256 if len(held) == 1 else splits.set_id([one.sha256 for one in held])


def _parts(held: list[Fixed]) -> tuple[str, ...]:
    return tuple(one.sha256 for one in held) if len(held) > 1 else ()
