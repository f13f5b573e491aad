"""Rigs as values, for tests: `rig.up(3)["h1"].reboot()`.

Each rig is held by a `testhosts up --foreground` process, which takes it down when it is
told to and also when the tests are killed.
"""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.rig import state

PROGRAM = Path(__file__).with_name("testhosts")
DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
UP_SECONDS = 120

Setting = str | float | bool | Path | Sequence[str] | Mapping[str, object]


@dataclass(frozen=True, slots=True)
class RigHost:
    """One host; its files survive everything but the end of the rig."""

    rig: str
    name: str
    address: str
    port: int
    user: str
    key: Path
    known_hosts: Path
    ssh_config: Path
    host_key: str
    files: Path  # as `files / "root" / "home"` seen from outside

    def kill(self) -> None:
        """Power loss: processes gone, not one packet sent, files kept."""
        control(self.rig, "kill", self.name)

    def start(self) -> None:
        """Power on; back when its sshd answers."""
        control(self.rig, "start", self.name)

    def reboot(self, downtime: float = 0.0) -> None:
        control(self.rig, "reboot", self.name, "--downtime", str(downtime))

    def cut(self) -> None:
        """Pull the cable: frames vanish, processes go on."""
        control(self.rig, "cut", self.name)

    def heal(self) -> None:
        control(self.rig, "heal", self.name)

    def link(self, **changes: float) -> None:
        """Change latency, jitter (ms), loss (percent) or rate (Mbit/s)."""
        control(self.rig, "link", self.name, *_words(changes))

    def exec(self, *argv: str, stdin: str | None = None) -> str:
        """What a command prints that runs as root inside, without SSH."""
        return control(self.rig, "exec", self.name, "--", *argv, stdin=stdin)

    def ssh(self, command: str, *, user: str | None = None, timeout: int = 20) -> str:
        """What a command prints that runs through OpenSSH, as the login user.

        Args:
            timeout: seconds to connect in.
        """
        options = ("-F", str(self.ssh_config), "-o", "BatchMode=yes", "-o", f"ConnectTimeout={timeout}")
        return _run(["ssh", *options, f"{user or self.user}@{self.name}", command])

    def state(self) -> Mapping[str, Any]:
        """Its line of `testhosts list`: state, pid, boot_id and more."""
        listing = json.loads(control(self.rig, "list"))
        found: Mapping[str, Any] = next(line for line in listing if line["name"] == self.name)
        return found


class RunningRig(Mapping[str, RigHost]):
    """Hosts by name."""

    def __init__(self, name: str, holder: "subprocess.Popen[str]", hosts: Mapping[str, RigHost]) -> None:
        self.name = name
        self._holder = holder
        self._hosts = hosts

    def __getitem__(self, name: str) -> RigHost:
        return self._hosts[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._hosts)

    def __len__(self) -> int:
        return len(self._hosts)

    def link(self, **changes: float) -> None:
        control(self.name, "link", "all", *_words(changes))

    def down(self) -> None:
        """Take it down; twice does no harm."""
        self._holder.terminate()
        self._holder.wait()
        if self._holder.stdout:
            self._holder.stdout.close()


class Rigs:
    """Starts rigs under names that no other test process uses."""

    def __init__(self) -> None:
        self._running: list[RunningRig] = []

    def up(self, hosts: int | Sequence[str], **options: Setting) -> RunningRig:
        """Start hosts h1..hN, or hosts of these names.

        Args:
            options: those of `testhosts up`, with `_` for `-`: a flag is True, a repeated
                option a list, one of single hosts a dict: `disk={"h1": "64:500"}`.
        """
        # the holder ends with the thread that started it
        assert threading.current_thread() is threading.main_thread(), "start rigs in the main thread"
        # a letter for the rig, then the process: at most 6 long
        names = (letter + _base36(os.getpid()) for letter in DIGITS[10:])
        name = next(name for name in names if not state.is_up(name))
        which = [str(hosts)] if isinstance(hosts, int) else ["--names", ",".join(hosts)]
        words = ["--rig", name, "up", *which, "--replace", "--foreground", *_words(options)]
        argv = [sys.executable, str(PROGRAM), *words]
        holder = subprocess.Popen(argv, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
        assert holder.stdout
        line = holder.stdout.readline()
        if not line:
            holder.wait(UP_SECONDS)
            raise RuntimeError(f"testhosts {' '.join(words)} failed; its message is on stderr")
        running = RunningRig(name, holder, {host["name"]: _host(name, host) for host in json.loads(line)})
        self._running.append(running)
        return running

    def down(self) -> None:
        for running in self._running:
            running.down()


def control(rig: str, *words: str, stdin: str | None = None) -> str:
    """Run `testhosts` on a rig."""
    return _run([sys.executable, str(PROGRAM), "--rig", rig, *words], stdin)


def _host(rig: str, line: Mapping[str, Any]) -> RigHost:
    return RigHost(
        rig=rig,
        name=line["name"],
        address=line["address"],
        port=line["port"],
        user=line["user"],
        key=Path(line["key"]),
        known_hosts=Path(line["known_hosts"]),
        ssh_config=Path(line["ssh_config"]),
        host_key=line["host_key"],
        files=Path(line["files"]),
    )


def _run(argv: Sequence[str], stdin: str | None = None) -> str:
    done = subprocess.run(argv, input=stdin or "", text=True, capture_output=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(argv)}: exit {done.returncode}: {done.stderr.strip() or done.stdout}")
    return done.stdout


def _words(options: Mapping[str, Setting]) -> list[str]:
    words = []
    for name, value in options.items():
        option = "--" + name.replace("_", "-")
        if isinstance(value, bool):
            words += [option] if value else []
        elif isinstance(value, Mapping):
            words += [word for host, one in value.items() for word in (option, f"{host}={one}")]
        elif isinstance(value, str | float | int | Path):
            words += [option, str(value)]
        else:
            words += [word for one in value for word in (option, one)]
    return words


def _base36(number: int) -> str:
    digits = ""
    while number or not digits:
        number, digit = divmod(number, 36)
        digits = DIGITS[digit] + digits
    return digits
