"""Booting a host: namespaces, mounts, and its PID 1."""

import contextlib
import os
import shutil
import signal
import socket
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.rig import cgroups, disks, kernel, profiles
from tests.rig.files import HOST_PATH, OVERLAYS
from tests.rig.kernel import MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_PRIVATE, MS_RDONLY, MS_REC, bind, mount
from tests.rig.processes import process
from tests.rig.state import Host, Rig
from tests.rig.tools import RigError

# PID 1 of a host: starts sshd again if it ends (like a unit with Restart=always), reaps orphans
INIT = """\
trap 'exit 0' TERM INT
while [ ! -e /run/noinit ]; do
  /usr/sbin/sshd -D -e </dev/null >>/var/log/sshd.log 2>&1 &
  wait $!
  sleep 0.2
done
wait
"""
CHARACTER_DEVICE = 0o020000
DEVICES = {"null": (1, 3), "zero": (1, 5), "full": (1, 7), "random": (1, 8), "urandom": (1, 9), "tty": (5, 0)}
DEVICE_LINKS = {
    "ptmx": "pts/ptmx",
    "fd": "/proc/self/fd",
    "stdin": "/proc/self/fd/0",
    "stdout": "/proc/self/fd/1",
    "stderr": "/proc/self/fd/2",
}


def boot(rig: Rig, host: Host) -> None:
    """Start a host's PID 1; the host knows it and its new boot id afterwards."""
    boot_id = str(uuid.uuid4())
    cgroups.remove(rig, host)
    cgroups.make(rig, host)
    disks.wait(rig, host)
    if not rig.base:  # /tmp does not outlive a boot
        temporary = rig.root(host) / "root" / "tmp"
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(exist_ok=True)
        temporary.chmod(0o1777)
    child, answer = _fork(lambda fd: _become_parent_of_init(rig, host, boot_id, fd))
    os.waitpid(child, 0)
    if not answer.startswith("ok "):
        raise RigError(f"host {host.name} did not boot: {answer}")
    host.init, host.boot_id, host.state = process(int(answer.split()[1])), boot_id, "up"


def wait_for_ssh(hosts: list[Host], seconds: float) -> None:
    """Until each sshd has sent its banner."""
    end = time.monotonic() + seconds
    with ThreadPoolExecutor(32) as pool:
        answered = list(pool.map(lambda host: _has_banner(host.address, end), hosts))
    silent = [host.name for host, did in zip(hosts, answered, strict=True) if not did]
    if silent:
        raise RigError(f"no SSH banner within {seconds:g} s from: {', '.join(silent[:10])}")


def _has_banner(address: str, end: float) -> bool:
    while True:
        with contextlib.suppress(OSError), socket.create_connection((address, 22), timeout=2) as connection:
            connection.settimeout(5)
            if connection.recv(64).startswith(b"SSH-2.0"):
                return True
        if time.monotonic() > end:
            return False
        time.sleep(0.02)


def _fork(body: Callable[[int], None]) -> tuple[int, str]:
    """Run `body` in a child; it gets the writing end of a pipe, we what was written until it closed."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reading)
            body(writing)
        except BaseException as error:  # noqa: BLE001 - the child must never return
            os.write(writing, f"{type(error).__name__}: {error}".encode()[:900])
        finally:
            os._exit(1)
    os.close(writing)
    with open(reading, "rb") as pipe:
        return child, pipe.read().decode(errors="replace")


def _become_parent_of_init(rig: Rig, host: Host, boot_id: str, writing: int) -> None:
    """In the first child: enter the namespaces; the second child is PID 1 in them."""
    os.setsid()
    kernel.enter(f"/run/netns/{host.netns}", kernel.CLONE_NEWNET)
    cgroups.join(rig, host)
    flags = kernel.CLONE_NEWNS | kernel.CLONE_NEWPID | kernel.CLONE_NEWUTS | kernel.CLONE_NEWIPC
    if host.has_systemd:
        flags |= kernel.CLONE_NEWCGROUP
    if os.path.exists("/proc/self/ns/time"):
        kernel.unshare(flags | kernel.CLONE_NEWTIME)
        up, monotonic = int(time.clock_gettime(time.CLOCK_BOOTTIME)), int(time.monotonic())
        # so that uptime starts at 0
        Path("/proc/self/timens_offsets").write_text(f"boottime -{up} 0\nmonotonic -{monotonic} 0\n")
    else:
        kernel.unshare(flags)
    init, failure = _fork(lambda fd: _become_init(rig, host, boot_id, fd))
    os.write(writing, failure.encode() or b"ok %d" % init)
    os._exit(0)


def _become_init(rig: Rig, host: Host, boot_id: str, writing: int) -> None:
    with contextlib.suppress(OSError):
        Path("/proc/sys/net/ipv4/tcp_congestion_control").write_text("cubic")
    _mount_all(rig, host, boot_id)
    null = os.open("/dev/null", os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    os.set_inheritable(writing, False)  # closes at exec: the sign of success
    os.closerange(3, writing)
    os.closerange(writing + 1, 256)
    env = {"PATH": HOST_PATH, "HOME": "/root", "container": "testhosts"}
    if host.has_systemd:
        with contextlib.suppress(OSError):  # needs CAP_SYS_RESOURCE
            Path("/proc/self/oom_score_adj").write_text("-1000")
        os.execve("/lib/systemd/systemd", ["/sbin/init"], env)
    os.execve("/bin/sh", ["init", "-c", INIT], env)


def _mount_all(rig: Rig, host: Host, boot_id: str) -> None:
    """As PID 1 of the host, in its new namespaces: make its root, and go there."""
    root = rig.root(host) / "root"
    hide, over = profiles.hidden(host.profile), profiles.laid_over(host.profile)
    mount("none", "/", None, MS_REC | MS_PRIVATE)
    _mount_files(rig, host, root)
    _mount_kernel(host, root, hide)
    mount("tmpfs", root / "run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755")
    _mount_devices(root / "dev")
    (root / "run" / "sshd").mkdir(mode=0o755)
    (root / "run" / "boot_id").write_text(boot_id + "\n")
    if "/proc" not in hide:
        bind(root / "run" / "boot_id", root / "proc/sys/kernel/random/boot_id")
    if host.profile and (Path(host.profile) / "bin").is_dir():
        kernel.bind_read_only(Path(host.profile) / "bin", root / profiles.BIN[1:])
    profiles.stage(root, over)
    os.chdir(root)
    kernel.pivot_here()
    profiles.replace(hide, over)
    kernel.set_hostname(host.name)


def _mount_files(rig: Rig, host: Host, root: Path) -> None:
    above = rig.root(host)
    if rig.base:
        mount("overlay", root, "overlay", 0, f"lowerdir={rig.base},upperdir={above}/up,workdir={above}/work")
    else:
        bind(root, root)
        for name in OVERLAYS:
            layers = f"lowerdir=/{name},upperdir={above}/up/{name},workdir={above}/work/{name}"
            mount("overlay", root / name, "overlay", 0, layers)
    if host.disk:
        disks.attach(above / disks.IMAGE, root / "home")


def _mount_kernel(host: Host, root: Path, hide: list[str]) -> None:
    # a hidden /proc keeps its processes and nothing else: ps and sshd need them
    options = "subset=pid" if "/proc" in hide else None
    mount("proc", root / "proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, options)
    if "/sys" in hide:
        shutil.rmtree(root / "sys", ignore_errors=True)
    else:
        (root / "sys").mkdir(exist_ok=True)
        mount("sysfs", root / "sys", "sysfs", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC)
    if host.has_systemd:
        mount("cgroup2", root / "sys/fs/cgroup", "cgroup2", MS_NOSUID | MS_NODEV | MS_NOEXEC)
        # systemd sets machine-wide kernel parameters at boot: let it have those of its network only
        shut = [root / "proc" / name for name in ("sys", "sysrq-trigger") if (root / "proc" / name).exists()]
        for path in [*shut, root / "proc/sys/net"]:
            bind(path, path)
        for path in shut:
            kernel.make_read_only(path)


def _mount_devices(dev: Path) -> None:
    mount("tmpfs", dev, "tmpfs", MS_NOSUID, "mode=755,size=64k")
    old = os.umask(0)
    for name, (major, minor) in DEVICES.items():
        os.mknod(dev / name, 0o666 | CHARACTER_DEVICE, os.makedev(major, minor))
    os.umask(old)
    (dev / "pts").mkdir()
    (dev / "shm").mkdir()
    mount("devpts", dev / "pts", "devpts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=620,gid=5")
    mount("tmpfs", dev / "shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777")
    for name, target in DEVICE_LINKS.items():
        (dev / name).symlink_to(target)
