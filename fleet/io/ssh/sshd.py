"""An SSH server of our own on loopback, for the demo and for tests without root.

It behaves as OpenSSH does where fleet depends on it: commands run under a real shell
in a clean environment, their output is sent to its end before the exit status, and
when a connection goes away its commands are not killed but find their pipes closed.
"""

import argparse
import asyncio
import contextlib
import ipaddress
import os
import pwd
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import asyncssh

from fleet.io.ssh.session import Session

SEARCH = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"  # PATH of its commands


@dataclass(frozen=True, slots=True)
class Open:
    """What a server has under way, and ends before it is closed."""

    connections: set[asyncssh.SSHServerConnection] = field(default_factory=set)
    starting: "set[asyncio.Task[None]]" = field(default_factory=set)  # programs of sessions


@dataclass(frozen=True, slots=True)
class Server:
    """A running server."""

    port: int
    acceptor: asyncssh.SSHAcceptor
    open: Open

    async def close(self) -> None:
        """Stops listening and ends the connections; detached processes go on."""
        self.acceptor.close()
        for conn in self.open.connections:
            conn.close()
        await self.acceptor.wait_closed()
        # Cancelled while it starts a program, as the end of the loop would do it, asyncio waits for ever.
        while self.open.starting:
            await asyncio.wait(set(self.open.starting))


async def serve(
    home: Path,
    *,
    port: int = 0,
    authorized_key: Path,
    host_key: Path,
    other_host_keys: Sequence[Path] = (),
    shell: str = "/bin/sh",
    path: str = SEARCH,
) -> Server:
    """A server on 127.0.0.1 for the user who runs it, with a home folder of its own.

    Args:
        port: 0 takes a free one.
        authorized_key: file of public keys that may log in.
        host_key: file of its private key; made where it is missing.
        other_host_keys: files of keys of other types that it shows to who asks for them.
        path: folders that its commands search.
    """
    await asyncio.to_thread(home.mkdir, parents=True, exist_ok=True, mode=0o700)
    await asyncio.to_thread(make_key, host_key)
    under_way = Open()
    acceptor = await asyncssh.listen(
        "127.0.0.1",
        port,
        server_factory=lambda: Guard(home, shell, path, under_way),
        server_host_keys=[str(each) for each in (host_key, *other_host_keys)],
        authorized_client_keys=str(authorized_key),
        password_auth=False,
        kbdint_auth=False,
        gss_auth=False,
        gss_kex=False,
        allow_pty=False,
        agent_forwarding=False,
        x11_forwarding=False,
        compression_algs=None,
        encoding=None,
        utf8_decode_errors="replace",
        window=2 << 20,
    )
    return Server(acceptor.get_port(), acceptor, under_way)


def make_key(path: Path) -> None:
    """An ed25519 key in `path`, its public half in `path`.pub, unless it is there."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    key = asyncssh.generate_private_key("ssh-ed25519", comment="fleet")
    handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(key.export_private_key("openssh"))
    path.with_name(path.name + ".pub").write_bytes(key.export_public_key("openssh"))


class Guard(asyncssh.SSHServer):
    """What a connection may do."""

    def __init__(self, home: Path, shell: str, path: str, under_way: Open) -> None:
        self._home = home
        self._shell = shell
        self._path = path
        self._open = under_way
        self._from = ""

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        client, server = conn.get_extra_info("peername"), conn.get_extra_info("sockname")
        self._from = f"{client[0]} {client[1]} {server[0]} {server[1]}"
        self._conn = conn
        self._open.connections.add(conn)

    def connection_lost(self, exc: Exception | None) -> None:
        self._open.connections.discard(self._conn)

    def session_requested(self) -> Session:
        user = pwd.getpwuid(os.getuid()).pw_name
        environment = {
            "HOME": str(self._home),
            "USER": user,
            "LOGNAME": user,
            "SHELL": self._shell,
            "PATH": self._path,
            "SSH_CONNECTION": self._from,
            "SSH_CLIENT": " ".join(self._from.split()[:2] + self._from.split()[3:]),
        }
        return Session(self._home, self._shell, environment, self._open.starting)

    def connection_requested(self, dest_host: str, dest_port: int, orig_host: str, orig_port: int) -> bool:
        is_here = dest_host == "localhost"
        with contextlib.suppress(ValueError):
            is_here = ipaddress.ip_address(dest_host).is_loopback
        if not is_here:
            raise asyncssh.ChannelOpenError(asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED, "loopback only")
        return True

    def unix_connection_requested(self, dest_path: str) -> bool:
        return True


async def main(words: Sequence[str]) -> None:
    """Prints `port N`, and ends when standard input does."""
    parser = argparse.ArgumentParser(
        prog="python -m fleet.io.ssh.sshd", description="an SSH server on loopback"
    )
    parser.add_argument("--home", type=Path, required=True, help="home folder of the commands")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--keys", type=Path, required=True, help="public keys that may log in")
    parser.add_argument("--host-key", type=Path, required=True, help="made where it is missing")
    parser.add_argument("--path", default=SEARCH, help="folders that its commands search")
    given = parser.parse_args(words)
    server = await serve(
        given.home,
        port=given.port,
        authorized_key=given.keys,
        host_key=given.host_key,
        path=given.path,
    )
    print(f"port {server.port}", flush=True)
    await asyncio.to_thread(sys.stdin.buffer.read)
    await server.close()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
