"""Which hosts and servers a person meant by what was typed after a verb."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from fleet.core.errors import InventoryError, UsageError
from fleet.core.names import nearest
from fleet.core.selectors import select, split_server

if TYPE_CHECKING:
    from fleet.core.inventory import Inventory

Targets = tuple[tuple[str, ...], tuple[str, ...]]  # hosts; servers that were named, none for all


def hosts(items: Sequence[str], inventory: "Inventory", *, is_all_meant: bool) -> Targets:
    """Hosts that were meant, and servers that were named with SERVER@HOST or alone.

    Args:
        items: selectors and servers, as typed.
        is_all_meant: naming nothing means all hosts.

    Raises:
        InventoryError: there are no hosts.
        UsageError: nothing was named, it does not exist, or it means different servers on its hosts.
    """
    if not inventory.hosts:
        raise InventoryError(f"{inventory.path}: no hosts yet", next="fleet host add NAME ADDRESS")
    if not items:
        if not is_all_meant:
            raise UsageError("which hosts?", next="name them, or all")
        return tuple(inventory.hosts), ()
    plain: list[str] = []
    places: dict[str, list[str]] = {}  # server -> hosts it was named with
    for item in items:
        server, at, _ = item.partition("@")
        if at and server:
            server, host = split_server(item)
            _known_server(server, inventory)
            places.setdefault(server, []).append(str(host))
        elif item in inventory.servers and item not in inventory.hosts:
            places.setdefault(item, []).extend(
                name for name in inventory.hosts if item in inventory.servers_on(name)
            )
        else:
            plain.append(item)
    if not places:
        return _selected(plain, inventory), ()
    everywhere = dict.fromkeys(host for hosts in places.values() for host in hosts)
    if plain or any(set(hosts) != set(everywhere) for hosts in places.values()):
        # One run means the same servers on each of its hosts.
        raise UsageError(
            "servers of different hosts, or servers and whole hosts, in one command",
            next="one command for each",
        )
    return select(list(everywhere), inventory.tags()), tuple(places)


def server(target: str, hosts: Sequence[str], inventory: "Inventory") -> Targets:
    """The one host, and the server, of SERVER, SERVER@HOST or HOST.

    Args:
        hosts: named beside it; the first counts where the target names none.

    Raises:
        UsageError: it does not exist, or runs on several hosts; names them.
    """
    if target in inventory.hosts and "@" not in target:
        return (target,), ()
    name, host = split_server(target)
    _known_server(name, inventory)
    places = [place for place in inventory.hosts if name in inventory.servers_on(place)]
    if host is None and hosts:
        host = hosts[0]
    if host is None:
        if not places:
            raise UsageError(f"{name} is on no host", next=f'set on = ["HOST"] in [servers.{name}]')
        if len(places) != 1:
            raise UsageError(
                f"{name} runs on {len(places)} hosts",
                next="one of: " + ", ".join(f"{name}@{one}" for one in places),
            )
        host = places[0]
    if host not in inventory.hosts:
        raise UsageError(
            f"no host called {host!r}", next=f"one of: {', '.join(nearest(host, inventory.hosts))}"
        )
    return (host,), (name,)


def _selected(items: list[str], inventory: "Inventory") -> tuple[str, ...]:
    models = {
        name: tuple(one.model for one in inventory.servers_on(name).values()) for name in inventory.hosts
    }
    backends = {name: host.backend for name, host in inventory.hosts.items() if host.backend}
    return select(items, inventory.tags(), models=models, backends=backends)


def _known_server(server: str, inventory: "Inventory") -> None:
    if server not in inventory.servers:
        known = [*inventory.servers, *inventory.hosts]
        raise UsageError(f"no server called {server!r}", next=f"one of: {', '.join(nearest(server, known))}")
