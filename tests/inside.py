"""A controller that runs commands in this process, which saves their imports."""

import contextlib
import os
from pathlib import Path

import pytest

from fleet.cli import run
from tests.controller import Controller, Ended


class Inside(Controller):
    """Its records are those of the session, for the processes that it starts too."""

    def __init__(self, folder: Path, captured: pytest.CaptureFixture[str]) -> None:
        super().__init__(folder)
        self.captured = captured
        self.state = Path(os.environ["XDG_STATE_HOME"])
        self.env["XDG_STATE_HOME"] = str(self.state)

    def __call__(self, *words: str, deadline: float = 0, stdin: str = "") -> Ended:
        self.captured.readouterr()
        with contextlib.chdir(self.folder):
            code = run(words)
        out, err = self.captured.readouterr()
        return Ended(code, out, err)
