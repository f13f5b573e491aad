"""Models into the controller's cache; no host is touched."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fleet.commands.base import Option, Request, Results, Verb, split
from fleet.core.errors import FleetError, UsageError
from fleet.core.flow import Flow
from fleet.core.names import nearest
from fleet.core.plan import size_text
from fleet.core.stock import Pull, Pulled, ReadStock, Stocked
from fleet.core.text import safe_line

if TYPE_CHECKING:
    from fleet.core.inventory import Inventory


@dataclass(frozen=True, slots=True)
class Got:
    models: tuple[Pulled, ...]
    missing: tuple[str, ...]  # only planned
    errors: tuple[FleetError, ...]


def flow(request: Request, inventory: "Inventory", host: str) -> Flow[Got]:
    """Every named model, verified; one that cannot be had does not keep the others away.

    Raises:
        UsageError: no such model.
    """
    names = tuple(dict.fromkeys(request["model"]))
    for name in names:
        if name not in inventory.models:
            near = nearest(name, inventory.models)
            following = f"one of: {', '.join(near)}" if near else "fleet config show"
            raise UsageError(f"no model called {safe_line(name, 80)!r}", next=following)
    if request.dry_run:
        stocked: Stocked = yield ReadStock()
        return Got((), tuple(name for name in names if (one := stocked.of(name)) and one.path is None), ())
    got: list[Pulled] = []
    errors: list[FleetError] = []
    for name in names:
        try:
            found: Pulled = yield Pull(name)
            got.append(found)
        except FleetError as error:
            errors.append(error)
    return Got(tuple(got), (), tuple(errors))


def failure(result: Any) -> FleetError | None:
    return next(iter(result.errors), None)


def document(request: Request, results: Results) -> dict[str, Any]:
    """`fleet.pull/1`."""
    found = next(iter(split(results)[0].values()), Got((), (), ()))
    models = [
        {
            "name": one.name,
            "sha256": one.sha256,
            "bytes": one.size,
            "path": one.path,
            "changed": one.is_new,
            "error": None,
        }
        for one in found.models
    ]
    nothing = dict.fromkeys(("sha256", "bytes", "path"))
    models += [{"name": name} | nothing | {"changed": False, "error": None} for name in found.missing]
    errors = [*found.errors, *split(results)[1].values()]
    return {"models": models, "errors": [error.document() for error in errors]}


def lines(request: Request, results: Results) -> Iterable[str]:
    for found in split(results)[0].values():
        for one in found.models:
            did = "fetched" if one.is_new else "is here, nothing to do"
            yield f"{one.name}: {did}, {size_text(one.size)}, sha256 {one.sha256[:12]}"
        for name in found.missing:
            yield f"{name}: would be fetched (--dry-run)"
        if request.dry_run and not found.missing:
            yield "nothing to do"
        yield from (str(error) for error in found.errors)


verb = Verb(
    help="Fetch models into this machine's cache; no host is touched.",
    level=1,
    flow=flow,
    document=document,
    lines=lines,
    failure=failure,
    selects="none",
    schema="fleet.pull/1",
    options=(Option("MODEL", "names in the inventory", is_required=True, is_many=True),),
)
