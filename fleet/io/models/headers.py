"""The header of a model, wherever it lies: a file, the cache, or the beginning of a file behind http."""

import asyncio
import functools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fleet.core.errors import PlanError, UsageError
from fleet.core.flow import AskOracle
from fleet.core.names import nearest
from fleet.core.text import safe_line, safe_text
from fleet.io.fetch import answers, ranges
from fleet.io.hubs import models as hub_models
from fleet.io.hubs import objects, registry
from fleet.io.models import learned
from fleet.io.models.memory import read_header, unreadable
from fleet.io.shelltext import placed
from fleet.models import gguf, splits
from fleet.models.weights import Weights, join
from fleet.platforms.base import program
from fleet.sources import base as sources
from fleet.sources.base import Address, Image, Local, Object, Package, Place, Repository

if TYPE_CHECKING:
    from fleet.io.artifacts import Artifacts
    from fleet.io.world import World

ORACLE = (
    '"$FLEET_ROOT/builds/$BUILD/bin/llama-fit-params" -m "$FLEET_ROOT/$MODEL"'
    " {arguments} </dev/null 2>/dev/null"
)
ORACLE_DEADLINE = 60.0  # seconds; it takes about one, more where the file is cold


async def weights(world: "World", artifacts: "Artifacts", model: str) -> Weights:
    """What a model's header says, read once in a run.

    Args:
        model: a name of the inventory, a file, or an address.

    Raises:
        UsageError: it is none of these.
        PlanError: what lies there is not a model, is cut off, or lacks a part.
        FleetError: it cannot be read.
    """
    async with world.fetching(f"header {model}"):
        if model not in artifacts.weights:
            artifacts.weights[model] = await _read(world, artifacts, model)
        return artifacts.weights[model]


async def _read(world: "World", artifacts: "Artifacts", model: str) -> Weights:
    base = Path(world.inventory.path).resolve().parent
    if model not in world.inventory.models:
        place = _place(world, model)
        if isinstance(place, Repository):
            return join(model, await hub_models.headers(place, None, artifacts.access), None)
        if isinstance(place, Image):
            layer = (await registry.look(place, artifacts.access)).model
            url = registry.url(place, layer.sha256, artifacts.access)
            return await _addresses([url], model, layer.sha256)
        if isinstance(place, Object):
            return await _objects(_each(place), artifacts, model, None, None)
        return await _at(place, Path.cwd(), model, None)
    wish = world.inventory.models[model]
    place = sources.parse(wish.source)
    hashes = tuple(wish.parts) or ((wish.sha256,) if wish.sha256 is not None else ())
    if (cached := _cached(world, hashes)) is not None:
        return await _files(cached, model, _id(hashes))
    if isinstance(place, Repository):
        pinned = await artifacts.pinned(model)
        hashes = tuple(one.sha256 for one in pinned.files)
        if (cached := _cached(world, hashes)) is not None:
            return await _files(cached, model, _id(hashes))
        return join(model, await hub_models.headers(place, pinned, artifacts.access), _id(hashes))
    if isinstance(place, Package):  # wheels have no beginning that could be read alone
        found = await artifacts.model(model)
        return await _files([await artifacts.path(found, world.say, "")], model, found.id)
    if isinstance(place, Image):
        found = await artifacts.model(model)
        if (cached := _cached(world, (found.id,))) is not None:
            return await _files(cached, model, found.id)
        return await _addresses([registry.url(place, found.id, artifacts.access)], model, found.id)
    if isinstance(place, Object):
        files = _each(place)
        if not hashes:
            hashes = await _pinned(files, base, world, artifacts)
            if (cached := _cached(world, hashes)) is not None:
                return await _files(cached, model, _id(hashes))
        return await _objects(files, artifacts, model, _id(hashes), base)
    return await _at(place, base, model, _id(hashes))


def _cached(world: "World", hashes: Sequence[str]) -> list[Path] | None:
    """The files in the cache; None unless all are there."""
    files = [world.folders.cache / "models" / f"{sha256}.gguf" for sha256 in hashes]
    return files if files and all(file.is_file() for file in files) else None


def _id(hashes: Sequence[str]) -> str | None:
    """What the model is called on hosts."""
    if not hashes:
        return None
    return hashes[0] if len(hashes) == 1 else splits.set_id(hashes)


def _place(world: "World", text: str) -> Place:
    """What a person means who names no model of the inventory."""
    if text.startswith(("http://", "https://")):
        return Address(text)
    prefix, colon, _ = text.partition(":")
    if colon and prefix in sources.prefixes() and prefix != "package":
        return sources.parse(text)
    if text.endswith(".gguf") or Path(text).exists():
        return Local(text)
    known = nearest(text, world.inventory.models) or sorted(world.inventory.models)[:8]
    raise UsageError(
        f"no model called {safe_line(text, 80)!r}",
        next=f"one of: {', '.join([*known, 'a .gguf file, or an address'])}",
    )


async def _at(place: Place, base: Path, name: str, sha256: str | None) -> Weights:
    match place:
        case Local(path):
            return await _files([base / Path(each).expanduser() for each in splits.paths(path)], name, sha256)
        case Address():
            return await _addresses(
                [each.url for each in splits.places(place) if isinstance(each, Address)], name, sha256
            )
        case Package() | Repository() | Image() | Object():
            raise UsageError(f"{place} is read by its name in the inventory", next="fleet config show")


async def _files(paths: Sequence[Path], name: str, sha256: str | None) -> Weights:
    def read(path: Path) -> tuple[gguf.Header, int | None]:
        try:
            if path.is_dir():
                raise PlanError(f"{path} is a folder", next="name the .gguf file in it")
            return read_header(path), path.stat().st_size
        except OSError as error:
            raise unreadable(path, error) from error

    return await asyncio.to_thread(lambda: join(name, [read(path) for path in paths], sha256))


async def _addresses(
    urls: Sequence[str], name: str, sha256: str | None, check: answers.Check = answers.check
) -> Weights:
    async with ranges.client() as client:
        return join(name, [await ranges.header(client, url, check=check) for url in urls], sha256)


def _each(place: Object) -> list[Object]:
    """The objects of a model."""
    return [each for each in splits.places(place) if isinstance(each, Object)]


async def _pinned(
    files: Sequence[Object], base: Path, world: "World", artifacts: "Artifacts"
) -> tuple[str, ...]:
    """The hashes of all objects; empty where a bucket does not name one, which only fetching would tell."""
    ask = functools.partial(
        objects.pinned, base=base, folders=world.folders, access=artifacts.access, say=artifacts.tell
    )
    found = [await ask(each) for each in files]
    return tuple(one.sha256 for one in found if one) if all(found) else ()


async def _objects(
    files: Sequence[Object], artifacts: "Artifacts", name: str, sha256: str | None, base: Path | None
) -> Weights:
    """Args: base: of the inventory, whose fleet.lock says which versions are meant; None: today's."""
    links = []
    for each in files:
        known = learned.known(str(each), base) if base else None
        links.append(await objects.link(each, known, artifacts.access))
    return await _addresses(links, name, sha256, objects.check(files[0]))


async def oracle(world: "World", need: AskOracle) -> str:
    """What llama-fit-params prints on the host; empty where it fails or is not in that build.

    Raises:
        UnreachableError: the host does not answer.
    """
    script = program(ORACLE.format(arguments=need.arguments), BUILD=need.fingerprint, MODEL=need.path)
    transport = await world.transport(need.host)
    answer = await transport.run(placed(script, world.root(need.host)), deadline=ORACLE_DEADLINE)
    return safe_text(answer.out) if answer.status == 0 else ""
