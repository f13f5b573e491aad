"""Where fleet keeps things on the controller: XDG folders, on macOS the Library."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

from platformdirs import PlatformDirs

from fleet.core.errors import FleetError

# On macOS a host's own root is the folder "fleet" in Application Support; the
# controller's records lie beside it, so that one machine can be both.
MAC_STATE = "fleet-controller"


@dataclass(frozen=True, slots=True)
class SystemFolders:
    state: Path  # journal, pins, keys
    cache: Path  # sources, finished builds, models
    config: Path  # inventory.toml, where none is in the current folder


def find() -> SystemFolders:
    """The folders of this user, made where they are missing, for him alone.

    Raises:
        FleetError: one of them cannot be made or written.
    """
    own = PlatformDirs("fleet", appauthor=False)
    state = PlatformDirs(MAC_STATE, appauthor=False) if sys.platform == "darwin" else own
    folders = SystemFolders(state.user_state_path, own.user_cache_path, own.user_config_path)
    for folder, variable in (
        (folders.state, "XDG_STATE_HOME"),
        (folders.cache, "XDG_CACHE_HOME"),
        (folders.config, "XDG_CONFIG_HOME"),
    ):
        make(folder, variable)
    return folders


def make(folder: Path, variable: str) -> None:
    """A folder that only its owner can enter, if it was not there before."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else "it cannot be made"
        raise FleetError(
            f"fleet keeps its records in {folder}: {reason}",
            next=f"export {variable}=/a/folder/of/yours",
        ) from error
