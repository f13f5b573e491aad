"""The command line of the rig."""

import argparse
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.rig import cgroups, systemd
from tests.rig.tools import RigError

VERBS = {
    "kill": "power loss: processes gone, no packet sent, files kept",
    "start": "boot a killed host again",
    "reboot": "orderly reboot",
    "cut": "drop all packets silently, processes go on",
    "heal": "undo cut",
    "link": "change latency, jitter, loss, rate of running hosts",
}


@dataclass(frozen=True, slots=True)
class Machine:
    """What `up` was asked of one host."""

    manager: str
    memory: int | None  # MiB
    disk: int | None  # MiB
    inodes: int | None


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(
        prog="testhosts",
        description="Throw-away SSH hosts on one Linux machine, made of namespaces.",
        epilog="Every command needs root. See README.md beside the program.",
    )
    default = os.environ.get("TESTHOSTS_RIG", "a")
    top.add_argument("--rig", default=default, help="name of the rig (default: a)")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_up(commands.add_parser("up", help="start N hosts h1..hN, or --names a,b,c"))
    commands.add_parser("down", help="end every host and remove all traces")
    commands.add_parser("list", help="JSON: name, address, port, user, key, known_hosts, state ...")
    for verb, text in VERBS.items():
        one = commands.add_parser(verb, help=text)
        one.add_argument("host", nargs="+", help="host names, or: all")
        one.add_argument("--timeout", type=float, default=60.0, metavar="S")
        if verb == "reboot":
            one.add_argument("--downtime", type=float, default=0.0, metavar="S")
        if verb == "link":
            _add_link(one, None)
    one = commands.add_parser("exec", help="run a command inside a host as root, without SSH")
    one.add_argument("host", nargs=1)
    one.add_argument("argv", nargs=argparse.REMAINDER)
    commands.add_parser("_relay")
    return top


def per_host(option: str, values: list[str] | None, names: list[str]) -> dict[str, str]:
    """The value of a repeatable option [HOST=]VALUE for each host; one with HOST= wins."""
    every: dict[str, str] = {}
    own: dict[str, str] = {}
    for value in values or []:
        who, equals, what = value.partition("=")
        if not equals:
            for name in names:
                every.setdefault(name, value)
        elif who in names:
            own[who] = what
        else:
            raise RigError(f"{option}: no host named {who!r}")
    return every | own


def machines(args: argparse.Namespace, names: list[str], base: str | None) -> dict[str, Machine]:
    """For each host: who is PID 1, and how much memory and disk it has; only what this machine can do."""
    init = per_host("--init", args.init, names)
    memory = per_host("--memory", args.memory, names)
    disk = per_host("--disk", args.disk, names)
    out = {}
    for name in names:
        size, _, inodes = disk.get(name, "").partition(":")
        out[name] = Machine(
            init.get(name, "sh"),
            _number("--memory", memory[name], 16, 1 << 24) if name in memory else None,
            _number("--disk", size, 2, 1 << 24) if name in disk else None,
            _number("--disk", inodes, 32, 1 << 28) if inodes else None,
        )
        if out[name].manager not in ("sh", "systemd"):
            raise RigError(f"--init takes sh or systemd, not {out[name].manager!r}")
    _check_machine("systemd" in init.values(), bool(memory), bool(disk), base)
    return out


def _check_machine(has_systemd: bool, has_memory: bool, has_disk: bool, base: str | None) -> None:
    lack = systemd.missing_packages(base) if has_systemd else set()
    if lack and base:
        raise RigError(f"--base {base} lacks Debian packages: {' '.join(sorted(lack))}")
    if has_disk and not shutil.which("mkfs.ext4"):
        lack.add("e2fsprogs")
    if lack:
        raise RigError("missing Debian packages: apt-get install " + " ".join(sorted(lack)))
    if has_disk and not Path("/dev/loop-control").exists():
        raise RigError("--disk needs loop devices, and there is no /dev/loop-control")
    tree, controller = cgroups.mounts()
    if has_systemd and not tree:
        raise RigError("--init systemd needs cgroup2: mount -t cgroup2 none /sys/fs/cgroup/unified")
    if has_memory and not controller:
        raise RigError("--memory needs the memory cgroup controller, and none is mounted")


def _add_up(up: argparse.ArgumentParser) -> None:
    up.add_argument("count", type=int, nargs="?")
    up.add_argument("--names")
    _add_link(up, 0.0)
    for option, metavar, text in (
        ("--profile", "[HOST=]DIR", "replayed programs, see README"),
        ("--init", "[HOST=]systemd", "PID 1 is systemd (default: a small sh)"),
        ("--memory", "[HOST=]MIB", "memory limit of all the host's processes"),
        ("--disk", "[HOST=]MIB[:INODES]", "/home is a file system of this size"),
        ("--sshd-option", "'KEY VALUE'", "wins over what the rig sets"),
    ):
        up.add_argument(option, action="append", metavar=metavar, help=text)
    base = "a debootstrap tree to use below the hosts (default: this machine)"
    up.add_argument("--base", metavar="DIR", help=base)
    up.add_argument("--user", default="fleet")
    up.add_argument("--net", metavar="CIDR")
    up.add_argument("--timeout", type=float, default=60.0, metavar="S")
    for option, text in (
        ("--relay", "use the relay even with no latency, so 'link' can set one"),
        ("--replace", "take a rig of this name down first"),
        ("--keep", "leave the pieces when up fails"),
        ("--foreground", "print the list, stay until SIGTERM, SIGINT or the parent's end, then clean up"),
    ):
        up.add_argument(option, action="store_true", help=text)


def _add_link(one: argparse.ArgumentParser, default: float | None) -> None:
    for option, most, metavar, text in (
        ("--latency", 10000, "MS", "round-trip time added"),
        ("--jitter", 10000, "MS", "most extra, at random"),
        ("--loss", 100, "PERCENT", "each way"),
        ("--rate", 100000, "MBIT", "each way, 0 = no limit"),
    ):
        one.add_argument(option, type=_up_to(most), default=default, metavar=metavar, help=text)


def _up_to(most: float) -> Callable[[str], float]:
    def parse(text: str) -> float:
        value = float(text)
        if not 0 <= value <= most:
            raise argparse.ArgumentTypeError(f"{text} is not between 0 and {most}")
        return value

    return parse


def _number(option: str, text: str, least: int, most: int) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text) or not least <= int(text) <= most:
        raise RigError(f"{option}: {text!r} is not a whole number from {least} to {most}")
    return int(text)
