"""Models of the inventory on the controller: each of their files is looked for as a model of its own."""

import contextlib
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fleet.core.errors import FleetError, InventoryError, PlanError
from fleet.core.plan import Artifact, count_text
from fleet.io.hubs.access import Access
from fleet.io.hubs.models import pinning
from fleet.io.models.file import ModelFile
from fleet.io.ports import Folders
from fleet.models import splits
from fleet.models.hub import Pinned
from fleet.models.splits import Part
from fleet.sources import base as sources
from fleet.sources.base import Object, Repository

if TYPE_CHECKING:
    from fleet.core.inventory import Model

Say = Callable[[str], None]


async def find(
    name: str,
    model: "Model",
    inventory_folder: Path,
    folders: Folders,
    access: Access,
    say: Say,
    anew: Collection[str] = (),
) -> Artifact:
    """What the inventory means by a model.

    A pinned `url:` is not fetched yet, only asked for its size, and what a hub, a registry or a bucket
    names is as fleet.lock has it; all else is fetched, because its hash or its size cannot be known
    otherwise.

    Args:
        name: in the inventory.
        model: its table there.
        inventory_folder: what a relative `file:` is relative to.
        folders: of this machine.
        access: to the model hub.
        say: told what takes long, and the line that pins an unpinned model.
        anew: sources that are fetched and pinned as they are today, whatever fleet.lock says.

    Raises:
        InventoryError: the source is not one, or a sha256 is missing.
        PlanError: no such file, not a model, cut off, other bytes than the sha256 says.
        FleetError: it could not be fetched.
    """
    with named(name):
        files = await _files(name, model, inventory_folder, folders, access, say)
        for one in files:
            one.is_anew = str(one.place) in anew
            with _numbered(one):
                one.look()
        found = []
        for one in files:
            with _numbered(one):
                found.append(await one.find())
        return _together(name, model, found, say)


async def path(
    name: str,
    model: "Model",
    found: Artifact,
    inventory_folder: Path,
    folders: Folders,
    access: Access,
    say: Say,
    number: int = 0,
) -> Path:
    """The verified file of a model that was found, fetched now if it was not yet.

    Args:
        number: of the file, where the model has several; from 0.

    Raises: as find.
    """
    with named(name):
        files = await _files(name, model, inventory_folder, folders, access, say)
        with _numbered(files[number]):
            return await files[number].path(found.id)


async def pinned(
    name: str, model: "Model", inventory_folder: Path, folders: Folders, access: Access, say: Say
) -> Pinned:
    """What an `hf:` of the inventory stands for, without fetching it. Raises: as find."""
    with named(name):
        one = ModelFile(name, model, inventory_folder, folders, access, say)
        assert isinstance(one.place, Repository)
        return await one.resolved(one.place)


async def _files(
    name: str, model: "Model", base: Path, folders: Folders, access: Access, say: Say
) -> list[ModelFile]:
    """The files of a model, each by itself; one of most models."""
    first = ModelFile(name, model, base, folders, access, say)
    if isinstance(first.place, Repository):  # what it stands for may have other files than its name says
        count = 1 if model.sha256 is not None else len((await first.resolved(first.place)).files)
    else:
        count = len(splits.places(first.place))
    if count == 1 and not model.parts:
        return [first]
    return [
        ModelFile(name, each, base, folders, access, say, Part(number, count), model.parts)
        for number, each in enumerate(_tables(model, count), 1)
    ]


@contextlib.contextmanager
def named(name: str) -> Iterator[None]:
    """Makes errors say which model they are about."""
    try:
        yield
    except FleetError as error:
        if not error.what.startswith(f"model {name}: "):
            error.what = f"model {name}: {error.what}"
        raise


@contextlib.contextmanager
def _numbered(file: ModelFile) -> Iterator[None]:
    """Makes errors say which file of several they are about."""
    try:
        yield
    except FleetError as error:
        if file.part is not None:
            error.what = f"{file.part}: {error.what}"
        raise


def _tables(model: "Model", count: int) -> "list[Model]":
    """The model as one table for each of its files.

    Those of a hub keep their source: fleet.lock says what it stands for, file by file.

    Raises:
        PlanError: the inventory has more or fewer hashes than there are files.
    """
    if model.parts and len(model.parts) != count:
        raise PlanError(
            f"{model.source} has {count_text(count, 'file')}, and {len(model.parts)} parts in the inventory",
            next="name the first of its files as source, and the sha256 of each in parts",
        )
    if model.sha256 is not None:
        raise PlanError(
            f"it has {count_text(count, 'file')}, and one sha256", next="parts = [the sha256 of each file]"
        )
    place = sources.parse(model.source)
    where = [place] * count if isinstance(place, Repository) else splits.places(place)
    hashes: Sequence[str | None] = model.parts or [None] * count
    return [
        model.model_copy(update={"source": str(one), "sha256": sha256, "parts": ()})
        for one, sha256 in zip(where, hashes, strict=True)
    ]


def _together(name: str, model: "Model", found: Sequence[Artifact], say: Callable[[str], None]) -> Artifact:
    """The model that its files are.

    Raises:
        InventoryError: it is not pinned; names the line that pins it.
        PlanError: one file is there twice.
    """
    made = splits.together(name, found)
    is_pinned = bool(model.parts) or isinstance(sources.parse(model.source), Repository | Object)
    if made.parts and not is_pinned:
        line = pinning([part.id for part in made.parts])
        if not model.allow_unpinned:
            raise InventoryError("its files have no sha256", next=line)
        say(f'model {name}: pin it under [models."{name}"]: {line}')
    return made
