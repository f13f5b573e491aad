"""What a rig is made of, and the file that remembers it."""

import contextlib
import dataclasses
import fcntl
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.rig.processes import Process
from tests.rig.tools import RigError

STATE_ROOT = Path(os.environ.get("TESTHOSTS_STATE", "/srv/testhosts"))


@dataclass(frozen=True, slots=True)
class Link:
    """What is added to every cable."""

    latency: float = 0.0  # ms, both ways together
    jitter: float = 0.0  # ms, at random
    loss: float = 0.0  # percent, each way
    rate: float = 0.0  # Mbit/s each way, 0 is no limit

    @property
    def needs_relay(self) -> bool:
        return bool(self.latency or self.jitter or self.loss)


@dataclass(slots=True, kw_only=True)
class Host:
    name: str
    address: str
    mac: str
    user: str
    netns: str
    port_dev: str  # the bridge's end of the cable
    profile: str | None  # a directory
    manager: str  # PID 1: sh or systemd
    memory: int | None  # MiB
    disk: int | None  # MiB
    inodes: int | None
    host_key: str = ""
    state: str = "new"  # new, up, cut, down
    boot_id: str | None = None
    init: Process | None = None

    @property
    def is_alive(self) -> bool:
        return self.init is not None and self.init.is_alive

    @property
    def has_systemd(self) -> bool:
        return self.manager == "systemd"


@dataclass(slots=True, kw_only=True)
class Rig:
    name: str
    net: str
    prefix: int
    bridge: str
    gateway: str
    gateway_mac: str
    group: int  # of network devices
    base: str | None  # a debootstrap tree in place of this machine's files
    user: str
    sshd_options: list[str]
    cgroup_tree: str | None  # where cgroup2 is mounted
    cgroup_memory: str | None  # where the memory controller is
    link: Link
    relay: Process | None = None
    hosts: list[Host] = field(default_factory=list)

    @property
    def dir(self) -> Path:
        return place(self.name)

    def root(self, host: Host) -> Path:
        """The folder with all files of a host."""
        return self.dir / "hosts" / host.name

    def named(self, names: list[str]) -> list[Host]:
        """Hosts by name or address; `all` for all."""
        if names == ["all"]:
            return self.hosts
        return [self._host(name) for name in names]

    def _host(self, name: str) -> Host:
        for host in self.hosts:
            if name in (host.name, host.address):
                return host
        known = ", ".join(host.name for host in self.hosts[:12])
        raise RigError(f"no host {name!r} in rig {self.name!r}; it has {known}")

    def save(self) -> None:
        final = self.dir / "rig.json"
        unfinished = final.with_suffix(".tmp")
        unfinished.write_text(json.dumps(dataclasses.asdict(self), indent=1))
        unfinished.rename(final)

    def listing(self) -> list[dict[str, Any]]:
        """What `testhosts list` prints."""
        return [
            {
                "name": host.name,
                "address": host.address,
                "port": 22,
                "user": host.user,
                "key": str(self.dir / "id_ed25519"),
                "known_hosts": str(self.dir / "known_hosts"),
                "ssh_config": str(self.dir / "ssh_config"),
                "host_key": host.host_key,
                "state": host.state if host.is_alive else "down",
                "pid": host.init.pid if host.init and host.is_alive else None,
                "boot_id": host.boot_id,
                "profile": host.profile,
                "init": host.manager,
                "memory": host.memory,
                "disk": host.disk,
                "files": str(self.root(host)),
            }
            for host in self.hosts
        ]


def place(name: str) -> Path:
    """The folder of a rig; its name is part of network device names and so at most 6 long."""
    if not re.fullmatch(r"[a-z][a-z0-9]{0,5}", name):
        raise RigError("--rig must be 1 to 6 of a-z0-9, a letter first")
    return STATE_ROOT / name


def is_up(name: str) -> bool:
    return (place(name) / "rig.json").exists()


def load(name: str) -> Rig:
    try:
        data = json.loads((place(name) / "rig.json").read_text())
    except FileNotFoundError:
        raise RigError(f"no rig named {name!r} is up (start one with: testhosts up N)") from None
    data["link"] = Link(**data["link"])
    data["relay"] = _process(data["relay"])
    data["hosts"] = [Host(**host | {"init": _process(host["init"])}) for host in data["hosts"]]
    return Rig(**data)


@contextlib.contextmanager
def lock(name: str) -> Iterator[None]:
    STATE_ROOT.mkdir(parents=True, exist_ok=True, mode=0o755)
    with (STATE_ROOT / f".{name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _process(data: dict[str, Any] | None) -> Process | None:
    return Process(**data) if data else None
