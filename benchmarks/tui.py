"""What the dashboard costs: CPU, bytes to the terminal, time from key to paint, memory.

Plays the simulated story (fleet.tui.play) in a real process on a pseudo-terminal of
140x40 and reads what it writes. Painting is what remains of the CPU time after that
of the same process with painting paused (key p). Nothing is asserted.
"""

import argparse
import fcntl
import json
import os
import pty
import select
import signal
import statistics
import struct
import sys
import termios
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CLOCK = os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100


class Terminal:
    """A program on a pseudo-terminal.

    Args:
        command: program and arguments.
        size: columns, lines.
        environ: variables beside those of this process.
    """

    def __init__(
        self, command: Sequence[str], size: tuple[int, int] = (140, 40), environ: dict[str, str] | None = None
    ) -> None:
        variables = {**os.environ, "TERM": "xterm-256color", "LANG": "C.UTF-8", "LC_ALL": "C.UTF-8"}
        for name in ("NO_COLOR", "COLORTERM", "TMUX"):
            variables.pop(name, None)
        variables |= {"PYTHONPATH": str(ROOT), **(environ or {})}
        self.pid, self._fd = pty.fork()
        if self.pid == 0:
            os.execvpe(command[0], list(command), variables)
        columns, lines = size
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
        self.said = b""

    def read(self, seconds: float, until: Callable[[bytes], bool] | None = None) -> bytes:
        """What it writes in that time, or until it has written what was waited for."""
        end = time.monotonic() + seconds
        got = b""
        while (left := end - time.monotonic()) > 0:
            ready, _, _ = select.select([self._fd], [], [], left)
            if not ready:
                break
            try:
                data = os.read(self._fd, 65536)
            except OSError:
                break
            if not data:
                break
            got += data
            if until is not None and until(got):
                break
        self.said += got
        return got

    def wait_for(self, text: str, seconds: float = 60.0) -> float:
        """Seconds until the text was written.

        Raises:
            TimeoutError: it was not.
        """
        start = time.monotonic()
        wanted = text.encode()
        got = self.read(seconds, lambda data: wanted in data)
        if wanted not in got:
            raise TimeoutError(f"no {text!r} within {seconds} s; it said {got[-400:]!r}")
        return time.monotonic() - start

    def write(self, text: str) -> None:
        os.write(self._fd, text.encode())

    def cpu(self) -> float:
        """Seconds of CPU that it used."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / CLOCK

    def rss(self) -> int:
        """Bytes resident."""
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        return 0

    def close(self) -> None:
        try:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
        except (ProcessLookupError, ChildProcessError):
            pass
        os.close(self._fd)


@dataclass
class Result:
    what: str
    value: float
    against: float | None
    ratio: float | None


def story(
    *arguments: str, size: tuple[int, int] = (140, 40), environ: dict[str, str] | None = None
) -> Terminal:
    return Terminal([sys.executable, "-m", "fleet.tui.play", *arguments], size, environ)


def started(hosts: int, *arguments: str) -> Terminal:
    """A story with full histories that has settled."""
    terminal = story("--hosts", str(hosts), "--past", "90", "--calm", *arguments)
    terminal.wait_for("GEN t/s")
    terminal.read(12.0)
    return terminal


def cost(terminal: Terminal, seconds: float) -> tuple[float, float]:
    """Share of a core and bytes/s, while it runs for some time."""
    cpu, at = terminal.cpu(), time.monotonic()
    data = terminal.read(seconds)
    passed = time.monotonic() - at
    return (terminal.cpu() - cpu) / passed, len(data) / passed


def latency(terminal: Terminal, keys: int) -> list[float]:
    """Seconds from a key to its echo, for letters that occur nowhere else."""
    terminal.write(":")
    terminal.read(0.5)
    times = []
    for number in range(keys):
        letter = chr(0x0100 + number)
        start = time.monotonic()
        terminal.write(letter)
        terminal.wait_for(letter)
        times.append(time.monotonic() - start)
        terminal.read(0.07 + 0.013 * (number % 7))
    terminal.write("\x1b")
    return times


def measure(hosts: int, seconds: float, keys: int) -> list[Result]:
    found: list[Result] = []

    def row(what: str, value: float, against: float | None) -> None:
        ratio = value / against if against else None
        found.append(
            Result(f"fleet, {hosts} hosts: {what}", round(value, 4), against, ratio and round(ratio, 3))
        )

    terminal = story("--hosts", str(hosts), "--calm")
    row("start to first rows (s)", terminal.wait_for("gpu") if hosts > 3 else terminal.wait_for("rtx"), 1.0)
    terminal.close()
    for share, limit in ((0.0, None), (0.2, 4000.0), (1.0, 20000.0)):
        terminal = started(hosts, "--share", str(share))
        painting, sent = cost(terminal, seconds)
        name = f"{share:.0%} of rows change"
        row(f"{name}: bytes/s", sent, limit)
        row(f"{name}: CPU of everything (share of a core)", painting, None)
        if share == 0.2:
            times = latency(terminal, keys)
            row("key to paint, median (s)", statistics.median(times), 0.05)
            row(f"key to paint, worst of {keys} (s)", max(times), 0.2)
            row("resident memory (bytes)", float(terminal.rss()), 300.0 * 2**20)
        if share:
            terminal.read(1.0)
            terminal.write("p")
            terminal.read(2.0)
            paused, _ = cost(terminal, seconds)
            row(f"{name}: CPU of painting (share of a core)", painting - paused, 0.02)
        terminal.close()
    terminal = started(hosts, "--share", "0.2", "--slow")
    terminal.read(5.0)
    _, sent = cost(terminal, max(seconds, 15.0))
    row("20% of rows change, --slow: bytes/s", sent, 500.0)
    terminal.close()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hosts", type=int, nargs="*", default=[10, 100, 300])
    parser.add_argument("--seconds", type=float, default=10.0, help="of each measurement")
    parser.add_argument("--keys", type=int, default=50)
    parser.add_argument("--json", action="store_true", help="one document on standard output")
    given = parser.parse_args()
    rows: list[Result] = []
    for hosts in given.hosts:
        for result in measure(hosts, given.seconds, given.keys):
            rows.append(result)
            limit = "" if result.against is None else f"  of {result.against:g}"
            print(
                f"{result.what:<64} {result.value:>14g}{limit}",
                file=sys.stderr if given.json else sys.stdout,
                flush=True,
            )
    if given.json:
        print(json.dumps({"rows": [asdict(result) for result in rows]}))


if __name__ == "__main__":
    main()
