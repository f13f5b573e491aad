"""`fleet.lock` beside the inventory: what each source that moves was resolved to.

A source of a model hub stands under `models`, one of another kind under `fixed`, a repository that models
are converted from under `origins`. What stands there is never asked for again, so that all machines that
share the two files serve the same bytes. Only fleet writes it.
"""

import os
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Any

import tomli_w

from fleet.core.errors import FleetError, InventoryError
from fleet.core.text import HOSTILE
from fleet.io.ssh import pins
from fleet.models import splits
from fleet.models.fixed import Fixed, fixed
from fleet.models.hub import COMMIT, LARGEST, SHA256, Pinned
from fleet.sources.huggingface import is_path

NAME = "fleet.lock"
SCHEMA = "fleet.lock/1"
CAP = 4 << 20  # bytes of the file
HEAD = b"# Written by fleet. Keep it beside the inventory; fleet models pin NAME renews an entry.\n"


def path_of(folder: Path) -> Path:
    return folder / NAME


def read(path: Path) -> dict[str, Pinned]:
    """What is pinned of model hubs, by source; empty where there is no file.

    Raises:
        InventoryError: it cannot be read, or is of another kind. To forget it would be to take
            whatever the hub holds today.
    """
    return {source: _pinned(path, source, entry) for source, entry in _tables(path)["models"].items()}


def read_fixed(path: Path) -> dict[str, Fixed]:
    """What is pinned of other sources. Raises as read."""
    found = {source: fixed(entry) for source, entry in _tables(path)["fixed"].items()}
    for source, entry in found.items():
        if entry is None:
            raise _damaged(path, f"{source!r} has no good sha256, size and marks")
    return {source: entry for source, entry in found.items() if entry is not None}


def read_origins(path: Path) -> dict[str, str]:
    """The commits of repositories that models are converted from, by source. Raises as read."""
    found: dict[str, str] = {}
    for source, entry in _tables(path)["origins"].items():
        commit = entry.get("commit") if isinstance(entry, dict) else None
        if not isinstance(commit, str) or not COMMIT.fullmatch(commit):
            raise _damaged(path, f"{source!r} has no good commit")
        found[source] = commit
    return found


def write(path: Path, pinned: dict[str, Pinned]) -> None:
    """Replaces what is pinned of model hubs, in the order of the sources; the same pins are the same bytes.

    Raises:
        FleetError: it cannot be written.
    """
    _write(path, _tables(path) | {"models": {name: one.document() for name, one in pinned.items()}})


def write_fixed(path: Path, found: dict[str, Fixed]) -> None:
    """Replaces what is pinned of other sources. Raises as write."""
    _write(path, _tables(path) | {"fixed": {name: one.document() for name, one in found.items()}})


def write_origins(path: Path, found: dict[str, str]) -> None:
    """Replaces what is pinned of repositories that models are converted from. Raises as write."""
    _write(path, _tables(path) | {"origins": {name: {"commit": one} for name, one in found.items()}})


def _tables(path: Path) -> dict[str, dict[str, Any]]:
    try:
        with open(path, "rb") as file:
            data = file.read(CAP + 1)
    except FileNotFoundError:
        return {"models": {}, "fixed": {}, "origins": {}}
    except OSError as error:
        raise InventoryError(f"{path}: {os.strerror(error.errno or 0)}", next=f"ls -l {path}") from error
    try:
        document = tomllib.loads(data.decode()) if len(data) <= CAP else {}
    except (ValueError, RecursionError):
        document = {}
    found = {name: document.get(name, {}) for name in ("fixed", "origins")} | {
        "models": document.get("models")
    }
    if document.get("schema") != SCHEMA or not all(isinstance(table, dict) for table in found.values()):
        raise _damaged(path, "it is not one that this fleet writes")
    return found


def _write(path: Path, tables: dict[str, dict[str, Any]]) -> None:
    document: dict[str, Any] = {"schema": SCHEMA, "models": dict(sorted(tables["models"].items()))}
    for name in ("fixed", "origins"):
        if tables[name]:
            document[name] = dict(sorted(tables[name].items()))
    try:
        pins.replace(path, HEAD + tomli_w.dumps(document).encode())
        path.chmod(0o644)  # it holds no secret, and others read it with the inventory
    except OSError as error:
        raise FleetError(
            f"what was pinned cannot be written to {path}: {os.strerror(error.errno or 0)}",
            next=f"look at the rights of {path.parent}",
        ) from error


def _pinned(path: Path, source: str, entry: Any) -> Pinned:
    if not isinstance(entry, dict):
        raise _damaged(path, f"{source!r} is no table")
    rest = entry.get("rest", [])
    if not isinstance(rest, list) or len(rest) >= splits.MOST:
        raise _damaged(path, f"the further files of {source!r} are no list")
    more = tuple(_file(path, source, entry | each if isinstance(each, dict) else each) for each in rest)
    return replace(_file(path, source, entry), rest=more)


def _file(path: Path, source: str, entry: Any) -> Pinned:
    """One file of a model."""
    if not isinstance(entry, dict):
        raise _damaged(path, f"the further files of {source!r} are no tables")
    commit, file, size, sha256 = (entry.get(key) for key in ("commit", "file", "size", "sha256"))
    is_good = (
        isinstance(commit, str)
        and COMMIT.fullmatch(commit)
        and isinstance(file, str)
        and is_path(file)
        and not HOSTILE.search(file)
        and type(size) is int
        and 0 < size < LARGEST
        and isinstance(sha256, str)
        and SHA256.fullmatch(sha256)
    )
    if not is_good:
        raise _damaged(path, f"{source!r} has no good commit, file, size and sha256")
    return Pinned(str(commit), str(file), int(size or 0), str(sha256))


def _damaged(path: Path, what: str) -> InventoryError:
    return InventoryError(
        f"{path}: {what}",
        next=f"git checkout {path}, or mv {path} {path}.broken to pin all models anew",
    )
