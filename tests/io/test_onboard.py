"""Hosts are added, trusted and removed for real: a server that shows a key, a file, a pin store."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from fleet.commands import host_add, host_remove, host_trust
from fleet.commands.base import Request
from fleet.core.errors import FleetError, InventoryError, UnreachableError
from fleet.core.flow import Flow, Probe
from fleet.core.inventory import Inventory
from fleet.io.clock import SystemClock
from fleet.io.folders import SystemFolders
from fleet.io.inventory.file import load
from fleet.io.inventory.onboard import answer
from fleet.io.ssh import sshd
from tests.io.near import Near, near
from tests.servers.values import facts


@dataclass
class Person:
    """Answers yes or no, and remembers what was asked."""

    agrees: bool = True
    asked: list[str] = field(default_factory=list)

    async def ask(self, question: str, expected: str) -> bool:
        self.asked.append(question)
        return self.agrees


@dataclass
class World:
    inventory: Inventory
    folders: SystemFolders
    near: Near
    door: Person = field(default_factory=Person)
    clock: SystemClock = field(default_factory=SystemClock)


def world(host: Near) -> World:
    path = host.folder / "inventory.toml"
    path.write_text("# mine\n[hosts.other]\naddress = 'x'\n\n# the end\n")
    return World(load(path), SystemFolders(host.folder / "state", host.folder, host.folder), host)


async def drive(flow: Flow[Any], world: World) -> Any:
    """A flow to its end; to probe is to log in with what the inventory says by now."""
    send: Any = None
    try:
        while True:
            need = flow.send(send)
            if isinstance(need, Probe):
                connection = await world.near.connect(world.inventory.hosts[need.host])
                await connection.close()
                send = facts(host=need.host)
            else:
                send = await answer(need, world)
    except StopIteration as stop:
        return stop.value
    finally:
        flow.close()


def add(world: World, **options: Any) -> Flow[Any]:
    keys = {"name": "x", "address": "127.0.0.1", "port": world.near.server.port}
    keys["identity"] = str(world.near.folder / "id")
    return host_add.flow(Request("host-add", (), keys | options), world.inventory, "")


async def test_an_added_host_is_pinned_logged_into_and_written_down(tmp_path: Path) -> None:
    async with near(tmp_path) as host:
        here = world(host)
        links = here.inventory.hosts
        added = await drive(add(here, tag=("lab",)), here)
        fresh = load(tmp_path / "inventory.toml")
        pin = host.pins.get("x")
        assert pin is not None
        assert fresh.hosts["x"].host_key == pin.fingerprint == added.fingerprint
        assert fresh.hosts["x"].tags == ("lab",)
        assert (tmp_path / "inventory.toml").read_text().endswith("\n# the end\n")
        assert added.fingerprint in here.door.asked[0]
        assert links["x"] == fresh.hosts["x"]  # whoever held the old hosts sees the new one


async def test_a_host_that_does_not_let_us_in_is_not_written_down(tmp_path: Path) -> None:
    async with near(tmp_path) as host:
        here = world(host)
        before = (tmp_path / "inventory.toml").read_bytes()
        sshd.make_key(tmp_path / "wrong")
        with pytest.raises(UnreachableError) as wrong:
            await drive(add(here, identity=str(tmp_path / "wrong")), here)
        assert wrong.value.kind == "auth"
        assert (tmp_path / "inventory.toml").read_bytes() == before


async def test_saying_no_leaves_no_pin_and_no_line(tmp_path: Path) -> None:
    async with near(tmp_path) as host:
        here = world(host)
        here.door.agrees = False
        before = (tmp_path / "inventory.toml").read_bytes()
        with pytest.raises(FleetError, match="not accepted"):
            await drive(add(here), here)
        assert host.pins.get("x") is None
        assert (tmp_path / "inventory.toml").read_bytes() == before


async def test_a_name_that_the_file_cannot_take_is_told_before_anybody_is_asked(tmp_path: Path) -> None:
    async with near(tmp_path) as host:
        here = world(host)
        with pytest.raises(InventoryError, match=r"hosts\.x\.user: should be a user name"):
            await drive(add(here, user="-l"), here)
        assert here.door.asked == []


async def test_a_changed_key_is_trusted_in_the_pins_and_in_the_file(tmp_path: Path) -> None:
    async with near(tmp_path) as host:
        here = world(host)
        old = (await drive(add(here), here)).fingerprint
        await host.server.close()
        (tmp_path / "host").unlink()
        again = await sshd.serve(
            tmp_path / "home",
            port=host.server.port,
            authorized_key=tmp_path / "id.pub",
            host_key=tmp_path / "host",
        )
        try:
            with pytest.raises(UnreachableError) as wrong:
                await host.connect(here.inventory.hosts["x"])
            assert wrong.value.kind == "host-key-changed"
            request = Request("host-trust", (), {"name": "x"})
            trusted = await drive(host_trust.flow(request, here.inventory, ""), here)
            assert trusted.old == (old,)
            assert trusted.new != old
            assert old in here.door.asked[-1]
            assert load(tmp_path / "inventory.toml").hosts["x"].host_key == trusted.new
            connection = await host.connect(here.inventory.hosts["x"])
            await connection.close()
            twice = await drive(host_trust.flow(request, here.inventory, ""), here)
            assert not twice.changed
        finally:
            await again.close()


async def test_a_removed_host_leaves_the_file_as_it_was_and_no_pin(tmp_path: Path) -> None:
    async with near(tmp_path) as host:
        here = world(host)
        before = (tmp_path / "inventory.toml").read_bytes()
        await drive(add(here), here)
        await drive(host_remove.flow(Request("host-remove", (), {"name": "x"}), here.inventory, ""), here)
        assert (tmp_path / "inventory.toml").read_bytes() == before
        assert host.pins.get("x") is None
        assert list(here.inventory.hosts) == ["other"]
