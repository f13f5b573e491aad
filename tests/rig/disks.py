"""A /home of a given size: an ext4 file system in a file behind a loop device."""

import contextlib
import errno
import fcntl
import struct
import time
from pathlib import Path

from tests.rig.kernel import MS_NODEV, MS_NOSUID, mount
from tests.rig.state import Host, Rig
from tests.rig.tools import RigError, run

LOOP_CTL_GET_FREE, LOOP_CONFIGURE, LO_FLAGS_AUTOCLEAR = 0x4C82, 0x4C0A, 4
IMAGE = "home.img"
PLAIN = ("-q", "-F", "-m", 0, "-O", "^has_journal", "-E", "lazy_itable_init=0,nodiscard")


def make(rig: Rig, host: Host) -> None:
    """The image, filled from the directory that it will hide."""
    root = rig.root(host)
    source = (root / "up" if rig.base else root / "root") / "home"
    inodes = ("-N", host.inodes) if host.inodes else ()
    run("mkfs.ext4", *PLAIN, *inodes, "-d", source, root / IMAGE, f"{host.disk}M")


def attach(image: Path, target: Path) -> None:
    """Mount a file; the loop device is freed with the last mount namespace that has it."""
    info = struct.pack("=5Q4I160x16x", 0, 0, 0, 0, 0, 0, 0, 0, LO_FLAGS_AUTOCLEAR)
    with image.open("r+b") as file, open("/dev/loop-control", "r+b", buffering=0) as control:
        wish = struct.pack("=2I", file.fileno(), 0) + info + bytes(64)
        for _ in range(100):
            device = f"/dev/loop{fcntl.ioctl(control, LOOP_CTL_GET_FREE)}"
            with open(device, "r+b", buffering=0) as loop:
                try:
                    fcntl.ioctl(loop, LOOP_CONFIGURE, wish)
                except OSError as error:
                    if error.errno != errno.EBUSY:
                        raise
                    time.sleep(0.01)  # someone else was faster
                    continue
                return mount(device, target, "ext4", MS_NOSUID | MS_NODEV)
    raise RigError("no free loop device")


def wait(rig: Rig, host: Host) -> None:
    """Until no loop device holds the host's disk: its last writes are in the file then."""
    image, end = str(rig.root(host) / IMAGE), time.monotonic() + 120
    while host.disk and image in _backing_files():
        if time.monotonic() > end:
            raise RigError(f"{image} is still mounted")
        time.sleep(0.01)


def _backing_files() -> set[str]:
    used = set()
    for file in Path("/sys/block").glob("loop*/loop/backing_file"):
        with contextlib.suppress(OSError):
            used.add(file.read_text().rstrip("\n"))
    return used
