"""Latency, jitter and loss, made in user space: not every kernel has netem.

A host's eth0 is a TAP device, its bridge port another one, and one process carries frames
between the two. Both take part in segmentation offload, so a frame is up to 64 KiB and the
relay handles thousands of them a second, not hundreds of thousands.
"""

import contextlib
import dataclasses
import errno
import fcntl
import json
import os
import random
import select
import socket
import struct
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.rig.processes import Process, process
from tests.rig.state import Host, Link
from tests.rig.tools import RigError, run

TUNSETIFF, TUNSETOFFLOAD, TUNSETVNETHDRSZ = 0x400454CA, 0x400454D0, 0x400454D8
IFF_TAP, IFF_NO_PI, IFF_VNET_HDR = 0x2, 0x1000, 0x4000
TUN_F_CSUM, TUN_F_TSO4, TUN_F_TSO6 = 1, 2, 4
FRAME = 70000  # bytes, more than the largest
QUEUE = 20000  # frames; more are lost, as in a full switch
SOCKET = "relay.sock"
HOSTS_A_MESSAGE = 100


def start(name: str, folder: Path) -> Process:
    """Start the relay process of a rig and wait until it listens."""
    entry = Path(__file__).with_name("testhosts")
    with (folder / "relay.log").open("ab") as log:
        child = subprocess.Popen(
            [sys.executable, "-I", str(entry), "--rig", name, "_relay"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            cwd="/",
        )
    end = time.monotonic() + 60
    while not (folder / SOCKET).exists():
        if child.poll() is not None or time.monotonic() > end:
            raise RigError("the link relay did not start: " + (folder / "relay.log").read_text()[-400:])
        time.sleep(0.01)
    return process(child.pid)


def add(folder: Path, hosts: Iterable[Host], link: Link) -> None:
    """Make the cables of hosts whose network namespaces are there."""
    _call(
        folder,
        "add",
        [
            {"name": host.name, "port": host.port_dev, "netns": host.netns, "mac": host.mac}
            | dataclasses.asdict(link)
            for host in hosts
        ],
    )


def change(folder: Path, hosts: Iterable[Host], link: Link) -> None:
    _call(folder, "set", [{"name": host.name} | dataclasses.asdict(link) for host in hosts])


def delete(folder: Path, hosts: Iterable[Host]) -> None:
    _call(folder, "del", [{"name": host.name} for host in hosts])


def _call(folder: Path, op: str, hosts: list[dict[str, Any]]) -> None:
    for first in range(0, len(hosts), HOSTS_A_MESSAGE):
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
            connection.settimeout(30)
            connection.connect(str(folder / SOCKET))
            message = {"op": op, "hosts": hosts[first : first + HOSTS_A_MESSAGE]}
            connection.send(json.dumps(message).encode())
            answer = json.loads(connection.recv(65536))
            if not answer["ok"]:
                raise RigError("the link relay refused: " + answer["error"])


@dataclass(slots=True)
class Cable:
    """Two TAP devices and what happens to a frame between them."""

    ends: tuple[int, int]  # fds: the bridge's, the host's
    delay: float = 0.0  # seconds, one way
    jitter: float = 0.0  # seconds
    loss: float = 0.0  # 0 to 1

    def set(self, wish: dict[str, Any]) -> None:
        self.delay, self.jitter = wish["latency"] / 2e3, wish["jitter"] / 2e3
        self.loss = wish["loss"] / 100


class Relay:
    """The process: reads frames from all cables, writes them when they are due."""

    def __init__(self, path: Path) -> None:
        self.control = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.control.bind(str(path))
        self.control.listen(8)
        self.epoll = select.epoll()
        self.epoll.register(self.control, select.EPOLLIN)
        self.cables: dict[str, Cable] = {}
        self.peer: dict[int, tuple[int, Cable]] = {}
        self.queue: dict[int, deque[tuple[float, bytes]]] = {}  # by the fd it goes out of

    def run(self) -> None:
        while True:
            due = min((queue[0][0] for queue in self.queue.values() if queue), default=None)
            now = time.monotonic()
            if due is None or due > now:  # select() waits in microseconds, epoll in milliseconds
                select.select([self.epoll.fileno()], [], [], None if due is None else due - now)
            for fd, _ in self.epoll.poll(0):
                if fd == self.control.fileno():
                    self._serve()
                    break  # the fds may have changed
                if fd in self.peer:
                    self._read(fd)
            now = time.monotonic()
            for fd, queue in self.queue.items():
                while queue and queue[0][0] <= now:
                    with contextlib.suppress(OSError):
                        os.write(fd, queue[0][1])
                    queue.popleft()

    def _read(self, fd: int) -> None:
        out, cable = self.peer[fd]
        queue = self.queue[out]
        for _ in range(32):
            try:
                frame = os.read(fd, FRAME)
            except OSError as error:
                if error.errno not in (errno.EAGAIN, errno.EINTR):  # the device is gone
                    with contextlib.suppress(OSError):
                        self.epoll.unregister(fd)
                return
            # a frame may hold many segments; like netem, lose or keep it whole
            if cable.loss and random.random() < cable.loss:
                continue
            at = time.monotonic() + cable.delay + (cable.jitter * random.random() if cable.jitter else 0)
            if queue:
                at = max(at, queue[-1][0])  # jitter never reorders
            if len(queue) < QUEUE:
                queue.append((at, frame))

    def _serve(self) -> None:
        connection, _ = self.control.accept()
        with connection:
            connection.settimeout(5)
            answer: dict[str, Any] = {"ok": True}
            try:
                message = json.loads(connection.recv(1 << 20))
                for host in message["hosts"]:
                    match message["op"]:
                        case "add":
                            self._add(host)
                        case "set":
                            self.cables[host["name"]].set(host)
                        case "del":
                            self._drop(host["name"])
            except (OSError, RigError, KeyError, ValueError) as error:  # frames must go on
                answer = {"ok": False, "error": f"{type(error).__name__}: {error}"}
            with contextlib.suppress(OSError):
                connection.send(json.dumps(answer).encode())

    def _add(self, host: dict[str, Any]) -> None:
        port, inner = host["port"], host["port"] + "h"
        ends: list[int] = []
        try:
            ends.append(_open_tap(port))
            ends.append(_open_tap(inner))
            run("ip", "link", "set", port, "mtu", "1500", "up")
            inside = ("netns", host["netns"], "name", "eth0", "address", host["mac"], "mtu", "1500")
            run("ip", "link", "set", inner, *inside)
        except BaseException:
            for fd in ends:
                os.close(fd)
            raise
        bridge_end, host_end = ends
        cable = Cable((bridge_end, host_end))
        cable.set(host)
        self.cables[host["name"]] = cable
        self.peer[bridge_end], self.peer[host_end] = (host_end, cable), (bridge_end, cable)
        for fd in ends:
            self.queue[fd] = deque()
            self.epoll.register(fd, select.EPOLLIN)

    def _drop(self, name: str) -> None:
        cable = self.cables.pop(name, None)
        for fd in cable.ends if cable else ():
            del self.peer[fd], self.queue[fd]
            with contextlib.suppress(OSError):
                self.epoll.unregister(fd)
            os.close(fd)


def _open_tap(name: str) -> int:
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    wish = struct.pack("16sH22x", name.encode(), IFF_TAP | IFF_NO_PI | IFF_VNET_HDR)
    fcntl.ioctl(fd, TUNSETIFF, wish)
    fcntl.ioctl(fd, TUNSETVNETHDRSZ, struct.pack("i", 10))
    fcntl.ioctl(fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6)
    return fd
