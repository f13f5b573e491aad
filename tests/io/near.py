"""Hosts to talk to: an embedded SSH server, this machine, and files of keys."""

import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from fleet.core.inventory import Host
from fleet.io.clock import SystemClock
from fleet.io.ssh import sshd
from fleet.io.ssh import transport as ssh
from fleet.io.ssh.pins import Pins
from fleet.io.ssh.transport import SshTransport


@dataclass(frozen=True)
class Near:
    """An embedded server whose key is not known to anybody yet."""

    folder: Path
    server: sshd.Server
    pins: Pins

    @property
    def home(self) -> Path:
        return self.folder / "home"

    def host(self, **changed: object) -> Host:
        wish: dict[str, object] = {
            "address": "127.0.0.1",
            "port": self.server.port,
            "identity": str(self.folder / "id"),
        }
        return Host.model_validate(wish | changed)

    def config(self, alias: str, **options: object) -> Path:
        """An ssh_config with one alias for the server."""
        said = {
            "HostName": "127.0.0.1",
            "Port": self.server.port,
            "IdentityFile": self.folder / "id",
            "UserKnownHostsFile": self.folder / "known_hosts",
        } | options
        path = self.folder / "ssh_config"
        path.write_text(f"Host {alias}\n" + "".join(f"  {k} {v}\n" for k, v in said.items()))
        return path

    def known(self, key: Path | None = None) -> Path:
        """A known_hosts file that has the server's key, or another one."""
        public = (key or self.folder / "host").with_suffix(".pub").read_text()
        path = self.folder / "known_hosts"
        path.write_text(f"[127.0.0.1]:{self.server.port} {public}")
        return path

    async def trust(self, name: str = "x") -> None:
        self.pins.trust(name, await ssh.host_key(name, self.host(), pins=self.pins), "here")

    async def connect(self, host: Host | None = None, **options: object) -> SshTransport:
        arguments = {"pins": self.pins, "clock": SystemClock(), "on_lost": lambda _: None} | options
        return await ssh.connect("x", host or self.host(), **arguments)


@asynccontextmanager
async def near(folder: Path, *, shell: str = "/bin/sh") -> AsyncIterator[Near]:
    sshd.make_key(folder / "id")
    server = await sshd.serve(
        folder / "home", authorized_key=folder / "id.pub", host_key=folder / "host", shell=shell
    )
    try:
        yield Near(folder, server, Pins(folder / "state", SystemClock()))
    finally:
        await server.close()


def other_key(path: Path, kind: str = "ed25519", passphrase: str = "") -> Path:
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-f", path], check=True)
    return path


class Pieces:
    """Data for `feed`: a piece so many times."""

    def __init__(self, piece: bytes, count: int) -> None:
        self.piece, self.left = piece, count

    def __aiter__(self) -> "Pieces":
        return self

    async def __anext__(self) -> bytes:
        if not self.left:
            raise StopAsyncIteration
        self.left -= 1
        return self.piece


def running(mark: str) -> list[str]:
    """Processes of this machine whose command line holds the mark."""
    listing = subprocess.run(["ps", "axww", "-o", "args"], check=True, capture_output=True).stdout
    return [line for line in listing.decode(errors="replace").splitlines() if mark in line]
