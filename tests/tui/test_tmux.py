"""A person in tmux, from start to quit, on a server of our own."""

import itertools
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 60.0  # seconds
NUMBERS = itertools.count()


class Tmux:
    """A tmux server with its own socket and no configuration."""

    def __init__(self, command: str) -> None:
        self._socket = f"fleet-test-{os.getpid()}-{next(NUMBERS)}"  # the one before may still be ending
        self.run("-f", "/dev/null", "new-session", "-d", "-x", "80", "-y", "24", command)

    def run(self, *arguments: str) -> str:
        command = ["tmux", "-L", self._socket, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout

    @property
    def screen(self) -> str:
        return self.run("capture-pane", "-p")

    def keys(self, *keys: str) -> None:
        self.run("send-keys", *keys)

    def see(self, text: str) -> str:
        """The screen, as soon as the text is on it."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            screen = self.screen
            if text in screen:
                return screen
            time.sleep(0.05)
        size = self.run("display-message", "-p", "#{pane_width}x#{pane_height}").strip()
        raise AssertionError(f"never saw {text!r} on {size}:\n{self.screen}")

    def close(self) -> None:
        self.run("kill-server")


@pytest.fixture
def tmux(tmp_path: Path) -> Iterator[Tmux]:
    if shutil.which("tmux") is None:
        pytest.skip("tmux is not there")
    words = [
        sys.executable,
        "-m",
        "fleet.tui.play",
        "--hosts",
        "12",
        "--pace",
        "0.2",
        "--folder",
        str(tmp_path),
    ]
    line = f"cd {shlex.quote(str(ROOT))} && LC_ALL=C.UTF-8 {shlex.join(words)}; echo left with $?; exec cat"
    one = Tmux(f"sh -c {shlex.quote(line)}")
    yield one
    one.close()


def test_a_person_looks_deploys_copies_and_leaves(tmux, tmp_path):
    tmux.see("SIMULATED")
    tmux.see("busy")
    tmux.keys("/", "h", "o", "s", "t", ":", "m", "3", "Enter")
    tmux.see("Enter open")
    tmux.keys("y")
    tmux.see("copied")
    assert "m3max" in tmux.run("show-buffer")
    assert "m3max" in (tmp_path / "yank.txt").read_text()
    tmux.keys("Enter")
    tmux.see("Fleet > m3max")
    tmux.keys("Escape")
    tmux.see("HOST ")
    tmux.keys("-l", ":deploy rtx4070,m3max")
    tmux.keys("Enter")
    tmux.see("Type 2")
    time.sleep(0.4)  # longer than the box is deaf
    tmux.keys("2", "Enter")
    tmux.see("PROBE")
    tmux.see("2/2 done")
    tmux.run("resize-window", "-x", "40", "-y", "12")
    tmux.keys("1")
    tmux.see("STATE")
    tmux.run("resize-window", "-x", "140", "-y", "40")
    tmux.see("HISTORY 60 s")
    tmux.run("resize-window", "-x", "80", "-y", "24")
    tmux.see("MODEL")
    tmux.keys("q")
    tmux.see("left with 0")


def test_leaving_gives_the_screen_back(tmux):
    tmux.see("SIMULATED")
    tmux.keys("q")
    assert "SIMULATED" not in tmux.see("left with 0")
