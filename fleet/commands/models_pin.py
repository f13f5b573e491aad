"""Write down what a model is, so that it can never change unseen: in fleet.lock or in the inventory."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fleet.commands.base import Option, Request, Results, Verb, split
from fleet.core.edits import EditInventory, PinModel, Renewed, RenewModel
from fleet.core.errors import UsageError
from fleet.core.flow import Flow, find_model
from fleet.core.inventory_words import LOCKED
from fleet.core.names import nearest
from fleet.core.text import safe_line
from fleet.models.splits import set_id

if TYPE_CHECKING:
    from fleet.core.inventory import Inventory


@dataclass(frozen=True, slots=True)
class Pinned:
    name: str
    sha256: str | None  # None where it was only planned
    size: int | None  # bytes
    changed: bool
    commit: str | None = None  # of a model of a hub
    file: str | None = None


def flow(request: Request, inventory: "Inventory", host: str) -> Flow[Pinned]:
    """The model with its sha256 in the inventory; it is fetched to learn it, anew if it changed there.

    A model of a hub, a registry or a bucket is looked up there anew and pinned in fleet.lock, fetched only
    where a bucket names no sha256; one that the inventory has for it follows.

    Raises:
        UsageError: no such model.
    """
    name = str(request["model"])
    if name not in inventory.models:
        near = ", ".join(nearest(name, inventory.models))
        raise UsageError(
            f"no model called {safe_line(name, 80)!r}",
            next=f"one of: {near}" if near else "fleet config show",
        )
    wanted = _wanted(inventory, name)
    source = inventory.models[name].source
    is_named = source.startswith(LOCKED)
    if wanted is not None and not is_named:
        return Pinned(name, wanted, None, changed=False)
    if request.dry_run:
        return Pinned(name, None, None, changed=False)
    if not source.startswith("file:"):
        found: Renewed = yield RenewModel(name)
        changed = found.sha256 != found.before
        if not is_named or wanted not in (None, found.sha256):
            changed = yield EditInventory(PinModel(name, found.sha256, found.parts))
        return Pinned(name, found.sha256, found.size, changed, found.commit or None, found.file or None)
    artifact = yield from find_model(name)
    parts = tuple(part.id for part in artifact.parts)
    changed = yield EditInventory(PinModel(name, artifact.id, parts))
    return Pinned(name, artifact.id, artifact.size, changed)


def _wanted(inventory: "Inventory", name: str) -> str | None:
    """The id of what the inventory pins."""
    model = inventory.models[name]
    return set_id(model.parts) if model.parts else model.sha256


def document(request: Request, results: Results) -> dict[str, Any]:
    found = next(iter(split(results)[0].values()), None)
    if found is None:
        return {"model": None}
    model = {"name": found.name, "sha256": found.sha256, "bytes": found.size, "changed": found.changed}
    return {"model": model | ({"commit": found.commit, "file": found.file} if found.commit else {})}


def lines(request: Request, results: Results) -> Iterable[str]:
    for found in split(results)[0].values():
        if found.changed:
            word = "manifest" if found.commit and len(found.commit) == 64 else "commit"
            of = f"{found.file} at {word} {found.commit[:12]}, sha256 " if found.commit else ""
            yield f"{found.name}: pinned to {of}{found.sha256}"
        elif found.sha256:
            yield f"{found.name}: is pinned to {found.sha256}, nothing to do"
        else:
            yield f"{found.name}: would be asked for and pinned (--dry-run)"


verb = Verb(
    help="Pin a model: its sha256 in the inventory, or what its hub holds today in fleet.lock.",
    level=1,
    flow=flow,
    document=document,
    lines=lines,
    options=(Option("MODEL", "its name in the inventory", is_required=True),),
    selects="none",
    schema="fleet.model/1",
)
