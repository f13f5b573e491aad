"""Trust the key that a host shows now."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fleet.commands.base import Option, Request, Results, Verb, split
from fleet.commands.host_add import agree
from fleet.core.edits import EditInventory, HostKey, Pin, ReadHostKey, SetHostKey
from fleet.core.errors import UsageError
from fleet.core.flow import Flow
from fleet.core.names import nearest
from fleet.core.text import safe_line

if TYPE_CHECKING:
    from fleet.core.inventory import Inventory


@dataclass(frozen=True, slots=True)
class Trusted:
    name: str
    old: tuple[str, ...]  # fingerprints
    new: str
    changed: bool


def flow(request: Request, inventory: "Inventory", host: str) -> Flow[Trusted]:
    """Shows the old and the new fingerprint, asks, and pins the new one.

    Raises:
        UsageError: no such host, or it is not reached over SSH.
        UnreachableError: the host was not reached, or nobody can be asked.
        DeclinedError: a person said no.
    """
    name = known(str(request["name"]), inventory)
    wish = inventory.hosts[name]
    if wish.transport == "local":
        raise UsageError("it is this machine, which shows no key", host=name, next=f"fleet doctor {name}")
    key: HostKey = yield ReadHostKey(name)
    if key.fingerprint in key.known:
        return Trusted(name, key.known, key.fingerprint, changed=False)
    yield from agree(name, wish.where, key, request, f"fleet host trust {name}")
    if request.dry_run:
        return Trusted(name, key.known, key.fingerprint, changed=False)
    yield Pin(name, key)
    # Where the inventory names a key or a file of keys, a pin is never asked.
    if wish.host_key is not None or wish.known_hosts is not None:
        yield EditInventory(SetHostKey(name, key.fingerprint))
    return Trusted(name, key.known, key.fingerprint, changed=True)


def known(name: str, inventory: "Inventory") -> str:
    """The name, if it is a host's.

    Raises:
        UsageError: it is not; names the nearest.
    """
    if name not in inventory.hosts:
        near = ", ".join(nearest(name.lower(), inventory.hosts))
        remedy = f"one of: {near}" if near else f"fleet host add {safe_line(name, 64)} ADDRESS"
        raise UsageError(f"no host called {safe_line(name, 80)!r}", next=remedy)
    return name


def document(request: Request, results: Results) -> dict[str, Any]:
    found = next(iter(split(results)[0].values()), None)
    if found is None:
        return {"host": None}
    return {"host": {"name": found.name, "old": list(found.old), "new": found.new, "changed": found.changed}}


def lines(request: Request, results: Results) -> Iterable[str]:
    for found in split(results)[0].values():
        if found.old and found.new not in found.old:
            yield f"{found.name}: old {' '.join(found.old)}"
            yield f"{found.name}: new {found.new}"
        if found.changed:
            yield f"{found.name}: trusted"
        elif found.new in found.old:
            yield f"{found.name}: {found.new} is trusted already, nothing to do"
        else:
            yield f"{found.name}: {found.new} not trusted (--dry-run)"


verb = Verb(
    help="Trust the key that a host shows now; shows the old one and the new one, and asks.",
    level=1,
    flow=flow,
    document=document,
    lines=lines,
    options=(
        Option("NAME", "the host", is_required=True),
        Option("--host-key", "fingerprint that it must show; nobody is asked then", metavar="SHA256:…"),
    ),
    selects="none",
    schema="fleet.trust/1",
)
