"""Where the recorded machines lie, as the rig can use them."""

import os
import shutil
from pathlib import Path

SHARED = Path(os.environ.get("FLEET_SHARED", Path(__file__).resolve().parents[3] / "shared"))
RECORDINGS = SHARED / "recordings" / "hardware"
MACHINES = SHARED / "machines"


def names() -> list[str]:
    return sorted(path.parent.name for path in MACHINES.glob("*/expected.json"))


def restored(name: str, target: Path) -> Path:
    """A copy of a machine's folder without links.

    Where the folder came through a system that has none, a link is a short file that
    holds the path it should lead to, and programs lost their mode.
    """
    source = MACHINES / name
    for path in sorted(source.rglob("*")):
        copy = target / name / path.relative_to(source)
        if path.is_dir():
            copy.mkdir(parents=True, exist_ok=True)
            continue
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(led_to(path), copy)
        is_program = copy.parent.name == "bin" or copy.name == "replay"
        copy.chmod(0o755 if is_program else 0o644)
    return target / name


def led_to(path: Path) -> Path:
    path = path.resolve()
    while path.stat().st_size < 300:
        words = path.read_bytes()
        if b"\n" in words or b"\0" in words or not words.strip():
            return path
        there = path.parent / words.decode("utf-8", "replace")
        if not there.is_file() or there.resolve() == path:
            return path
        path = there.resolve()
    return path
