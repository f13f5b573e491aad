"""A folder of this machine as a host's root, and programs run there as a transport would."""

import json
import os
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from fleet.core.facts import Facts
from fleet.core.plan import Run, Step
from fleet.core.shell import assign
from fleet.platforms.probe import parse, probe_program

NONCE = "0123456789abcdef"


def run(
    root: Path, script: str, env: Mapping[str, str] | None = None, generation: str = ""
) -> tuple[int, list[str]]:
    """Exit status and lines of a program."""
    done = subprocess.run(
        ["sh", "-s"],
        input=(assign(FLEET_ROOT=str(root), FLEET_GENERATION=generation) + script).encode(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=dict(os.environ) | dict(env or {}),
        check=False,
    )
    return done.returncode, done.stdout.decode(errors="replace").splitlines()


def probed(root: Path) -> Facts:
    """This machine's own facts, with that root."""
    script = f"FLEET_NONCE={NONCE}\n" + assign(FLEET_ROOT=str(root)) + probe_program()
    out = subprocess.run(["sh", "-s"], input=script.encode(), capture_output=True, check=True).stdout
    return parse("here", out, NONCE, time.time())


def program_of(steps: tuple[Step, ...]) -> str:
    return next(step.action.script for step in steps if isinstance(step.action, Run))


def record(root: Path, fingerprint: str) -> dict[str, object]:
    return json.loads((root / "builds" / fingerprint / "BUILD.json").read_text())
