"""Connections of their own for a push, each in a process of its own: OpenSSH's client, else ours."""

import asyncio
import json
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fleet.io.ports import Folders, Random, Transport
from fleet.io.push.program import Program
from fleet.io.push.streams import Lane
from fleet.io.ssh import pins
from fleet.io.ssh.dial import CIPHERS, CONNECT, KEEPALIVE, KEEPALIVES, Route
from fleet.io.ssh.transport import SshTransport

if TYPE_CHECKING:
    from fleet.core.inventory import Host
    from fleet.io.world import World

WORTH = 8 << 20  # bytes from which a file is worth connections of its own
NEAR, FAR = 0.005, 0.020  # seconds there and back
# sshd gives a channel a window of 2 MiB, so one stream ends at 2 MiB / RTT: 400 MB/s at 5 ms,
# 100 at 20 ms, 42 at 50 ms.  Source: openssh channels.h, CHAN_SES_WINDOW_DEFAULT.
ALIAS = "fleet-host"  # what the host is called in the file of its one key


def count(rtt: float | None) -> int:
    """Streams that a line of that length is worth; an unknown one may be long."""
    if rtt is None:
        return 2
    return 1 if rtt < NEAR else 2 if rtt < FAR else 4


def lanes(world: "World", host: str, transport: Transport, size: int) -> "BulkLanes | None":
    """Ways for the bytes of one file; None where the connection that is there does as well."""
    if size < WORTH or not isinstance(transport, SshTransport):
        return None
    return BulkLanes(host, world.wish(host), transport, world.folders, world.random)


class BulkLanes:
    """OpenSSH costs half of asyncssh per byte, so it goes first where it can be told all that we know."""

    def __init__(
        self, name: str, host: "Host", transport: SshTransport, folders: Folders, random: Random
    ) -> None:
        self._name, self._host, self._folders, self._random = name, host, folders, random
        self.kinds: list[Callable[[], Program]] = [self._python]
        self.known: Path | None = None  # the file of the host's one key
        self._first: list[Program] = []
        self.made: list[Program] = []
        way, key = transport.way, transport.key
        program = shutil.which("ssh")
        if way is not None and key is not None and program is not None and can_openssh(way):
            known = self.known = folders.state / "lanes" / name
            known.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            pins.replace(known, f"{ALIAS} {key}\n".encode())
            argv = openssh(program, way, known)
            self.kinds.insert(0, lambda: Program(name, argv, random))

    def count(self, transport: Transport) -> int:
        return count(transport.rtt()) if isinstance(transport, SshTransport) else 1

    def start(self, count: int) -> None:
        self._first = [self._lane(self.kinds[0]) for _ in range(count)]
        for lane in self._first:
            lane.prepare()

    def ways(self, count: int) -> list[list[Lane]]:
        first = self._first or [self._lane(self.kinds[0]) for _ in range(count)]
        others: list[list[Lane]] = [[self._lane(make) for _ in range(count)] for make in self.kinds[1:]]
        return [[*first[:count]], *others]

    async def close(self) -> None:
        await asyncio.gather(*(lane.close() for lane in self.made))

    def _lane(self, make: Callable[[], Program]) -> Program:
        self.made.append(make())
        return self.made[-1]

    def _python(self) -> Program:
        job = {
            "name": self._name,
            "host": self._host.model_dump(mode="json", exclude_none=True),
            "state": str(self._folders.state),
        }
        argv = (sys.executable, "-m", "fleet.io.push.bulk")
        return Program(self._name, argv, self._random, json.dumps(job).encode() + b"\n")


def can_openssh(way: Route) -> bool:
    """Whether ssh gets there by what we can tell it: no jump host, no program in between."""
    return way.place.jump is None and way.place.proxy is None


def openssh(program: str, way: Route, known: Path) -> Sequence[str]:
    """ssh with our rules: one key of the host, nothing asked, nothing forwarded, our ciphers.

    An alias is read from the same file as ours; what is said here goes before what stands there.
    """
    place = way.place
    said = {
        "BatchMode": "yes",
        "StrictHostKeyChecking": "yes",
        "UserKnownHostsFile": f'"{known}"',
        "GlobalKnownHostsFile": "/dev/null",
        "HostKeyAlias": ALIAS,
        "CheckHostIP": "no",
        "UpdateHostKeys": "no",
        "VerifyHostKeyDNS": "no",
        "PreferredAuthentications": "publickey",
        "ForwardAgent": "no",
        "ForwardX11": "no",
        "ClearAllForwardings": "yes",
        "PermitLocalCommand": "no",
        "RemoteCommand": "none",
        "RequestTTY": "no",
        "ControlMaster": "no",
        "ControlPath": "none",
        "ProxyCommand": "none",
        "ProxyJump": "none",
        "Compression": "no",
        "Ciphers": ",".join(CIPHERS),
        "ConnectTimeout": f"{CONNECT:g}",
        "ServerAliveInterval": str(KEEPALIVE),
        "ServerAliveCountMax": str(KEEPALIVES),
        "EscapeChar": "none",
        "LogLevel": "ERROR",
    }
    config = next(iter(way.options.get("config") or ()), "none")
    argv = [program, "-F", config, "-T", "-p", str(place.port), "-l", place.user]
    if place.identity:
        said["IdentitiesOnly"] = "yes"
        argv += ["-i", place.identity]
    for key, value in said.items():
        argv += ["-o", f"{key}={value}"]
    return (*argv, "--", place.alias or place.address)
