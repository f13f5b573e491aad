"""The operator's own machine: clipboard, pager, editor, files that are exported."""

import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

ROUTES = (("pbcopy",), ("wl-copy",), ("xclip", "-selection", "clipboard"))
PATIENCE = 2.0  # seconds for a clipboard program


class Desk:
    """What the dashboard may do on the machine it runs on.

    Args:
        folder: state folder of fleet.
        environ: variables of the process.
    """

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        self.folder = folder
        self._environ = environ

    def copy(self, text: str) -> list[str]:
        """Puts text where it can be pasted from.

        Returns:
            The routes that worked, best first; `yank.txt` is always one of them.
        """
        routes = []
        if self._environ.get("TMUX") and _feed(("tmux", "load-buffer", "-w", "-"), text):
            routes.append("tmux")
        if not self._environ.get("SSH_CONNECTION"):
            for command in ROUTES:
                if shutil.which(command[0]) and _feed(command, text):
                    routes.append(command[0])
                    break
        path = self.save("yank.txt", text)
        return [*routes, str(path)]

    def save(self, name: str, text: str) -> Path:
        """A private file in the state folder, replaced as a whole."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self.folder / name
        handle, temporary = tempfile.mkstemp(dir=self.folder, prefix=f".{name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
            os.replace(temporary, path)
        except OSError:
            Path(temporary).unlink(missing_ok=True)
            raise
        return path

    def read(self, name: str) -> str | None:
        """A file of the state folder; None where it is not there or cannot be read."""
        try:
            return (self.folder / name).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return None

    def page(self, text: str) -> None:
        """Shows text in $PAGER; the terminal has to be free."""
        subprocess.run(self._program("PAGER", "less"), input=text.encode(), check=False)

    def edit(self, path: Path) -> None:
        """Opens a file in $EDITOR; the terminal has to be free."""
        subprocess.run([*self._program("EDITOR", "vi"), str(path)], check=False)

    def _program(self, variable: str, default: str) -> list[str]:
        return shlex.split(self._environ.get(variable) or default)


def _feed(command: tuple[str, ...], text: str) -> bool:
    try:
        done = subprocess.run(
            command,
            input=text.encode(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=PATIENCE,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0
