"""Answers of machines that nobody recorded whole, put together from documented formats."""

from fleet.core.facts import Facts
from fleet.platforms.probe import parse

GIB, MIB = 1 << 30, 1 << 20
LINUX = "system=Linux\nrelease=6.8.0\nmachine={machine}\nroot=/home/ops/fleet"
MAC = "system=Darwin\nrelease=24.2.0\nmachine={machine}\nroot=/Users/ops/fleet"
MEMINFO = "MemTotal: 131072000 kB\nMemAvailable: 65536000 kB\nSwapTotal: 0 kB\nSwapFree: 0 kB"
NVIDIA = (
    "index, uuid, name, compute_cap, driver_version, memory.total [MiB], memory.free [MiB], "
    "mig.mode.current\n"
)


def known(system: str, **sections: str) -> Facts:
    """Of sections with their status, 0 where none is given: `rocm="127:"`."""
    text = f"nonce section system\n{system}\nnonce status 0\n"
    for name, words in {"meminfo": MEMINFO, **sections}.items():
        status, mark, rest = words.partition(":")
        if not (mark and status.isdigit() and len(status) < 4):
            status, rest = "0", words
        text += f"\nnonce section {name.replace('_', '-')}\n{rest}\nnonce status {status}\n"
    return parse("here", f"{text}\nnonce end\n".encode(), "nonce", 1.0)


def linux(machine: str = "x86_64", release: str = "6.8.0", more: str = "", **sections: str) -> Facts:
    system = LINUX.format(machine=machine).replace("6.8.0", release)
    return known(f"{system}\n{more}", **sections)


def mac(sysctl: str, machine: str = "arm64", **sections: str) -> Facts:
    return known(MAC.format(machine=machine), sysctl=sysctl, **sections)
