"""An API key lies in 0600 files of the host and of the controller, and nowhere else (I17)."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.controller import CHAT
from tests.live.sites import Site

CANARY = "canary" + "0123456789abcdef" * 3
FOUND = CANARY.encode()


class Watch:
    """Looks again and again at the command lines of all processes, and at environments that may be read."""

    def __init__(self) -> None:
        self.seen: set[str] = set()
        self.looks = 0
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> "Watch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()

    @property
    def is_looking(self) -> bool:
        return self._thread.is_alive()

    def _look(self) -> None:
        while not self._is_over.wait(0.01):
            self.seen |= {where for where, text in processes() if FOUND in text}
            self.looks += 1


def processes() -> Iterator[tuple[str, bytes]]:
    """Where it was read, and a command line or an environment."""
    if not Path("/proc/self/cmdline").exists():
        listing = subprocess.run(["ps", "-axwwE", "-o", "command="], check=True, capture_output=True).stdout
        yield from (("ps", line) for line in listing.splitlines())
    for name in ("cmdline", "environ"):
        for path in Path("/proc").glob(f"[0-9]*/{name}"):
            with contextlib.suppress(OSError):
                yield f"{path}: {(path.parent / 'comm').read_text()}", path.read_bytes()


def test_the_watch_sees_a_command_line() -> None:
    with (
        Watch() as watch,
        subprocess.Popen(["sh", "-c", "read x", CANARY], stdin=subprocess.PIPE) as careless,
    ):
        before = watch.looks
        while watch.looks < before + 2:
            assert watch.is_looking
            threading.Event().wait(0.01)
        careless.communicate()
    assert watch.seen


@pytest.fixture
def site(controllers, embedded) -> Iterator[Site]:
    """A bare host that has the canary as the key of its server."""
    found = Site(controllers(), embedded.up(1)["h1"])
    found.controller.write([found.host], servers={"chat": CHAT})
    service = found.root / "services" / "chat"
    service.mkdir(parents=True)
    (service / "key").write_text(CANARY)
    (service / "key").chmod(0o600)
    yield found
    found.controller("stop", "h1", "--yes")


def holders(folder: Path) -> dict[str, int]:
    """Files with the canary in them, and who may read them."""
    files = [path for path in folder.rglob("*") if path.is_file() and not path.is_symlink()]
    return {
        str(path.relative_to(folder)): path.stat().st_mode & 0o777
        for path in files
        if FOUND in path.read_bytes()
    }


def test_a_key_is_in_no_output_record_or_command_line(site: Site) -> None:
    controller = site.controller
    said = []

    def fleet(*words: str) -> None:
        ended = controller(*words)
        said.append((words, ended.out + ended.err))

    with Watch() as watch:
        fleet("deploy", "h1", "--yes", "--verbose")
        fleet("deploy", "h1", "--yes", "--jsonl")
        fleet("facts", "h1", "--json")
        fleet("status", "h1", "--json", "--verbose")
        fleet("doctor", "h1", "--json")
        fleet("logs", "chat@h1", "--lines", "5000")
        fleet("chat", "chat@h1", "hi", "--max-tokens", "4", "--jsonl", "--verbose")
        fleet("restart", "h1", "--yes", "--verbose")
        forward(site, said)
        # What listens answers nonsense, then does not answer, then is gone: errors carry no key either.
        os.kill(site.pid(), signal.SIGSTOP)
        fleet("status", "h1", "--json", "--verbose", "--timeout", "20")
        os.kill(site.pid(), signal.SIGCONT)
        fleet("stop", "h1", "--yes", "--verbose")
        fleet("chat", "chat@h1", "hi", "--verbose")
        fleet("config", "show", "--json")

    assert [words for words, text in said if CANARY in text] == []
    assert watch.looks > 10
    assert watch.seen == set()
    assert holders(site.home) == {".local/share/fleet/services/chat/key": 0o600}
    assert holders(controller.folder) == {"state/fleet/keys/chat@h1": 0o600}
    if "XDG_CACHE_HOME" in controller.env:
        assert holders(Path(controller.env["XDG_CACHE_HOME"]) / "fleet") == {}


def forward(site: Site, said: list[tuple[tuple[str, ...], str]]) -> None:
    """Open the server here, use it as a client does, and look who else could."""
    words = ("forward", "chat@h1")
    running = site.controller.start(*words)
    try:
        assert running.stdout
        url = running.stdout.readline()
        said.append((words, url))
        port = int(re.search(r"127\.0\.0\.1:(\d+)", url)[1])
        assert is_open("127.0.0.1", port)
        assert [address for address in addresses() if is_open(address, port)] == []
        key = (site.controller.state / "fleet" / "keys" / "chat@h1").read_text().strip()
        assert key == CANARY
        asked = urllib.request.Request(f"{url.strip()}/models", headers={"Authorization": f"Bearer {key}"})
        with urllib.request.urlopen(asked, timeout=60) as answer:
            assert answer.status == 200
    finally:
        running.send_signal(signal.SIGINT)
        running.wait(60)
        running.stdout.close()


def is_open(address: str, port: int) -> bool:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as client:
        client.settimeout(5)
        try:
            return client.connect_ex((address, port)) == 0
        except OSError:
            return False


def addresses() -> set[str]:
    """Of this machine, beside 127.0.0.1: whoever listens on all is met there."""
    with contextlib.suppress(OSError):
        named = {str(found[4][0]) for found in socket.getaddrinfo(socket.gethostname(), None)}
        return {"::1", *named} - {"127.0.0.1"}
    return {"::1"}
