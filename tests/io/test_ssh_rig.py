"""The same promises on OpenSSH, and faults that only a machine of its own can have."""

import asyncio
import contextlib
import hashlib
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from fleet.core.errors import DeadlineError, StepError, UnreachableError
from fleet.core.inventory import Host
from fleet.io.clock import SystemClock
from fleet.io.folders import SystemFolders
from fleet.io.links import links
from fleet.io.ssh import transport as ssh
from fleet.io.ssh.gate import Gate
from fleet.io.ssh.pins import Pins
from fleet.io.ssh.transport import SshTransport
from tests.io.near import Pieces, other_key
from tests.rig.hosts import RigHost, Rigs, RunningRig

Hosts = RunningRig


@pytest.fixture(scope="module")
def hosts(rig: Rigs) -> Hosts:
    return rig.up(2)


def wish(host: RigHost, **changed: object) -> Host:
    values = {"address": host.address, "user": host.user, "identity": str(host.key)}
    return Host.model_validate(values | {"known_hosts": str(host.known_hosts)} | changed)


async def connect(host: Host, folder: Path, **options: Any) -> SshTransport:
    options.setdefault("on_lost", lambda _: None)
    return await ssh.connect("x", host, pins=Pins(folder, SystemClock()), clock=SystemClock(), **options)


@pytest.fixture
async def h1(hosts: Hosts, tmp_path: Path) -> AsyncIterator[SshTransport]:
    transport = await connect(wish(hosts["h1"]), tmp_path)
    yield transport
    await transport.close()


async def test_a_key_of_another_type_reads_as_a_changed_key(hosts: Hosts, tmp_path: Path) -> None:
    public = other_key(tmp_path / "old", "ecdsa").with_suffix(".pub").read_text()
    known = tmp_path / "known"
    known.write_text(f"{hosts['h1'].address} {public}")
    with pytest.raises(UnreachableError) as error:
        await connect(wish(hosts["h1"], known_hosts=str(known)), tmp_path)
    assert error.value.kind == "host-key-changed"


async def test_a_fingerprint_that_no_key_of_the_host_has_reads_as_a_changed_key(
    hosts: Hosts, tmp_path: Path
) -> None:
    with pytest.raises(UnreachableError) as error:
        await connect(wish(hosts["h1"], host_key=f"SHA256:{'x' * 43}"), tmp_path)
    assert error.value.kind == "host-key-changed"


@pytest.mark.parametrize("user", ["fleet", "nobody-there"])
async def test_a_refused_key_or_user_is_told_alike(hosts: Hosts, tmp_path: Path, user: str) -> None:
    stranger = other_key(tmp_path / "stranger")
    with pytest.raises(UnreachableError) as error:
        await connect(wish(hosts["h1"], identity=str(stranger), user=user), tmp_path)
    assert error.value.kind == "auth" and user in error.value.what


async def test_a_jump_host_of_the_ssh_config_is_used(hosts: Hosts, tmp_path: Path) -> None:
    far = f"Host far\n  HostName {hosts['h2'].address}\n  ProxyJump near\n"
    near = f"Host near\n  HostName {hosts['h1'].address}\n"
    every = "Host *\n" + "".join(
        f"  {name} {value}\n"
        for name, value in (
            ("User", hosts["h1"].user),
            ("IdentityFile", hosts["h1"].key),
            ("UserKnownHostsFile", hosts["h1"].known_hosts),
        )
    )
    config = tmp_path / "config"
    config.write_text(far + near + every)
    transport = await connect(Host(ssh="far"), tmp_path, ssh_config=config)
    came_from = (await transport.run("echo $SSH_CONNECTION", deadline=10)).out.decode().split()
    assert (came_from[0], came_from[2]) == (hosts["h1"].address, hosts["h2"].address)
    await transport.close()
    empty = tmp_path / "empty"
    empty.touch()
    config.write_text((far + near + every).replace(str(hosts["h1"].known_hosts), str(empty)))
    with pytest.raises(UnreachableError, match="jump host near") as error:
        await connect(Host(ssh="far"), tmp_path, ssh_config=config)
    assert (error.value.kind, error.value.next) == ("host-key-unknown", "ssh near")


@pytest.mark.parametrize("shell", ["bash", "zsh", "dash", "rbash"])
async def test_noise_of_a_login_shell_is_not_output(hosts: Hosts, tmp_path: Path, shell: str) -> None:
    noise = "echo 'Welcome to h2'; printf '\\033]0;title\\007'; read -r eaten; echo warning >&2\n"
    files = "~fleet/.bashrc ~fleet/.zshenv ~fleet/.profile"
    become = f"usermod -s /bin/{shell} fleet"
    hosts["h2"].exec("sh", "-c", f"{become}; tee {files} && chown fleet {files}", stdin=noise)
    transport = await connect(wish(hosts["h2"]), tmp_path)
    try:
        answer = await transport.run("echo mine; exit 4", deadline=10)
        assert (answer.status, answer.out) == (4, b"mine\n")
        fed = await transport.feed("cat", Pieces(b"data\n", 3), deadline=10)
        assert fed.out == b"data\ndata\ndata\n"
    finally:
        await transport.close()
        hosts["h2"].exec("sh", "-c", f"rm {files}; usermod -s /bin/bash fleet")


async def test_fourteen_programs_share_ten_sessions(h1: SshTransport) -> None:
    answers = await asyncio.gather(*(h1.run(f"sleep 0.2; echo {n}", deadline=60) for n in range(14)))
    assert [answer.out for answer in answers] == [b"%d\n" % n for n in range(14)]


async def test_a_small_max_sessions_only_makes_it_slower(hosts: Hosts, tmp_path: Path) -> None:
    one, two = await asyncio.gather(*(connect(wish(hosts["h1"]), tmp_path) for _ in range(2)))
    # Eight places taken by others on the same connection leave two.
    begun = [asyncio.Event() for _ in range(8)]
    long = [
        asyncio.create_task(one.run("echo; sleep 1.5", deadline=60, on_line=lambda _, e=event: e.set()))
        for event in begun
    ]
    await asyncio.gather(*(asyncio.wait_for(event.wait(), 120) for event in begun))
    shared = SshTransport("x", one._conn, SystemClock(), one._random)
    answers = await asyncio.gather(*(shared.run(f"echo {n}", deadline=60) for n in range(6)))
    assert [answer.out for answer in answers] == [b"%d\n" % n for n in range(6)]
    await asyncio.gather(*long)
    await one.close()
    await two.close()


async def test_many_connections_to_one_host_all_come_up(hosts: Hosts, tmp_path: Path) -> None:
    gate = Gate()
    many = await asyncio.gather(*(connect(wish(hosts["h1"]), tmp_path, gate=gate) for _ in range(40)))
    await asyncio.gather(*(one.close() for one in many))


async def test_bytes_of_another_encoding_do_no_harm(h1: SshTransport) -> None:
    waiting = asyncio.create_task(h1.run("sleep 0.3; echo other", deadline=20))
    answer = await h1.run(r"printf 'a\351b'; printf '\377\376' >&2", deadline=10)
    assert (answer.out, answer.err) == (b"a\xe9b", b"\xff\xfe")
    assert (await waiting).out == b"other\n"


async def test_output_without_end_is_cut(h1: SshTransport) -> None:
    with pytest.raises(StepError) as error:
        await h1.run("yes", deadline=20, cap=1 << 20)
    assert error.value.kind == "too-much-output"
    await gone(h1, "yes")


async def test_a_deadline_leaves_no_process_there(h1: SshTransport) -> None:
    with pytest.raises(DeadlineError):
        await h1.run("sh -c 'sleep 600; : unlikely-mark'", deadline=1)
    await gone(h1, "unlikely-mark")


async def gone(host: SshTransport, mark: str) -> None:
    script = f"ps axww -o args | grep -c '[{mark[0]}]{mark[1:]}'"
    async with asyncio.timeout(20):
        while (await host.run(script, deadline=10)).out.strip() != b"0":
            await asyncio.sleep(0.1)


async def test_twenty_megabytes_arrive_whole(h1: SshTransport) -> None:
    piece = os.urandom(1 << 18)
    answer = await h1.feed("sha256sum", Pieces(piece, 80), deadline=60)
    assert answer.out.split()[0].decode() == hashlib.sha256(piece * 80).hexdigest()


async def test_a_socket_on_the_host_is_reached(h1: SshTransport) -> None:
    server = (
        "import socket; s = socket.socket(socket.AF_UNIX); s.bind('/tmp/b1.sock'); s.listen();"
        " print(1, flush=True); c = s.accept()[0]; c.sendall(c.recv(99).upper())"
    )
    begun = asyncio.Event()
    script = f'rm -f /tmp/b1.sock; python3 -c "{server}"'
    running = asyncio.create_task(h1.run(script, deadline=30, on_line=lambda _: begun.set()))
    await asyncio.wait_for(begun.wait(), 120)
    stream = await h1.open("/tmp/b1.sock", deadline=10)
    await stream.write(b"hello")
    assert await stream.read(99) == b"HELLO"
    await stream.close()
    assert (await running).status == 0
    with pytest.raises(StepError, match="nothing listens"):
        await h1.open("/tmp/nobody.sock", deadline=10)


async def test_a_killed_session_is_never_a_success(hosts: Hosts, tmp_path: Path) -> None:
    lost: list[object] = []
    transport = await connect(wish(hosts["h1"]), tmp_path, on_lost=lost.append)
    begun = asyncio.Event()
    running = asyncio.create_task(
        transport.run("echo a; sleep 60", deadline=50, on_line=lambda _: begun.set())
    )
    await asyncio.wait_for(begun.wait(), 120)
    hosts["h1"].exec("pkill", "-KILL", "-f", "sshd: fleet")
    with pytest.raises(UnreachableError) as error:
        await running
    assert error.value.kind == "link-lost"
    assert len(lost) == 1


async def test_a_short_cut_is_survived_on_the_same_connection(h1: SshTransport, hosts: Hosts) -> None:
    await asyncio.to_thread(hosts["h1"].cut)
    waiting = asyncio.create_task(h1.run("echo back", deadline=60))
    await asyncio.sleep(2)
    await asyncio.to_thread(hosts["h1"].heal)
    assert (await waiting).out == b"back\n"


async def test_a_dead_address_is_given_up(hosts: Hosts, tmp_path: Path) -> None:
    await asyncio.to_thread(hosts["h2"].kill)
    try:
        with pytest.raises(UnreachableError) as error:
            await connect(wish(hosts["h2"]), tmp_path, patience=1.5)
        assert error.value.kind == "unreachable" and "no answer" in error.value.what
        assert error.value.next == f"ping {hosts['h2'].address}"
    finally:
        await asyncio.to_thread(hosts["h2"].start)


async def test_a_link_comes_back_after_a_reboot(hosts: Hosts, tmp_path: Path) -> None:
    folders = SystemFolders(tmp_path, tmp_path, tmp_path)
    states: list[str] = []
    every = links({"h2": wish(hosts["h2"])}, folders, on_change=lambda link: states.append(link.state))
    first = await every.get("h2")
    boot = "cat /proc/sys/kernel/random/boot_id"
    before = (await first.run(boot, deadline=10)).out
    await asyncio.to_thread(hosts["h2"].reboot)
    after = before
    async with asyncio.timeout(50):
        while after == before:
            with contextlib.suppress(UnreachableError, DeadlineError):
                after = (await (await every.get("h2", deadline=40)).run(boot, deadline=5)).out
    assert states[:3] == ["connecting", "up", "down"] and states[-1] == "up"
    await every.close()
