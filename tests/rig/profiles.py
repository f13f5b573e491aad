"""Another machine's files: a profile lays files over all paths, also of /proc and /sys, and takes paths away.

`DIR/over` and `DIR/hide` are read at each boot; README.md says what they may hold.
"""

import contextlib
import glob
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from tests.rig.kernel import MS_NODEV, MS_NOSUID, MS_REC, bind, bind_read_only, detach, make_read_only, mount
from tests.rig.tools import RigError

BIN = "/opt/profile/bin"
STAGE = "/run/over"  # in a host, while it boots: copies of the profile's files
KEPT = ("/", "/dev", "/run", "/usr", "/etc", "/var")
LIST_LINE = re.compile(r"(?m)^(?!#)((?:.*/)?[^/:\n]+):(.*)$")


@dataclass(frozen=True, slots=True)
class Laid:
    """One path that a profile lays over the host's."""

    path: str
    content: bytes  # of a file, or the text of a link
    mode: int | None  # None for a link


def hidden(profile: str | None) -> list[str]:
    """The paths in DIR/hide, one a line; they may hold * and ?."""
    file = Path(profile or "/nonexistent") / "hide"
    lines = file.read_text().splitlines() if file.is_file() else []
    return [path for path in (line.partition("#")[0].strip() for line in lines) if path]


def laid_over(profile: str | None) -> list[Laid]:
    """What DIR/over holds, by path.

    A link that leads out of DIR/over stands for the file it leads to, one that stays inside is
    a link in the host. A file whose name starts with @list holds many small ones: a line
    NAME:TEXT, with no slash in TEXT, is a file NAME beside it that holds TEXT.
    """
    top = os.path.realpath(Path(profile or "/nonexistent") / "over")
    found: list[Laid] = []
    for folder, folders, files in os.walk(top):
        for name in folders + files:
            found += _laid(top, os.path.join(folder, name))
    return sorted(found, key=lambda laid: laid.path)


def check(profile: str, manager: str) -> None:
    hide, over = hidden(profile), laid_over(profile)
    for path in hide:
        if os.path.normpath(path) != path or not path.startswith("/") or path in KEPT:
            raise RigError(f"{profile}/hide: {path!r} is not a path it can take away")
    if manager == "systemd" and {"/proc", "/sys"} & set(hide):
        raise RigError(f"{profile} hides /proc or /sys, and systemd cannot run without")
    for path in (laid.path for laid in over if laid.path.startswith("/proc/")):
        if path.split("/")[2].isdigit() or "/proc" in hide or not os.path.exists(path):
            why = "nothing to lay it over; /proc takes no new names (see README)"
            raise RigError(f"{profile}/over{path}: {why}")


def stage(root: Path, over: list[Laid]) -> None:
    """Copy the files into the host while the profile can still be read."""
    folder = root / STAGE[1:]
    folder.mkdir()
    mount("tmpfs", folder, "tmpfs", MS_NOSUID | MS_NODEV, "mode=755")
    for number, laid in enumerate(over):
        if laid.mode:
            (folder / str(number)).write_bytes(laid.content)
            (folder / str(number)).chmod(laid.mode)


def replace(hide: list[str], over: list[Laid]) -> None:
    """Runs in the host's root, so that all links lead to places in the host."""
    fresh: dict[int, str] = {}  # st_dev -> tmpfs that stays writable until all is in place
    for pattern in hide:
        if pattern not in ("/proc", "/sys"):
            for path in sorted(glob.glob(pattern)):
                _hide(path, fresh)
    for number, laid in enumerate(over):
        _lay(laid, f"{STAGE}/{number}", fresh)
    for path in fresh.values():
        make_read_only(path)
    detach(STAGE)
    os.rmdir(STAGE)


def _laid(top: str, path: str) -> list[Laid]:
    inside, real = path[len(top) :], os.path.realpath(path)
    if os.path.islink(path) and real.startswith(top + "/"):
        return [Laid(inside, os.fsencode(os.readlink(path)), None)]
    if os.path.isfile(real) and os.path.basename(inside).startswith("@list"):
        beside = os.path.dirname(inside)
        lines = LIST_LINE.findall(Path(real).read_text())
        return [Laid(os.path.join(beside, name), f"{text}\n".encode(), 0o444) for name, text in lines]
    if os.path.isfile(real):
        return [Laid(inside, Path(real).read_bytes(), 0o555 if os.access(real, os.X_OK) else 0o444)]
    if os.path.islink(path) or not os.path.isdir(path):
        raise RigError(f"{path} is not a file")
    return []


def _hide(path: str, fresh: dict[int, str]) -> None:
    if not path.startswith(("/proc/", "/sys/")):  # leaves a whiteout in the host's layer
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path)
        else:
            os.unlink(path)
    elif os.path.isdir(path):
        _empty(path, fresh)
    else:
        bind_read_only("/dev/null", path)


def _lay(laid: Laid, source: str, fresh: dict[int, str]) -> None:
    above = there = os.path.dirname(laid.path)
    while not os.path.isdir(there):
        there = os.path.dirname(there)
    is_new = not os.path.lexists(laid.path)
    if there.startswith("/sys") and is_new and os.stat(there).st_dev not in fresh:
        _rebuild(there, fresh)
    os.makedirs(above, exist_ok=True)
    if not laid.mode:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(laid.path)
        os.symlink(os.fsdecode(laid.content), laid.path)
    elif not os.path.lexists(laid.path) and os.stat(above).st_dev in fresh:
        shutil.copy(source, laid.path)
    else:
        if not os.path.lexists(laid.path):
            open(laid.path, "x").close()
        bind_read_only(source, laid.path)


def _empty(path: str, fresh: dict[int, str]) -> None:
    mount("tmpfs", path, "tmpfs", MS_NOSUID | MS_NODEV, "mode=755")
    fresh[os.stat(path).st_dev] = path


def _rebuild(path: str, fresh: dict[int, str]) -> None:
    """Make a directory of /sys one that takes new names: a tmpfs with all its entries bound there."""
    old = STAGE + "/old"
    os.mkdir(old)
    bind(path, old, MS_REC)
    _empty(path, fresh)
    for entry in sorted(os.scandir(old), key=lambda entry: entry.name):
        new = os.path.join(path, entry.name)
        if entry.is_symlink():
            os.symlink(os.readlink(entry.path), new)
            continue
        if entry.is_dir():
            os.mkdir(new)
        else:
            open(new, "x").close()
        bind(entry.path, new, MS_REC)
    detach(old)
    os.rmdir(old)
