"""Which host keys and which user keys let a connection be made."""

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fleet.core.errors import InventoryError, UnreachableError
from fleet.core.inventory import Host
from fleet.io.clock import SystemClock, SystemRandom
from fleet.io.folders import SystemFolders
from fleet.io.links import links
from fleet.io.ssh import sshd
from tests.io.near import Near, near, other_key


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Near]:
    async with near(tmp_path) as server:
        yield server


def fingerprint(path: Path) -> str:
    import asyncssh

    return asyncssh.read_public_key(path.with_suffix(".pub")).get_fingerprint()


async def refused(server: Near, host: Host | None = None, **options: object) -> UnreachableError:
    with pytest.raises(UnreachableError) as caught:
        await server.connect(host, **options)
    assert caught.value.host == "x" and caught.value.next
    return caught.value


async def answers(server: Near, host: Host | None = None, **options: object) -> bool:
    transport = await server.connect(host, **options)
    answer = await transport.run("echo yes", deadline=10)
    await transport.close()
    return answer.out == b"yes\n"


async def test_an_unknown_host_is_not_connected_to(server: Near) -> None:
    error = await refused(server)
    assert error.kind == "host-key-unknown"
    assert fingerprint(server.folder / "host") in error.what
    assert error.next == "fleet host trust x"


async def test_a_pinned_host_is_connected_to(server: Near) -> None:
    await server.trust()
    assert await answers(server)


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa"])
async def test_a_changed_key_never_connects_and_both_are_shown(server: Near, kind: str) -> None:
    old = other_key(server.folder / "old", kind)
    server.pins.trust("x", public(old), "here")
    error = await refused(server)
    assert error.kind == "host-key-changed"
    assert fingerprint(server.folder / "host") in error.what and fingerprint(old) in error.what
    assert error.next == "fleet host trust x"


async def test_trusting_again_accepts_the_changed_key(server: Near) -> None:
    server.pins.trust("x", public(other_key(server.folder / "old")), "here")
    await server.trust()
    assert await answers(server)


async def test_the_fingerprint_of_the_inventory_decides_first(server: Near) -> None:
    right, wrong = fingerprint(server.folder / "host"), fingerprint(other_key(server.folder / "old"))
    server.pins.trust("x", public(server.folder / "old"), "here")
    assert await answers(server, server.host(host_key=right))
    await server.trust()
    error = await refused(server, server.host(host_key=wrong))
    assert error.kind == "host-key-changed" and error.next and right in error.next


async def test_a_fingerprint_may_be_of_any_of_the_hosts_keys(tmp_path: Path) -> None:
    second = other_key(tmp_path / "second", "ecdsa")
    async with near(tmp_path) as server:
        await server.server.close()
    of_two = await sshd.serve(
        tmp_path,
        authorized_key=tmp_path / "id.pub",
        host_key=tmp_path / "host",
        other_host_keys=[second],
    )
    host = server.host(port=of_two.port, host_key=fingerprint(second))
    assert await answers(server, host)
    third = other_key(tmp_path / "third")
    error = await refused(server, host.model_copy(update={"host_key": fingerprint(third)}))
    assert error.kind == "host-key-changed"
    await of_two.close()


async def test_the_known_hosts_of_the_inventory_go_before_pins(server: Near) -> None:
    server.pins.trust("x", public(other_key(server.folder / "old")), "here")
    assert await answers(server, server.host(known_hosts=str(server.known())))
    known = server.known(server.folder / "old")
    error = await refused(server, server.host(known_hosts=str(known)))
    assert error.kind == "host-key-changed" and error.next and "ssh-keygen -R" in error.next


async def test_the_users_known_hosts_become_a_pin(server: Near) -> None:
    config, known = server.config("far"), server.known()
    before = known.read_bytes()
    assert await answers(server, Host(ssh="far"), ssh_config=config)
    pin = server.pins.get("x")
    assert pin and pin.fingerprint == fingerprint(server.folder / "host")
    assert known.read_bytes() == before
    known.unlink()
    assert await answers(server, Host(ssh="far"), ssh_config=config)


async def test_a_pin_goes_before_the_users_known_hosts(server: Near) -> None:
    config = server.config("far")
    server.known()
    server.pins.trust("x", public(other_key(server.folder / "old")), "here")
    assert (await refused(server, Host(ssh="far"), ssh_config=config)).kind == "host-key-changed"


async def test_a_revoked_key_never_connects(server: Near) -> None:
    config, known = server.config("far"), server.known()
    known.write_text("@revoked * " + (server.folder / "host.pub").read_text())
    assert (await refused(server, Host(ssh="far"), ssh_config=config)).kind == "host-key-changed"


async def test_the_alias_wins_over_the_inventory(server: Near) -> None:
    server.known()
    host = Host(ssh="far", port=1, user="nobody-else", identity="/nowhere")
    assert await answers(server, host, ssh_config=server.config("far", User="somebody"))


async def test_a_broken_ssh_config_is_told_with_its_file(server: Near) -> None:
    config = server.config("far", Port="many")
    error = await refused(server, Host(ssh="far"), ssh_config=config)
    assert error.kind == "ssh-config" and str(config) in error.what


async def test_an_alias_that_nobody_knows_has_no_address(server: Near) -> None:
    error = await refused(server, Host(ssh="no-such-alias.invalid"), ssh_config=server.config("far"))
    assert "no address is known" in error.what and error.next and "~/.ssh/config" in error.next


async def test_a_wrong_user_key_says_how_to_install_it(server: Near) -> None:
    await server.trust()
    error = await refused(server, server.host(identity=str(other_key(server.folder / "mine"))))
    assert error.kind == "auth" and error.next
    assert error.next.startswith(f"ssh-copy-id -i {server.folder}/mine -p {server.server.port} ")


async def test_a_missing_key_file_is_named(server: Near) -> None:
    await server.trust()
    error = await refused(server, server.host(identity="/nowhere/id"))
    assert error.kind == "auth" and "/nowhere/id" in error.what


async def test_a_locked_key_asks_for_ssh_add(server: Near) -> None:
    await server.trust()
    locked = other_key(server.folder / "locked", passphrase="sesame")
    error = await refused(server, server.host(identity=str(locked)))
    assert error.kind == "auth" and error.next == f"ssh-add {locked}"


async def test_a_locked_key_is_used_through_the_agent(server: Near) -> None:
    await server.trust()
    locked = other_key(server.folder / "locked", passphrase="sesame")
    ours = server.folder / "id.pub"
    ours.write_text(ours.read_text() + locked.with_suffix(".pub").read_text())
    before = os.environ.get("SSH_AUTH_SOCK")
    os.environ["SSH_AUTH_SOCK"] = str(server.folder / "agent")
    agent = await asyncio.create_subprocess_exec(
        "ssh-agent", "-D", "-a", server.folder / "agent", stdout=asyncio.subprocess.PIPE
    )
    try:
        assert agent.stdout and await agent.stdout.readline()
        error = await refused(server, server.host(identity=str(locked)))
        assert error.kind == "auth" and error.next == f"ssh-add {locked}"
        asking = server.folder / "ask"
        asking.write_text("#!/bin/sh\necho sesame\n")
        asking.chmod(0o700)
        add = await asyncio.create_subprocess_exec(
            *("ssh-add", "-q", locked),
            env=os.environ | {"SSH_ASKPASS": str(asking), "SSH_ASKPASS_REQUIRE": "force"},
        )
        assert await add.wait() == 0
        assert await answers(server, server.host(identity=str(locked)))
    finally:
        agent.terminate()
        await agent.wait()
        if before is None:
            del os.environ["SSH_AUTH_SOCK"]
        else:
            os.environ["SSH_AUTH_SOCK"] = before


async def test_a_file_that_is_no_key_is_named(server: Near) -> None:
    await server.trust()
    odd = server.folder / "odd"
    odd.write_text("not a key")
    error = await refused(server, server.host(identity=str(odd)))
    assert error.kind == "auth" and str(odd) in error.what


async def test_a_closed_port_says_what_to_start(server: Near) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    error = await refused(server, server.host(port=port))
    assert error.kind == "unreachable" and f"nothing listens on 127.0.0.1:{port}" in error.what


async def test_a_server_that_is_not_ssh_is_told(server: Near) -> None:
    async def http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 99)
        writer.close()

    other = await asyncio.start_server(http, "127.0.0.1", 0)
    async with other:
        error = await refused(server, server.host(port=other.sockets[0].getsockname()[1]))
    assert error.kind == "unreachable"


async def test_a_server_that_says_nothing_is_not_waited_for(server: Near) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        error = await refused(server, server.host(port=mute.getsockname()[1]), patience=0.3)
    assert error.kind == "unreachable" and "no answer" in error.what


@pytest.mark.parametrize("address", ["no-such-host.invalid", "a..b", "x" * 70])
async def test_an_address_that_is_none_is_told(server: Near, address: str) -> None:
    error = await refused(server, server.host(address=address))
    assert "no address is known" in error.what and error.next == "hosts.x.address in the inventory"


async def test_a_host_that_is_not_in_the_inventory_is_told(tmp_path: Path) -> None:
    folders = SystemFolders(tmp_path, tmp_path, tmp_path)
    every = links({}, folders, clock=SystemClock(), random=SystemRandom())
    with pytest.raises(InventoryError, match="no host called 'x'"):
        await every.get("x")
    await every.close()


def public(path: Path):  # type: ignore[no-untyped-def]
    import asyncssh

    return asyncssh.read_public_key(path.with_suffix(".pub"))
