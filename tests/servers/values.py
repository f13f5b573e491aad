"""Facts of a host for tests that think, and a root on this machine for tests that run."""

import contextlib
import os
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

from fleet.core.facts import Cpu, Disk, Facts, Gpu, Instance, Memory
from fleet.core.inventory import Host, Server
from fleet.core.plan import File
from fleet.core.shell import assign
from fleet.platforms.base import program
from fleet.servers.release import Release, files, release
from fleet.servers.release import run_text as run_program
from fleet.supervisors import supervise
from fleet.supervisors.base import helpers, verb
from fleet.supervisors.instances import parse_instances, script

GIB = 2**30
SMOKE = Path(__file__).parents[2] / "fleet" / "builds" / "smoke.gguf"
SHA = "5" * 64
PRINT = "0123456789abcdef"
RTX = Gpu("nvidia", "RTX 4070", "cuda", 12 * GIB, 11 * GIB, "8.9", None, "550")


def facts(**changes: object) -> Facts:
    """A laptop with a CPU and systemd, but for the changes."""
    values = Facts(
        host="laptop",
        platform="linux",
        os="linux",
        os_version="Debian GNU/Linux 12 (bookworm)",
        kernel="6.1.0",
        arch="x86_64",
        libc="glibc 2.36",
        boot_id="boot-1",
        uptime=1000.0,
        clock=1.0,
        user="ops",
        home="/home/ops",
        root="/home/ops/.local/share/fleet",
        layout=1,
        cpu=Cpu("AMD", 6, 0, 12, ("avx2",)),
        memory=Memory(16 * GIB, 12 * GIB, False, 0, 0),
        disk=Disk(100 * GIB, 50 * GIB, 1000000),
        gpus=(),
        tools={},
        supervisors=("systemd", "supervise"),
        has_linger=True,
        has_cron=True,
        builds=(),
        models=(),
        parts=(),
        jobs=(),
        instances=(),
        lock=None,
        unknown={},
        at=1.0,
    )
    return replace(values, **changes)  # type: ignore[arg-type]


def instance(**changes: object) -> Instance:
    """A server that runs and is proven, but for the changes."""
    values = Instance(
        server="chat",
        release="aaaaaaaaaaaa",
        previous=None,
        supervisor="systemd",
        state="running",
        is_proven=True,
        held=None,
        pid=42,
        since=60.0,
        restarts=0,
        exit_code=None,
        listen="/home/ops/.local/share/fleet/run/0c9d4bf1.sock",
        model="tiny",
        backend="cpu",
        log_tail=(),
        key="/home/ops/.local/share/fleet/services/chat/key",
        boot="boot-1",
    )
    return replace(values, **changes)  # type: ignore[arg-type]


def server(**changes: object) -> Server:
    return Server(**({"model": "tiny", "on": ("laptop",)} | changes))  # type: ignore[arg-type]


@dataclass
class Place:
    """A root on this machine with one server, run by a chosen shell."""

    root: Path
    shells: Path  # holds a program called sh
    env: dict[str, str] = field(default_factory=dict)
    pids: set[int] = field(default_factory=set)

    def sh(self, text: str, deadline: float = 60) -> subprocess.CompletedProcess[str]:
        """The program, as a transport would run it."""
        text = assign(FLEET_ROOT=str(self.root)) + text
        path = f"{self.shells}:{os.environ['PATH']}"
        env = {"PATH": path, "HOME": str(self.root.parent), **self.env}
        return subprocess.run(
            [str(self.shells / "sh"), "-s"],
            check=False,
            input=text,
            env=env,
            capture_output=True,
            text=True,
            timeout=deadline,
        )

    def write(self, file: File) -> None:
        path = self.root / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(file.text)
        path.chmod(file.mode)

    def release(
        self, binary: str | None = None, name: str = "chat", starts: int = 5, **changes: object
    ) -> Release:
        """A published release under the supervise script, restarted without pauses."""
        here = facts(root=str(self.root), home=str(self.root.parent), supervisors=("supervise",))
        made = release(name, server(**changes), Host(), here, PRINT, "cpu", SHA)
        for file in files(made):
            self.write(file)
        if binary is not None:
            path = self.root / "builds" / PRINT / "bin" / "stand-in"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(binary)
            path.chmod(0o700)
            run = run_program(made, str(path))
            self.write(File(f"releases/{name}/{made.rid}/run", run, 0o700))
        self.write(File("bin/supervise.sh", supervise.text(str(self.root), backoff=0, starts=starts), 0o700))
        for file in helpers(str(self.root)):
            self.write(file)
        return made

    def verb(self, made: Release, name: str, **more: str) -> subprocess.CompletedProcess[str]:
        place = {"SOCKET": made.socket, "ADDRESS": made.address}
        return self.sh(verb("supervise", name, made.service, **(place | more)))

    def instances(self) -> tuple[Instance, ...]:
        found = parse_instances(self.sh(program(script() + "\nfleet_instances\n")).stdout)
        self.pids |= {one.pid for one in found if one.pid}
        return found

    def until(self, *states: str, other_than: int | None = None) -> Instance:
        """The server once it is in one of the states, as another process than the named one."""
        for _ in range(200):
            (one,) = self.instances()
            if one.state in states and (other_than is None or one.pid != other_than):
                return one
            time.sleep(0.1)
        log = self.root / "services" / "chat" / "log" / "server.log"
        raise AssertionError(f"never {states}, but {one}: {log.read_text()[-2000:] if log.exists() else ''}")

    def processes(self) -> list[str]:
        """Command lines of all processes of this root, zombies left out."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdecimal():
                try:
                    line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                except OSError:
                    continue
                if f"{self.root}/" in line:
                    found.append(f"{entry.name} {line}")
        return found

    def clear(self) -> None:
        """Ends all processes of this root but this one."""
        for line in self.processes():
            pid = int(line.split()[0])
            if pid != os.getpid():
                with contextlib.suppress(ProcessLookupError):  # it ended by itself meanwhile
                    os.kill(pid, signal.SIGKILL)

    def supervisor(self) -> int:
        """Its process; 0 while one takes over from another."""
        record = self.root / "services" / "chat" / "supervise.pid"
        words = record.read_text().split() if record.exists() else []
        return int(words[0]) if words else 0


def shim(folder: Path, shell: str) -> Path:
    """A folder in which `sh` is the named shell."""
    folder.mkdir(parents=True)
    program_path = shutil.which(shell)
    assert program_path is not None
    (folder / "sh").symlink_to(program_path)
    return folder
