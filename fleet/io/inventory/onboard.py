"""Answers flows that change the inventory, or whom fleet trusts."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import asyncssh

from fleet.core.edits import Ask, EditInventory, HostKey, Introduce, Pin, ReadHostKey
from fleet.core.errors import InventoryError
from fleet.core.flow import Need
from fleet.core.inventory import Host, Inventory
from fleet.io.inventory import file as inventory_file
from fleet.io.inventory.edit import change
from fleet.io.ports import Clock, Folders
from fleet.io.ssh.pins import Pins


class Asks(Protocol):
    async def ask(self, question: str, expected: str) -> bool: ...


class World(Protocol):
    """What is needed of fleet.io.world.World."""

    inventory: Inventory

    @property
    def folders(self) -> Folders: ...

    @property
    def clock(self) -> Clock: ...

    @property
    def door(self) -> Asks: ...


async def answer(need: Need, world: World) -> Any:
    """The answer to one of the needs of fleet.core.edits.

    Raises:
        FleetError: as each of them says.
    """
    match need:
        case Introduce(name, keys):
            _learn(world, await asyncio.to_thread(_with_host, world, name, keys))
        case ReadHostKey(name):
            return await _host_key(name, _host(world, name), Pins(world.folders.state, world.clock))
        case Ask(question, expected):
            return await world.door.ask(question, expected)
        case Pin(name, key):
            await asyncio.to_thread(_pin, world, name, key)
        case EditInventory(operation):
            path = Path(world.inventory.path)
            has_changed = await asyncio.to_thread(inventory_file.edit, path, change(operation))
            _learn(world, await asyncio.to_thread(inventory_file.load, path))
            return has_changed
        case _:
            raise TypeError(f"nobody answers {need!r}")
    return None


async def _host_key(name: str, host: Host, pins: Pins) -> HostKey:
    from fleet.io.ssh import dial  # what only SSH needs
    from fleet.io.ssh import transport as ssh  # what only SSH needs

    way = await asyncio.to_thread(dial.route, name, host, pins, None)
    source, _, known = await asyncio.to_thread(way.judge.expects, way.place.port)
    key = await ssh.host_key(name, host, pins=pins)
    public = key.export_public_key("openssh").decode().strip()
    return HostKey(key.get_algorithm(), key.get_fingerprint(), public, known, source or None)


def _pin(world: World, name: str, key: HostKey | None) -> None:
    pins = Pins(world.folders.state, world.clock)
    if key is None:
        pins.forget(name)
    else:
        where = world.inventory.hosts[name].where if name in world.inventory.hosts else name
        pins.trust(name, asyncssh.import_public_key(key.public), where)


def _with_host(world: World, name: str, keys: Mapping[str, Any]) -> Inventory:
    """The inventory as it would be with the host, defaults merged in."""
    path = Path(world.inventory.path)
    document = inventory_file.document(path)
    values = {key: list(value) if isinstance(value, tuple) else value for key, value in keys.items()}
    document["hosts"] = {**document.get("hosts", {}), name: values}
    return inventory_file.judged(document, path)


def _host(world: World, name: str) -> Host:
    try:
        return world.inventory.hosts[name]
    except KeyError:
        raise InventoryError(f"no host called {name!r}", next="fleet host list") from None


def _learn(world: World, fresh: Inventory) -> None:
    """The run goes on with the changed inventory.

    Links hold the mapping of hosts that they were made with, so it is filled anew.
    """
    hosts = world.inventory.hosts
    assert isinstance(hosts, dict)
    hosts.clear()
    hosts.update(fresh.hosts)
    world.inventory = fresh.model_copy(update={"hosts": hosts})
