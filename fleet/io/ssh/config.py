"""Which hosts the user's ssh configuration names."""

import contextlib
import glob
import os
from pathlib import Path

from fleet.core.errors import InventoryError
from fleet.core.ssh_aliases import aliases

CAP = 1 << 20  # bytes of one file
FILES = 100  # that one Include may mean


def listed(config: Path) -> tuple[str, ...]:
    """The aliases of an ssh_config and of the files it includes; none where there is no file.

    Raises:
        InventoryError: it is there and cannot be read.
    """
    if not config.exists():
        return ()
    try:
        return aliases(_read(config), lambda pattern: _included(pattern, config.parent))
    except OSError as error:
        raise InventoryError(f"{config}: {error.strerror}", next=f"ls -l {config}") from error


def _read(path: Path) -> str:
    if not path.is_file():
        return ""
    with path.open("rb") as file:
        return file.read(CAP).decode("utf-8", "replace")


def _included(pattern: str, folder: Path) -> list[str]:
    """Texts of the files an Include means; relative to the folder of the configuration."""
    whole = os.path.join(folder, os.path.expanduser(pattern))
    texts = []
    for name in sorted(glob.glob(whole))[:FILES]:
        with contextlib.suppress(OSError):
            texts.append(_read(Path(name)))
    return texts
