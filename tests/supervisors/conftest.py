"""Every shell of this machine that supervisors have to run under."""

import shutil

import pytest

from tests.servers.values import Place, shim

SHELLS = [name for name in ("dash", "bash", "busybox", "zsh") if shutil.which(name)]


@pytest.fixture(params=SHELLS)
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):
    """A root with a space in its path, cleared of processes afterwards."""
    base = tmp_path_factory.mktemp("p")
    here = Place(base / "f x", shim(base / "sh", request.param))
    here.root.mkdir()
    yield here
    here.clear()
