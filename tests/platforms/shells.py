"""The POSIX shells of this machine, and programs run by them."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from fleet.core.facts import Facts
from fleet.core.shell import assign
from fleet.platforms.base import program
from fleet.platforms.probe import parse, probe_program

NONCE = "5f1e9c"
KINDS = {
    "sh": ["sh"],
    "dash": ["dash"],
    "bash": ["bash"],
    "bash-posix": ["bash", "--posix"],
    "busybox": ["busybox", "sh"],
    "zsh": ["zsh"],
    "ksh": ["ksh"],
}
SHELLS = {name: words for name, words in KINDS.items() if shutil.which(words[0])}


def run(shell: str, script: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[bytes]:
    """A program on standard input, as a transport sends it."""
    return subprocess.run(
        [*SHELLS[shell], "-s"],
        input=script.encode(),
        capture_output=True,
        timeout=60,
        env=dict(os.environ) | dict(env or {}),
        check=False,
    )


def told(shell: str, root: Path, body: str, generation: str = "", **variables: str) -> str:
    """What a program that uses common.sh prints."""
    script = assign(FLEET_ROOT=str(root), FLEET_GENERATION=generation) + program(body, **variables)
    answer = run(shell, script)
    assert answer.returncode == 0, answer.stderr.decode()
    return answer.stdout.decode().removesuffix("\n")


def ask(shell: str, root: str, env: dict[str, str] | None = None, before: str = "") -> Facts:
    """The facts of this machine, asked by that shell."""
    answer = run(shell, before + assign(FLEET_NONCE=NONCE, FLEET_ROOT=root) + probe_program(), env)
    assert answer.stderr == b""
    return parse("here", answer.stdout, NONCE, 1.0)
