"""inventory.toml on the disk: found, read within limits, edited without losing a comment."""

import fcntl
import hashlib
import os
import re
import tempfile
import tomllib
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import tomlkit
from platformdirs import user_config_path
from tomlkit.exceptions import TOMLKitError

from fleet.core.errors import InventoryError
from fleet.core.inventory import Inventory, parse
from fleet.core.text import safe_line
from fleet.io.inventory.shelves import CHECK, judge, options

NAME = "inventory.toml"
CAP = 1 << 20  # bytes of a file
PARTS = 64  # of one dotted key; 20 000 take tomllib 7 s
BOM = b"\xef\xbb\xbf"


def find(option: str | None, env: Mapping[str, str], config: Path | None = None, here: Path = Path()) -> Path:
    """Which file: `--inventory`, FLEET_INVENTORY, ./inventory.toml, the user's config folder.

    Raises:
        InventoryError: none of them; names the places.
    """
    named = option or env.get("FLEET_INVENTORY")
    if named:
        path = Path(named).expanduser()
        if not path.exists():
            raise InventoryError(f"{path}: no such file", next=f"fleet init --inventory {path}")
        return path
    places = (here / NAME, (config or user_config_path("fleet", appauthor=False)) / NAME)
    for path in places:
        if path.exists():
            return path
    looked = ", ".join(str(path) if path.is_absolute() else f"./{path}" for path in places)
    raise InventoryError(f"no inventory found (looked in: {looked})", next="fleet init")


def load(path: Path) -> Inventory:
    """The inventory of a file.

    Raises:
        InventoryError: it cannot be read; names every problem and its key or line.
    """
    return _inventory(_read(path), path)


def document(path: Path) -> dict[str, Any]:
    """The file's TOML as it stands, without defaults and unchecked.

    Raises:
        InventoryError: it is no TOML, or too much of it.
    """
    return _toml(_text(_read(path), path), path)


def edit(path: Path, change: Callable[[tomlkit.TOMLDocument], None]) -> bool:
    """Changes the file through tomlkit: all that is not changed stays byte for byte.

    Args:
        path: a symbolic link stays one; its target is replaced.
        change: edits the document in place; must be fit to run once.

    Returns:
        Whether anything was written.

    Raises:
        InventoryError: the result would be no good inventory, or somebody else changed the
            file in the meantime. Nothing is written then.
    """
    target = path.resolve()
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        with suppress(OSError):  # some network file systems cannot; the hash below still guards
            fcntl.flock(folder, fcntl.LOCK_EX)
        before = _read(path)
        after = _changed(before, path, change)
        if after == before:
            return False
        _inventory(after, path)
        _replace(target, before, after, path)
        os.fsync(folder)
    except OSError as error:
        raise InventoryError(
            f"{path}: {error.strerror}", next=f"look at the rights of {target.parent}"
        ) from error
    finally:
        os.close(folder)
    return True


def _read(path: Path) -> bytes:
    try:
        if not path.is_file():
            what = "no such file" if not path.exists() else "not a file"
            raise InventoryError(f"{path}: {what}", next="fleet init")
        with path.open("rb") as file:
            data = file.read(CAP + 1)
    except OSError as error:
        raise InventoryError(f"{path}: {error.strerror}", next=f"ls -l {path}") from error
    if len(data) > CAP:
        raise InventoryError(f"{path}: larger than 1 MiB", next="look whether it is the right file")
    return data


def _text(data: bytes, path: Path) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise InventoryError(f"{path}: line {line}: not UTF-8", next="save it as UTF-8") from error


def _toml(text: str, path: Path) -> dict[str, Any]:
    _guard(text, path)
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        what, place = str(error), ""
        if match := re.fullmatch(r"(.*) \(at line (\d+), column (\d+)\)", what, re.DOTALL):
            what, place = match[1], f"line {match[2]}, column {match[3]}: "
        elif what.endswith("(at end of document)"):
            what, place = what.removesuffix(" (at end of document)"), "end of file: "
        look = f"look at {place.rstrip(': ')} of {path}"
        raise InventoryError(f"{path}: {place}{safe_line(what)}", next=look) from error
    except RecursionError as error:
        raise InventoryError(
            f"{path}: nested too deeply", next="look whether it is the right file"
        ) from error
    except ValueError as error:  # a number of more than 4300 digits, a date that no calendar has
        raise InventoryError(
            f"{path}: {safe_line(str(error), 200)}", next="look at its numbers and dates"
        ) from error


def _guard(text: str, path: Path) -> None:
    """Refuses keys of so many parts that reading them takes seconds."""
    if text.count(".") < PARTS:
        return
    for number, line in enumerate(text.split("\n"), 1):
        if line.count(".") < PARTS:
            continue
        bare = re.sub(r'"(?:\\.|[^"\\])*+"?|\'[^\']*+\'?', "q", line).partition("#")[0]
        if any(word.count(".") >= PARTS for word in re.findall(r"[\w.-]+", "".join(bare.split()))):
            what = f"line {number}: a key of more than {PARTS} parts"
            raise InventoryError(f"{path}: {what}", next=f"look at line {number} of {path}")


def judged(document: dict[str, Any], path: Path) -> Inventory:
    """The inventory of a document, with what the shelves say about it.

    Raises:
        InventoryError: holds every problem.
    """
    return parse(document, str(path), judge, CHECK, options)


def _inventory(data: bytes, path: Path) -> Inventory:
    return judged(_toml(_text(data, path), path), path)


def _changed(before: bytes, path: Path, change: Callable[[tomlkit.TOMLDocument], None]) -> bytes:
    """The new bytes: same mark, same line endings; new lines end as most of the old do."""
    text = _text(before, path)
    _toml(text, path)
    lines = text.split("\n")
    plain = text.replace("\r\n", "\n")
    if plain and not plain.endswith("\n"):
        plain += "\n"
        lines.append("")
    try:
        wanted = tomlkit.parse(plain)
        if tomlkit.dumps(wanted) != plain:
            raise InventoryError(
                f"{path}: cannot be edited without changing other lines", next=f"edit {path} by hand"
            )
        change(wanted)
        edited = tomlkit.dumps(wanted)
    except TOMLKitError as error:
        raise InventoryError(f"{path}: {safe_line(str(error))}", next=f"edit {path} by hand") from error
    except RecursionError as error:
        raise InventoryError(f"{path}: nested too deeply", next=f"edit {path} by hand") from error
    if edited == plain:
        return before
    mark = BOM if before.startswith(BOM) else b""
    return mark + _endings(lines, edited.split("\n")).encode()


def _endings(old: list[str], new: list[str]) -> str:
    """The new lines, with the endings that the old ones had. The last of each has none."""
    *old, _ = old
    *new, end = new
    returns = sum(line.endswith("\r") for line in old)
    usual = "\r" if returns * 2 > len(old) else ""
    bare = [line.removesuffix("\r") for line in old]
    most = min(len(bare), len(new))
    head = next((i for i in range(most) if bare[i] != new[i]), most)
    tail = next((i for i in range(most - head) if bare[-1 - i] != new[-1 - i]), most - head)
    middle = [line + usual for line in new[head : len(new) - tail]]
    return "\n".join([*old[:head], *middle, *old[len(old) - tail :], end])


def _replace(target: Path, before: bytes, after: bytes, path: Path) -> None:
    """A complete new file in place of the old one, or the old one."""
    status = target.stat()
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(after)
            os.fchmod(file.fileno(), status.st_mode & 0o7777)
            with suppress(PermissionError):
                os.fchown(file.fileno(), status.st_uid, status.st_gid)
            file.flush()
            os.fsync(file.fileno())
        if hashlib.sha256(_read(target)).digest() != hashlib.sha256(before).digest():
            raise InventoryError(
                f"{path}: changed by somebody else in the meantime", next="the same command again"
            )
        os.replace(name, target)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(name)
        raise
