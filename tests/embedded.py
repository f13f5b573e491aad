"""Hosts for tests without root: fleet's own SSH server on loopback, a process and a home each."""

import contextlib
import os
import pwd
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from fleet.io.ssh.sshd import make_key

ADDRESS = "127.0.0.1"
PS = ("ps", "-axww", "-o", "pid=,args=")


@dataclass(slots=True)
class EmbeddedHost:
    """One host; it has the attributes of a host of the rig, and a home that can be looked into."""

    name: str
    home: Path
    user: str
    key: Path
    known_hosts: Path
    host_key_file: Path
    port: int = 0
    address: str = ADDRESS
    path: str | None = None  # PATH there; the usual one where it is None
    _server: "subprocess.Popen[str] | None" = field(default=None, repr=False)
    _port: socket.socket | None = field(default=None, repr=False)  # keeps others off it between two starts

    def start(self) -> None:
        """Listen, on the port it had before if it had one."""
        if not self.port and sys.platform == "linux":  # elsewhere nobody can listen beside it
            self._port = socket.socket()
            self._port.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._port.bind((ADDRESS, 0))
            self.port = self._port.getsockname()[1]
        self._server = subprocess.Popen(
            [
                *(
                    sys.executable,
                    "-m",
                    "fleet.io.ssh.sshd",
                    "--home",
                    str(self.home),
                    "--port",
                    str(self.port),
                ),
                *("--keys", str(self.key.with_suffix(".pub")), "--host-key", str(self.host_key_file)),
                *(("--path", self.path) if self.path else ()),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._server.stdout
        line = self._server.stdout.readline()
        if not line.startswith("port "):
            raise RuntimeError(f"the SSH server of {self.name} did not start; its message is on stderr")
        self.port = int(line.split()[1])

    def kill(self) -> None:
        """End the server at once; what it started goes on."""
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """Let the server hang: connections stay open and nothing answers."""
        assert self._server
        self._server.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        assert self._server
        self._server.send_signal(signal.SIGCONT)

    def close(self) -> None:
        """End the server as the end of its input does."""
        if self._server and self._server.stdin and self._server.poll() is None:
            self._server.send_signal(signal.SIGCONT)
            self._server.stdin.close()
        self._end(None)
        if self._port:
            self._port.close()

    def programs(self) -> list[int]:
        """The processes that run there for us, grandchildren included."""
        assert self._server
        listing = subprocess.run(
            ["ps", "-A", "-o", "pid=,ppid=,stat="], check=True, capture_output=True, text=True
        )
        rows = [line.split() for line in listing.stdout.splitlines()]
        ours = [self._server.pid]
        for pid, parent, stat in rows * 3:
            if int(parent) in ours and int(pid) not in ours and stat[0] != "Z":
                ours.append(int(pid))
        return ours[1:]

    def _end(self, number: int | None) -> None:
        if self._server:
            if number is not None and self._server.poll() is None:
                self._server.send_signal(number)
            self._server.wait(30)
            for pipe in (self._server.stdin, self._server.stdout):
                if pipe:
                    pipe.close()
            self._server = None


class Embedded:
    """Starts such hosts below one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.key = folder / "id_ed25519"
        self._hosts: list[EmbeddedHost] = []
        make_key(self.key)

    def up(self, hosts: int | Sequence[str], path: str | None = None) -> dict[str, EmbeddedHost]:
        """Start hosts h1..hN, or hosts of these names, each with an empty home.

        Args:
            path: PATH on them, for hosts that lack programs; else the usual one.
        """
        names = [f"h{number}" for number in range(1, hosts + 1)] if isinstance(hosts, int) else hosts
        return {name: self._start(name, path) for name in names}

    def _start(self, name: str, path: str | None) -> EmbeddedHost:
        folder = self.folder / f"{len(self._hosts)}-{name}"
        host = EmbeddedHost(
            name=name,
            home=folder / "home",
            user=_user(),
            key=self.key,
            known_hosts=folder / "known_hosts",
            host_key_file=folder / "host_key",
            path=path,
        )
        host.home.mkdir(parents=True)
        make_key(host.host_key_file)
        host.start()
        self._hosts.append(host)
        public = host.host_key_file.with_name("host_key.pub").read_text().split()
        host.known_hosts.write_text(f"[{ADDRESS}]:{host.port} {public[0]} {public[1]}\n")
        return host

    def down(self) -> None:
        """End all servers, and then what was started on the hosts and outlived them, as it should."""
        for host in self._hosts:
            host.close()
        for _ in range(50):
            left = self.processes()
            if not left:
                return
            for pid in left:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.1)

    def processes(self) -> list[int]:
        """Processes that name a path below the hosts' folder."""
        text = subprocess.run(PS, check=True, capture_output=True, text=True).stdout
        return [int(line.split()[0]) for line in text.splitlines() if f"{self.folder}/" in line]


def _user() -> str:
    return pwd.getpwuid(os.getuid()).pw_name
