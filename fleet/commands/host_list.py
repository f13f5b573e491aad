"""The hosts of the inventory, as it stands; nobody is asked."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from fleet.commands.base import Request, Results, Verb, split
from fleet.core.flow import Flow

if TYPE_CHECKING:
    from fleet.core.inventory import Inventory


def flow(request: Request, inventory: "Inventory", host: str) -> Flow[list[dict[str, Any]]]:
    """A row for each host."""
    yield from ()
    return [
        {
            "name": name,
            "where": value.where,
            "user": value.user,
            "tags": list(value.tags),
            "part_time": value.part_time,
            "backend": value.backend,
            "servers": list(inventory.servers_on(name)),
        }
        for name, value in inventory.hosts.items()
    ]


def document(request: Request, results: Results) -> dict[str, Any]:
    return {"hosts": next(iter(split(results)[0].values()), [])}


def lines(request: Request, results: Results) -> Iterable[str]:
    rows = document(request, results)["hosts"]
    if not rows and not split(results)[1]:
        yield "no hosts yet"
        yield "-> next: fleet host add NAME ADDRESS"
        return
    for row in rows:
        row["marks"] = " ".join([f"@{tag}" for tag in row["tags"]] + ["part-time"] * row["part_time"])
    widths = [max((len(row[key]) for row in rows), default=0) for key in ("name", "where", "marks")]
    for row in rows:
        cells = [row[key].ljust(width) for key, width in zip(("name", "where", "marks"), widths, strict=True)]
        yield "  ".join([*cells, " ".join(row["servers"])]).rstrip()


verb = Verb(
    help="The hosts of the inventory and the servers that should run on them.",
    level=0,
    flow=flow,
    document=document,
    lines=lines,
    selects="none",
    schema="fleet.hosts/1",
)
