"""Take a host out of the inventory. Nothing is touched on the host itself."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fleet.commands.base import Option, Request, Results, Verb, split
from fleet.commands.host_trust import known
from fleet.core.edits import Ask, EditInventory, Pin, RemoveHost
from fleet.core.errors import DeclinedError, PlanError, UsageError
from fleet.core.flow import Flow
from fleet.core.selectors import declared, without

if TYPE_CHECKING:
    from fleet.core.inventory import Inventory


@dataclass(frozen=True, slots=True)
class Removed:
    name: str
    servers: tuple[str, ...]  # that were declared there
    changed: bool


def flow(request: Request, inventory: "Inventory", host: str) -> Flow[Removed]:
    """The inventory without the host, and no pin of its key.

    Raises:
        UsageError: no such host.
        PlanError: a server would be left without any host.
        DeclinedError: nobody said yes.
    """
    name = known(str(request["name"]), inventory)
    _check(name, inventory)
    servers = tuple(inventory.servers_on(name))
    if request.dry_run:
        return Removed(name, servers, changed=False)
    question = f"take {name} ({inventory.hosts[name].where}) out of the inventory"
    if servers:
        question += (
            f"\n{', '.join(servers)} should run there; what runs is not stopped: fleet stop {name} does that"
        )
    agreed: bool = yield Ask(f"{question}\nType its name to go on", expected=name)
    if not agreed:
        raise DeclinedError("not removed", host=name, next=f"fleet host remove {name} --yes --confirm {name}")
    changed: bool = yield EditInventory(RemoveHost(name))
    yield Pin(name, None)
    return Removed(name, servers, changed)


def _check(name: str, inventory: "Inventory") -> None:
    rest = {other: tags for other, tags in inventory.tags().items() if other != name}
    for server, wish in inventory.servers.items():
        on = [left for item in wish.on if (left := without(item, name)) is not None]
        try:
            declared(on, rest)
        except UsageError as error:
            what = f"servers.{server}.on would be wrong without it: {error.what}"
            raise PlanError(
                what, host=name, next=f"change servers.{server}.on, or remove servers.{server}"
            ) from error


def document(request: Request, results: Results) -> dict[str, Any]:
    found = next(iter(split(results)[0].values()), None)
    if found is None:
        return {"host": None}
    return {"host": {"name": found.name, "servers": list(found.servers), "changed": found.changed}}


def lines(request: Request, results: Results) -> Iterable[str]:
    for found in split(results)[0].values():
        done = "removed" if found.changed else "not removed (--dry-run)"
        yield f"{found.name}: {done}"
        if found.servers:
            yield f"  - what runs there goes on: {', '.join(found.servers)}"


verb = Verb(
    help="Take a host out of the inventory; what runs on it goes on.",
    level=3,
    flow=flow,
    document=document,
    lines=lines,
    options=(Option("NAME", "the host", is_required=True),),
    selects="none",
    schema="fleet.host/1",
)
