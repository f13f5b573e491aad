"""Running the system's programs, and saying what went wrong."""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

PACKAGES = {
    "ip": "iproute2",
    "tc": "iproute2",
    "bridge": "iproute2",
    "sshd": "openssh-server",
    "ssh-keygen": "openssh-client",
    "nsenter": "util-linux",
}
SFTP_SERVER = "/usr/lib/openssh/sftp-server"
TOOL_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class RigError(Exception):
    """A message for the person at the terminal."""


def say(*words: object) -> None:
    print("testhosts:", *words, file=sys.stderr, flush=True)


def run(*argv: object, stdin: str | None = None, ok: bool = False) -> str:
    """What a program printed, both streams; `ok` if it may fail."""
    words = [str(word) for word in argv]
    done = subprocess.run(
        words, input=stdin, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    if done.returncode and not ok:
        raise RigError(f"{shlex.join(words)} failed: {done.stdout.strip()}")
    return done.stdout


def batch(lines: Iterable[str], *, tool: str = "ip", inside: str | None = None, force: bool = False) -> None:
    """Give `ip`, `tc` or `bridge` many lines in one process, in a network namespace if asked.

    Args:
        force: go on after a line that fails.
    """
    text = "".join(line + "\n" for line in lines)
    if text:
        where = ["-n", inside] if inside else []
        run(tool, *where, *(["-force"] if force else []), "-batch", "-", stdin=text, ok=force)


def missing_packages() -> list[str]:
    """Debian packages that every rig needs and this machine lacks."""
    lack = {package for tool, package in PACKAGES.items() if not shutil.which(tool)}
    if not Path(SFTP_SERVER).exists():
        lack.add("openssh-sftp-server")
    return sorted(lack)


def write(path: Path, text: str, mode: int = 0o644, owner: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    if owner:
        os.chown(path, owner, owner)
