"""The few system calls that Python's library does not have."""

import ctypes
import os
from pathlib import Path

CLONE_NEWTIME, CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUTS = 0x80, 0x20000, 0x2000000, 0x4000000
CLONE_NEWIPC, CLONE_NEWPID, CLONE_NEWNET = 0x8000000, 0x20000000, 0x40000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8
MS_BIND, MS_REC, MS_PRIVATE, MS_REMOUNT = 4096, 16384, 1 << 18, 32
MNT_DETACH = 2
PR_SET_PDEATHSIG = 1
SYS_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}

_libc = ctypes.CDLL(None, use_errno=True)


def mount(
    source: str | Path,
    target: str | Path,
    kind: str | None = None,
    flags: int = 0,
    options: str | None = None,
) -> None:
    done = _libc.mount(
        os.fsencode(source),
        os.fsencode(target),
        None if kind is None else kind.encode(),
        ctypes.c_ulong(flags),
        None if options is None else os.fsencode(options),
    )
    _check(done, f"mount {kind or 'bind'} on {target} ({options or ''})")


def bind(source: str | Path, target: str | Path, flags: int = 0) -> None:
    mount(source, target, None, MS_BIND | flags)


def make_read_only(target: str | Path) -> None:
    mount("none", target, None, MS_BIND | MS_REMOUNT | MS_RDONLY)


def bind_read_only(source: str | Path, target: str | Path) -> None:
    bind(source, target)
    make_read_only(target)


def detach(target: str | Path) -> None:
    """Unmount, now or with the last process that uses it."""
    _check(_libc.umount2(os.fsencode(target), MNT_DETACH), f"umount {target}")


def pivot_here() -> None:
    """Make the working directory the root; the old root is gone."""
    _check(_libc.syscall(SYS_PIVOT_ROOT[os.uname().machine], b".", b"."), "pivot_root")
    detach(".")
    os.chdir("/")


def enter(namespace: str | Path, kind: int) -> None:
    fd = os.open(namespace, os.O_RDONLY)
    try:
        _check(_libc.setns(fd, kind), f"setns {namespace}")
    finally:
        os.close(fd)


def unshare(flags: int) -> None:
    _check(_libc.unshare(flags), "unshare")


def set_hostname(name: str) -> None:
    _check(_libc.sethostname(name.encode(), len(name)), "sethostname")


def die_with_parent(signal: int) -> None:
    _check(_libc.prctl(PR_SET_PDEATHSIG, signal), "prctl")


def _check(result: int, what: str) -> None:
    if result != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{what}: {os.strerror(error)}")
