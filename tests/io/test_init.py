"""`fleet init`: an inventory from an ssh configuration, every host tried."""

import asyncio
import tomllib
from pathlib import Path

import pytest

from fleet.core.errors import FleetError, InventoryError, UnreachableError
from fleet.core.inventory import Host
from fleet.io.clock import SystemClock
from fleet.io.inventory.file import load
from fleet.io.inventory.init import init, render, uname
from fleet.io.ssh.config import listed
from tests.io.near import near


async def answers(name: str, host: Host) -> str:
    """Hosts whose alias begins with `up` let us in."""
    if not str(host.ssh).startswith("up"):
        raise UnreachableError("no answer from\x1b[31m it", next="fleet doctor")
    return "Linux x86_64"


def config(folder: Path, text: str) -> Path:
    path = folder / "config"
    path.write_text(text)
    return path


async def test_hosts_that_answer_are_written_and_the_others_say_why_not(tmp_path: Path) -> None:
    target = tmp_path / "inventory.toml"
    written = await init(config(tmp_path, "Host up1 down UP_2.lan\n"), target, None, answers)
    assert [(tried.name, tried.error is None) for tried in written.tried] == [
        ("up1", True),
        ("down", False),
        ("up_2.lan", False),
    ]
    inventory = load(target)
    assert {name: host.ssh for name, host in inventory.hosts.items()} == {"up1": "up1"}
    text = target.read_text()
    assert "[hosts.up1]  # Linux x86_64\n" in text
    assert "# no answer from\ufffd[31m it\n# fleet host add down --ssh down\n# [hosts.down]\n" in text


async def test_only_the_chosen_hosts_are_tried(tmp_path: Path) -> None:
    asked = []

    async def connect(name: str, host: Host) -> str:
        asked.append(name)
        return "Darwin arm64"

    await init(config(tmp_path, "Host a b c\n"), tmp_path / "i.toml", ["c", "a"], connect)
    assert sorted(asked) == ["a", "c"]
    with pytest.raises(InventoryError, match="has no host 'z'"):
        await init(config(tmp_path, "Host a\n"), tmp_path / "j.toml", ["z"], connect)


async def test_a_file_that_is_there_is_never_overwritten_unasked(tmp_path: Path) -> None:
    target = tmp_path / "inventory.toml"
    target.write_text("# mine\n")
    with pytest.raises(InventoryError, match="is there already"):
        await init(config(tmp_path, "Host up\n"), target, None, answers)
    assert target.read_text() == "# mine\n"
    await init(config(tmp_path, "Host up\n"), target, None, answers, is_replacing=True)
    assert list(load(target).hosts) == ["up"]
    assert (tmp_path / "inventory.toml.bak").read_text() == "# mine\n"


async def test_a_file_that_appears_meanwhile_is_kept(tmp_path: Path) -> None:
    target = tmp_path / "inventory.toml"

    async def connect(name: str, host: Host) -> str:
        await asyncio.to_thread(target.write_text, "# somebody else's\n")
        return "Linux x86_64"

    with pytest.raises(InventoryError, match="is there already"):
        await init(config(tmp_path, "Host up\n"), target, None, connect)
    assert target.read_text() == "# somebody else's\n"
    assert sorted(file.name for file in tmp_path.iterdir()) == ["config", "inventory.toml"]


async def test_without_an_ssh_config_the_file_says_what_to_write(tmp_path: Path) -> None:
    target = tmp_path / "new" / "inventory.toml"
    written = await init(tmp_path / "none", target, None, answers)
    assert written.tried == ()
    assert load(target).hosts == {}
    assert '# [models."gemma3-270m"]' in target.read_text()


async def test_aliases_become_names_that_differ(tmp_path: Path) -> None:
    target = tmp_path / "inventory.toml"

    async def connect(name: str, host: Host) -> str:
        return "Linux x86_64"

    await init(config(tmp_path, "Host Up up all me@up ünï\n"), target, None, connect)
    assert {name: host.ssh for name, host in load(target).hosts.items()} == {
        "up": "Up",
        "up-2": "up",
        "all-1": "all",
        "me-up": "me@up",
        "n": "ünï",
    }


def test_the_example_in_the_written_file_is_a_good_inventory() -> None:
    lines = render(()).splitlines()
    start = lines.index('# [models."gemma3-270m"]')
    example = "\n".join(line.removeprefix("# ") for line in lines[start:])
    assert set(tomllib.loads(example)) == {"models", "servers"}


def test_included_files_are_found_beside_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "1.conf").write_text("Host one\n")
    (tmp_path / "d" / "2.conf").write_text("Host two\nInclude nowhere\n")
    assert listed(config(tmp_path, "Include d/*.conf\nHost three\n")) == ("one", "two", "three")
    assert listed(tmp_path / "none") == ()


async def test_a_real_host_is_asked_what_it_is(tmp_path: Path) -> None:
    async with near(tmp_path) as host:
        host.known()
        path = host.config("box")
        target = tmp_path / "inventory.toml"
        written = await init(path, target, None, uname(host.pins, SystemClock(), path))
        assert [tried.error for tried in written.tried] == [None]
        assert written.tried[0].said
        assert load(target).hosts["box"].ssh == "box"


async def test_a_host_whose_key_nobody_knows_is_not_let_in(tmp_path: Path) -> None:
    async with near(tmp_path) as host:
        path = host.config("box", UserKnownHostsFile=tmp_path / "nobody")
        written = await init(path, tmp_path / "i.toml", None, uname(host.pins, SystemClock(), path))
        error = written.tried[0].error
        assert isinstance(error, FleetError)
        assert error.kind == "host-key-unknown"
        assert "# fleet host add box --ssh box" in (tmp_path / "i.toml").read_text()
