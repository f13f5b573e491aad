"""Control groups: a host with systemd has a cgroup2 tree of its own below TREE/testhosts/RIG/NAME.

A memory limit lies there too, or in the same place of the version 1 memory hierarchy where
the machine has that.
"""

import contextlib
import errno
import os
import time
from pathlib import Path

from tests.rig.state import Host, Rig
from tests.rig.tools import RigError, say

CONTROLLERS = {"cpu", "io", "memory", "pids"}


def mounts() -> tuple[str | None, str | None]:
    """Where cgroup2 and where the memory controller is mounted."""
    tree = memory = None
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, where, kind, options = line.split()[:4]
        if kind == "cgroup2":
            tree = tree or where
        elif kind == "cgroup" and "memory" in options.split(","):
            memory = where
    if not memory and tree and "memory" in _controllers(Path(tree)):
        memory = tree
    return tree, memory


def make(rig: Rig, host: Host) -> None:
    try:
        for folder in _folders(rig, host):
            folder.mkdir(parents=True, exist_ok=True)
            if rig.cgroup_tree == str(folder.parents[2]):
                _hand_down(folder)
        if host.memory:
            _limit(_folder(rig.cgroup_memory, rig, host), host.memory << 20)
    except OSError as error:
        raise RigError(f"no cgroup for {host.name}: {error}") from None


def join(rig: Rig, host: Host, below: str = "") -> None:
    """Move this process into the host's cgroups."""
    for folder in _folders(rig, host):
        inner = folder / below
        ((inner if inner.is_dir() else folder) / "cgroup.procs").write_text("0")


def remove(rig: Rig, host: Host) -> None:
    """After the end of the host's processes: all its cgroups, lowest first."""
    for top in _folders(rig, host):
        end = time.monotonic() + 60
        for folder, _, _ in os.walk(top, topdown=False):
            _remove(folder, end)
        for above in (top.parent, top.parent.parent):
            with contextlib.suppress(OSError):
                above.rmdir()


def _remove(folder: str, end: float) -> None:
    while True:
        try:
            return os.rmdir(folder)
        except FileNotFoundError:
            return None
        except OSError as error:
            # an `exec` of the host may be about to end
            if error.errno != errno.EBUSY or time.monotonic() > end:
                return say(f"{folder} stays: {error.strerror}")
        time.sleep(0.01)


def _folders(rig: Rig, host: Host) -> list[Path]:
    """The first is the host's tree if it has one."""
    tops = [rig.cgroup_tree] if host.has_systemd else []
    tops += [rig.cgroup_memory] if host.memory else []
    return list(dict.fromkeys(_folder(top, rig, host) for top in tops))


def _folder(top: str | None, rig: Rig, host: Host) -> Path:
    assert top, "options.machines looked for it"
    return Path(top) / "testhosts" / rig.name / host.name


def _hand_down(folder: Path) -> None:
    """Let the host's tree have every controller this machine has in cgroup2."""
    for above in (folder.parents[2], folder.parents[1], folder.parents[0]):
        for name in CONTROLLERS & _controllers(above):
            with contextlib.suppress(OSError):
                (above / "cgroup.subtree_control").write_text("+" + name)


def _limit(folder: Path, size: int) -> None:
    wanted = (
        ("memory.max", size),
        ("memory.swap.max", 0),
        ("memory.limit_in_bytes", size),
        ("memory.memsw.limit_in_bytes", size),
    )
    there = [(folder / name, value) for name, value in wanted if (folder / name).exists()]
    for file, value in there:
        file.write_text(str(value))
    if not {"memory.max", "memory.limit_in_bytes"} & {file.name for file, _ in there}:
        raise RigError(f"{folder} takes no memory limit (is it in its parents' cgroup.subtree_control?)")


def _controllers(folder: Path) -> set[str]:
    return set((folder / "cgroup.controllers").read_text().split())
