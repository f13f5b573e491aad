"""What deploy would do, without doing it."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from fleet.commands.base import EXPLAIN, Option, Request, Results, Verb, explained, plan_document, split
from fleet.core.flow import Flow, probe
from fleet.core.plan import Plan
from fleet.core.render import plan_lines
from fleet.servers.converge import converge

if TYPE_CHECKING:
    from fleet.core.inventory import Inventory


def plan(request: Request, inventory: "Inventory", host: str) -> Flow[Plan]:
    """The steps that deploy would take now; nothing is written on the host."""
    facts = yield from probe(host)
    return (
        yield from converge(
            inventory,
            host,
            facts,
            rebuild=bool(request["rebuild"]),
            prune=bool(request["prune"]),
            only=request.servers,
        )
    )


def lines(request: Request, results: Results) -> Iterable[str]:
    yield from plan_lines(split(results)[0].values())
    yield from explained(request, results)


verb = Verb(
    help="Show what deploy would do.",
    level=0,
    flow=plan,
    document=plan_document,
    lines=lines,
    schema="fleet.plan/1",
    options=(
        Option("--prune", "also stop and remove servers that are not in the inventory any more", "flag"),
        EXPLAIN,
        Option("--rebuild", "as if no build were there or in the cache", "flag"),
    ),
)
