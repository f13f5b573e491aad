import os
import shutil
import signal
from pathlib import Path

import pytest

from tests.servers.values import Place, shim

SHELLS = [name for name in ("dash", "bash", "busybox", "zsh") if shutil.which(name)]


@pytest.fixture(scope="session")
def llama_server() -> Path:
    """The real program: LLAMA_SERVER, or the one that is installed."""
    found = os.environ.get("LLAMA_SERVER") or shutil.which("llama-server")
    if not found:
        pytest.skip("needs llama-server: set LLAMA_SERVER to a built one")
    return Path(found)


@pytest.fixture(params=SHELLS)
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):
    """A root with a space in its path, cleared of processes afterwards."""
    base = tmp_path_factory.mktemp("p")
    here = Place(base / "f x", shim(base / "sh", request.param))
    here.root.mkdir()
    yield here
    for line in here.processes():
        pid = int(line.split()[0])
        if pid != os.getpid():
            os.kill(pid, signal.SIGKILL)
