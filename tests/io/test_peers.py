"""Hosts that give chunks of a model to each other: real sshds, each on its own address."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from fleet.io.ports import Answer, Chunks
from fleet.io.share.peer import Offer, Peer
from fleet.io.ssh.transport import SshTransport
from fleet.models.swarm import SENDS
from tests.io.crowds import MIB, PYTHON, Party
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
        await soon(lambda host=rigged[name]: peers(host) == [])
        await transport.close()
        await soon(lambda host=rigged[name]: listeners(host) == 1)  # sshd


async def soon(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not await asyncio.to_thread(is_so):
            await asyncio.sleep(0.1)


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


class Counted:
    """A connection to a host; how many streams of chunks went over it."""

    def __init__(self, inner: SshTransport) -> None:
        self.inner, self.streams = inner, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    async def feed(self, line: str, chunks: Chunks, **options: Any) -> Answer:
        self.streams += ".part" in line
        return await self.inner.feed(line, chunks, **options)


async def slowly(size: int) -> None:
    """The line from here is no faster than hosts are with each other."""
    await asyncio.sleep(size / 50e6)


async def meet(party: Party, count: int) -> None:
    """Opens a crowd; the controller sends slowly, and nothing before so many hosts have joined."""
    crowd, joined = await party.open(), asyncio.Event()

    async def pace(size: int) -> None:
        while not joined.is_set():
            if len(crowd.swarm.members) == count:
                joined.set()
            await asyncio.sleep(0.01)
        await slowly(size)

    party.pace = pace


async def test_four_hosts_share_what_the_controller_sends_about_once(hosts, rigged, tmp_path):
    party = Party(tmp_path, network(rigged))
    await meet(party, len(NAMES))
    ssh = {name: Counted(one) for name, one in hosts.items()}
    sent = await party.push_all({name: (one, ROOT) for name, one in ssh.items()})
    assert {digest(rigged[name], party) for name in hosts} == {party.world.sha256}
    assert [one.streams for one in ssh.values()] == [0] * 4  # the chunks from here too go by the open port
    size = len(party.world.data)
    # Once, and at most once more so that nobody waits; and what is on its way when it comes from elsewhere.
    assert size <= sum(sent.values()) <= 2 * size + SENDS * MIB
    again = await party.push_all({name: (one, ROOT) for name, one in hosts.items()})
    assert set(again.values()) == {0}
    assert party.said == []


async def lend(party: Party, transport: SshTransport, host: RigHost, data: bytes) -> None:
    """A host that had the model before, or what it takes for it."""
    final = f"{ROOT}/{party.world.to}"
    party.world.local.with_name("lent").write_bytes(data)
    host.exec("mkdir", "-p", str(Path(final).parent))
    (host.files / "root" / final.lstrip("/")).write_bytes(data)
    host.exec("chown", "-R", "fleet:", ROOT)
    await party.open(party.lender(host.name, transport, ROOT))


async def test_a_host_that_had_it_before_gives_it_and_the_controller_only_helps_those_who_wait(
    hosts, rigged, tmp_path
):
    party = Party(tmp_path, network(rigged))
    await lend(party, hosts["h1"], rigged["h1"], party.world.data)
    party.wait_for(lambda: sum(party.came.values()) > 0)
    sent = await party.push_all({name: (hosts[name], ROOT) for name in ("h2", "h3")})
    assert {digest(rigged[name], party) for name in ("h2", "h3")} == {party.world.sha256}
    assert sum(sent.values()) <= len(party.world.data) + MIB  # the last chunk is a smaller one


async def test_a_host_that_gives_wrong_bytes_is_found_and_dropped(hosts, rigged, tmp_path):
    party = Party(tmp_path, network(rigged))
    await lend(party, hosts["h1"], rigged["h1"], bytes(byte ^ 1 for byte in party.world.data))
    dropped = ("h1", "nobody takes from it any more: several hosts had trouble with it")
    party.wait_for(lambda: dropped in party.said)
    await party.push_all({name: (hosts[name], ROOT) for name in ("h2", "h3")})
    assert {digest(rigged[name], party) for name in ("h2", "h3")} == {party.world.sha256}
    assert any("wrong bytes" in text for _, text in party.said)


async def test_a_file_of_another_size_is_not_given(hosts, rigged, tmp_path):
    party = Party(tmp_path, network(rigged))
    await lend(party, hosts["h1"], rigged["h1"], party.world.data[:-1])
    assert await party.push("h2", hosts["h2"], ROOT) == len(party.world.data)
    assert digest(rigged["h2"], party) == party.world.sha256


@pytest.mark.parametrize("signal", ["KILL", "STOP"])
async def test_a_host_that_dies_or_hangs_midway_is_done_without(hosts, rigged, tmp_path, signal):
    party = Party(tmp_path, network(rigged), chunks=64)
    await lend(party, hosts["h1"], rigged["h1"], party.world.data)
    rigged["h1"].link(rate=40)
    ended: list[str] = []
    party.wait_for(lambda: bool(ended))
    pushing = asyncio.create_task(party.push_all({name: (hosts[name], ROOT) for name in ("h2", "h3")}))
    try:
        while not (found := await asyncio.to_thread(pids, rigged["h1"])) or not party.came:
            assert not pushing.done()
        for pid in found:
            await asyncio.to_thread(rigged["h1"].exec, "kill", f"-{signal}", pid)
        ended += found
        await pushing
    finally:
        rigged["h1"].link(rate=0)
        for pid in pids(rigged["h1"]):
            rigged["h1"].exec("kill", "-CONT", pid)
    assert {digest(rigged[name], party) for name in ("h2", "h3")} == {party.world.sha256}


def pids(host: RigHost) -> list[str]:
    lines = [line.split(None, 1) for line in host.exec("ps", "-axww", "-o", "pid=,args=").splitlines()]
    return [pid for pid, args in lines if args.startswith(PYTHON)]


async def test_hosts_that_do_not_reach_each_other_get_it_from_the_controller(hosts, rigged, tmp_path):
    party = Party(tmp_path, network(rigged))
    await party.open()
    apart = ("h1", "h2", "h3")
    for name in apart:
        for other in apart:
            if other != name:
                rigged[name].exec("ip", "route", "add", "blackhole", f"{rigged[other].address}/32")
    try:
        sent = await party.push_all({name: (hosts[name], ROOT) for name in apart})
    finally:
        for name in apart:
            rigged[name].exec("ip", "route", "flush", "type", "blackhole")
    assert {digest(rigged[name], party) for name in apart} == {party.world.sha256}
    assert set(sent.values()) == {len(party.world.data)}


async def test_a_host_without_python_gets_it_from_the_controller_and_the_others_share(
    hosts, rigged, tmp_path
):
    party = Party(tmp_path, network(rigged))
    await meet(party, 2)
    size = len(party.world.data)
    without, *sent = await asyncio.gather(
        party.push("h1", hosts["h1"], ROOT, python="/usr/bin/no-python3"),
        party.push("h2", hosts["h2"], ROOT),
        party.push("h3", hosts["h3"], ROOT),
    )
    assert {digest(rigged[name], party) for name in ("h1", "h2", "h3")} == {party.world.sha256}
    assert without == size
    assert size <= sum(sent) <= 2 * size + SENDS * MIB


async def test_outside_of_private_networks_no_host_listens(hosts, rigged, tmp_path):
    party = Party(tmp_path, ("192.168.77.0/24",))
    await party.open()
    sent = await party.push_all({name: (hosts[name], ROOT) for name in ("h1", "h2")})
    assert set(sent.values()) == {len(party.world.data)}


async def test_a_push_that_is_cancelled_leaves_nothing_running_and_goes_on_later(hosts, rigged, tmp_path):
    party = Party(tmp_path, network(rigged), chunks=64)
    await party.open()
    where = {name: (hosts[name], ROOT) for name in ("h1", "h2")}
    party.wait_for(lambda: sum(party.came.values()) < 32 * MIB)
    pushing = asyncio.create_task(party.push_all(where))
    while not all(party.came[name] > 4 * MIB for name in where):
        assert not pushing.done()
        await asyncio.sleep(0.01)
    pushing.cancel()
    await asyncio.gather(pushing, return_exceptions=True)
    party.pace = slowly
    for _ in range(100):
        if not any(peers(rigged[name]) for name in where):
            break
        await asyncio.sleep(0.05)
    sent = await party.push_all(where)
    assert {digest(rigged[name], party) for name in where} == {party.world.sha256}
    assert sum(sent.values()) <= 2 * (len(party.world.data) - 4 * MIB) + SENDS * MIB


async def test_only_who_knows_the_token_gets_a_chunk(hosts, rigged, tmp_path):
    party = Party(tmp_path, network(rigged))
    await lend(party, hosts["h1"], rigged["h1"], party.world.data)
    peer = Peer(hosts["h1"], PYTHON, network(rigged), read_token="secret", write_token="other")
    size, sha256 = len(party.world.data), party.world.sha256
    await peer.start(Offer(f"{ROOT}/{party.world.to}", True, size, MIB, sha256, ()))
    answers = []
    async with httpx.AsyncClient(base_url=f"http://{peer.address}:{peer.port}") as client:
        for path in (
            f"/secret/{sha256}/0",
            f"/other/{sha256}/0",
            f"/secret/{'0' * 64}/0",
            "/",
            "/../etc/passwd",
            f"/secret/{sha256}/-1",
            f"/secret/{sha256}/16",
            f"/secret/{sha256}/0/",
            f"/secret/{sha256}/٣",
        ):
            answer = await client.get(path)
            answers.append((answer.status_code, len(answer.content), answer.headers.get("Connection")))
    await peer.close()
    assert answers == [(200, MIB, None), *[(404, 0, "close")] * 8]
