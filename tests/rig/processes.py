"""Processes by a name that is never reused: pid and start time."""

import contextlib
import os
import signal
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.rig.tools import RigError


@dataclass(frozen=True, slots=True)
class Process:
    pid: int
    start: int | None  # ticks since boot

    @property
    def is_alive(self) -> bool:
        return self.start is not None and start_time(self.pid) == self.start

    def send(self, number: int) -> None:
        """A signal, if it is still there."""
        if self.is_alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def wait(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while self.is_alive:
            if time.monotonic() > end:
                raise RigError(f"process {self.pid} did not end within {seconds:g} s")
            time.sleep(0.005)

    def kill(self, seconds: float = 60.0) -> None:
        self.send(signal.SIGKILL)
        self.wait(seconds)


def process(pid: int) -> Process:
    return Process(pid, start_time(pid))


def start_time(pid: int) -> int | None:
    """In ticks since boot; None for one that is gone or a zombie."""
    try:
        rest = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if rest[0] == "Z" else int(rest[19])


def kill_all_inside(namespaces: Iterable[str]) -> None:
    """End all that still runs in network namespaces, e.g. PID 1 of a boot that was cut short."""
    nets = set()
    for name in namespaces:
        with contextlib.suppress(OSError):
            nets.add(_identity(f"/run/netns/{name}"))
    left = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            if _identity(f"/proc/{pid}/ns/net") in nets:
                left.append(process(int(pid)))
                os.kill(int(pid), signal.SIGKILL)
    for stray in left:
        stray.kill()


def _identity(path: str) -> tuple[int, int]:
    stat = os.stat(path)
    return stat.st_dev, stat.st_ino
