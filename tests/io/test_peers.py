"""Hosts that give chunks of a model to each other: real sshds, each on its own address."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from fleet.io.clock import SystemClock
from fleet.io.pins import Pins
from fleet.io.ssh import SshTransport
from tests.io.crowds import MIB, Party
from tests.io.test_ssh_rig import connect, wish
from tests.rig.hosts import RigHost, Rigs, RunningRig

NAMES = ("h1", "h2", "h3", "h4")
ROOT = "/home/fleet/it's root"


@pytest.fixture(scope="module")
def rigged(rig: Rigs) -> RunningRig:
    return rig.up(len(NAMES))


@pytest.fixture
async def hosts(rigged: RunningRig, tmp_path: Path) -> AsyncIterator[dict[str, SshTransport]]:
    """Connections to hosts with nothing on them; nothing runs on them afterwards."""
    for host in rigged.values():
        host.exec("rm", "-rf", ROOT)
    found = {name: await connect(wish(rigged[name]), tmp_path / name) for name in NAMES}
    yield found
    for name, transport in found.items():
        assert peers(rigged[name]) == []
        await transport.close()
        assert listeners(rigged[name]) == 1  # sshd


def peers(host: RigHost) -> list[str]:
    """The processes of python3 there."""
    return [line for line in host.exec("ps", "-axww", "-o", "args=").splitlines() if "python3" in line]


def listeners(host: RigHost) -> int:
    """TCP ports that are listened on there."""
    table = host.exec("cat", "/proc/net/tcp").splitlines()
    return sum(1 for line in table if line.split()[3] == "0A")


def network(rigged: RunningRig) -> tuple[str, ...]:
    return (f"{rigged['h1'].address}/16",)


def digest(host: RigHost, party: Party) -> str:
    return host.exec("sha256sum", f"{ROOT}/{party.world.to}").split()[0]


async def test_four_hosts_share_what_the_controller_sends_about_once(hosts, rigged, tmp_path):
    party = Party(tmp_path, network(rigged))
    await party.open()
    sent = await party.push_all({name: (one, ROOT) for name, one in hosts.items()})
    assert {digest(rigged[name], party) for name in hosts} == {party.world.sha256}
    size = len(party.world.data)
    assert size <= sum(sent.values()) <= size + len(hosts) * MIB
    again = await party.push_all({name: (one, ROOT) for name, one in hosts.items()})
    assert set(again.values()) == {0}
    assert party.said == []
