"""A host with the real llama-server and a tiny model."""

from pathlib import Path

import pytest

from tests.servers.values import PRINT, SHA, SMOKE, Place, shim


@pytest.fixture
def place(tmp_path_factory: pytest.TempPathFactory, llama_server: Path):
    """A root with the real llama-server and a tiny model in it, cleared of processes afterwards."""
    base = tmp_path_factory.mktemp("p")
    here = Place(base / "f x", shim(base / "sh", "sh"))
    (here.root / "builds" / PRINT / "bin").mkdir(parents=True)
    (here.root / "builds" / PRINT / "bin" / "llama-server").symlink_to(llama_server)
    (here.root / "models" / SHA).mkdir(parents=True)
    (here.root / "models" / SHA / "model.gguf").symlink_to(SMOKE)
    yield here
    here.clear()
