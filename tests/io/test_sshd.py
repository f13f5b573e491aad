"""The embedded server does what OpenSSH does."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from fleet.core.errors import StepError
from fleet.core.inventory import Host
from fleet.io.clock import SystemClock
from fleet.io.ssh import sshd
from fleet.io.ssh import transport as ssh
from fleet.io.ssh.pins import Pins
from tests.io.near import Pieces, near


async def test_commands_run_in_a_home_and_a_clean_environment(tmp_path: Path) -> None:
    async with near(tmp_path) as server:
        await server.trust()
        host = await server.connect()
        said = (await host.run("pwd; env", deadline=10)).out.decode().splitlines()
        assert said[0] == str(server.home)
        names = {line.partition("=")[0] for line in said[1:]}
        assert {"HOME", "PATH", "USER", "SSH_CONNECTION"} <= names
        assert not names & {"XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS", "PYTHONPATH", "VIRTUAL_ENV"}
        await host.close()


async def test_fifty_programs_at_once_lose_no_output(tmp_path: Path) -> None:
    async with near(tmp_path) as server:
        await server.trust()
        hosts = await asyncio.gather(*(server.connect() for _ in range(10)))
        answers = await asyncio.gather(
            *(host.run("uname; head -c 50000 /dev/zero", deadline=60) for host in hosts for _ in range(5))
        )
        assert {len(answer.out) for answer in answers} == {50006}
        for host in hosts:
            await host.close()


async def test_much_data_waits_for_a_slow_reader(tmp_path: Path) -> None:
    async with near(tmp_path) as server:
        await server.trust()
        host = await server.connect()
        answer = await host.feed("sleep 0.5; wc -c", Pieces(bytes(1 << 20), 64), deadline=60)
        assert int(answer.out) == 64 << 20
        await host.close()


async def test_a_command_that_writes_ends_when_the_connection_does(tmp_path: Path) -> None:
    mark = tmp_path / "ended"
    async with near(tmp_path) as server:
        await server.trust()
        host = await server.connect()
        begun = asyncio.Event()
        script = f"while echo tick; do sleep 0.05; done; touch '{mark}'"
        running = asyncio.create_task(
            host.run(f"trap '' PIPE; {script}", deadline=60, on_line=lambda _: begun.set())
        )
        await asyncio.wait_for(begun.wait(), 120)
        host.abort()
        await asyncio.gather(running, return_exceptions=True)
        async with asyncio.timeout(20):
            while not mark.exists():
                await asyncio.sleep(0.05)


async def test_only_loopback_is_reached_through_it(tmp_path: Path) -> None:
    async with near(tmp_path) as server:
        await server.trust()
        host = await server.connect()
        with pytest.raises(StepError, match="does not allow") as error:
            await host.open("192.0.2.1:80", deadline=10)
        assert error.value.next == "AllowTcpForwarding yes in its sshd_config"
        await host.close()


async def test_as_a_process_it_ends_with_its_input(tmp_path: Path) -> None:
    sshd.make_key(tmp_path / "id")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "fleet.io.ssh.sshd", "--home", tmp_path / "home", "--port", "0"),
        *("--keys", tmp_path / "id.pub", "--host-key", tmp_path / "keys" / "host"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdin and process.stdout
    word, _, port = (await process.stdout.readline()).decode().partition(" ")
    assert word == "port"
    pins = Pins(tmp_path, SystemClock())
    wish = Host(address="127.0.0.1", port=int(port), identity=str(tmp_path / "id"))
    pins.trust("x", await ssh.host_key("x", wish, pins=pins), "here")
    host = await ssh.connect("x", wish, pins=pins, clock=SystemClock(), on_lost=lambda _: None)
    assert (await host.run("echo $HOME", deadline=10)).out.decode().strip() == str(tmp_path / "home")
    process.stdin.close()
    assert await asyncio.wait_for(process.wait(), 20) == 0
    await host.close()


def test_a_key_is_made_once_and_only_for_its_owner(tmp_path: Path) -> None:
    sshd.make_key(tmp_path / "k" / "id")
    first = (tmp_path / "k" / "id").read_bytes()
    sshd.make_key(tmp_path / "k" / "id")
    assert (tmp_path / "k" / "id").read_bytes() == first
    assert (tmp_path / "k" / "id").stat().st_mode & 0o777 == 0o600


ENDING = """
import asyncio, sys
from pathlib import Path
import asyncssh
from fleet.io.ssh import sshd

async def main(folder, steps):
    key = folder / "key"
    sshd.make_key(key)
    server = await sshd.serve(
        folder / "home", authorized_key=key.with_suffix(".pub"), host_key=folder / "host_key"
    )
    async with asyncssh.connect(
        "127.0.0.1", server.port, client_keys=[str(key)], known_hosts=None, config=[], agent_path=None
    ) as client:
        opening = asyncio.ensure_future(client.run("sleep 3 & wait"))
        while not server.open.starting:
            await asyncio.sleep(0)
        for _ in range(steps):
            await asyncio.sleep(0)
        await server.close()
        opening.cancel()

for steps in range(12):
    asyncio.run(main(Path(sys.argv[1]), steps))
print("ended")
"""


def test_a_server_that_ends_while_a_program_starts_ends(tmp_path: Path) -> None:
    said = subprocess.run(
        [sys.executable, "-c", ENDING, tmp_path], capture_output=True, text=True, timeout=120, check=True
    )
    assert said.stdout == "ended\n"
