"""The inventory as fleet understands it, or every key it may have."""

from collections.abc import Iterable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from fleet.commands.base import Option, Request, Results, Verb, split
from fleet.core.flow import Flow

if TYPE_CHECKING:
    from fleet.core.inventory import Inventory


def flow(request: Request, inventory: "Inventory", host: str) -> Flow[dict[str, Any]]:
    """The document of `--json`, without `schema`."""
    yield from ()
    if request["schema"]:
        return {"keys": [asdict(key) for key in inventory.described()]}
    return {"path": inventory.path, "inventory": inventory.document()}


def document(request: Request, results: Results) -> dict[str, Any]:
    return next(iter(split(results)[0].values()), {})


def lines(request: Request, results: Results) -> Iterable[str]:
    found = document(request, results)
    if "keys" in found:
        yield from _schema(found["keys"])
    elif found:
        import tomlkit  # only here: the list of verbs is made without it

        yield f"# {found['path']}, defaults merged in"
        yield from tomlkit.dumps(found["inventory"]).splitlines()


def _schema(keys: list[dict[str, Any]]) -> Iterable[str]:
    table = None
    for key in keys:
        if key["table"] != table:
            if table is not None:
                yield ""
            table = key["table"]
            yield f"[{table}]"
            if table == "defaults":
                yield "any key of hosts.NAME or servers.NAME; the nearest one wins: server, host, defaults"
        default = "required" if key["is_required"] else _default(key["default"])
        yield f"  {key['key']:<16} {key['type']:<13} {key['meaning']}" + (f"; {default}" if default else "")


def _default(value: Any) -> str:
    if value in (None, (), {}):
        return ""
    if isinstance(value, bool):
        return "else true" if value else "else false"
    return f"else {value}"


verb = Verb(
    help="The inventory with its defaults merged in; --schema: every key, its unit and its meaning.",
    level=0,
    flow=flow,
    document=document,
    lines=lines,
    options=(Option("--schema", "every key that an inventory may have", kind="flag"),),
    selects="none",
    schema="fleet.config/1",
)
