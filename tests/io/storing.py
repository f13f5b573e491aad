"""Two embedded hosts, a controller, and a file as another program keeps it, for tests of the store."""

import shutil
from pathlib import Path

import pytest

from tests.controller import SMOKE, Controller
from tests.embedded import Embedded, EmbeddedHost
from tests.inside import Inside
from tests.live.sites import digest

SHA = digest(SMOKE)
SIZE = SMOKE.stat().st_size
TINY = {"source": f"file:{SMOKE}", "sha256": SHA}
WANTED = {"chat": {"model": "tiny", "on": ["h1"]}}
NOBODY: dict[str, dict[str, object]] = {}


@pytest.fixture(scope="module")
def hosts(embedded: Embedded) -> dict[str, EmbeddedHost]:
    return embedded.up(["h1", "h2"])


@pytest.fixture
def home(hosts: dict[str, EmbeddedHost]) -> Path:
    """Of h1; both hosts hold nothing."""
    for host in hosts.values():
        shutil.rmtree(host.home)
        host.home.mkdir()
    return hosts["h1"].home


@pytest.fixture
def fleet(tmp_path: Path, capsys: pytest.CaptureFixture[str], hosts: dict[str, EmbeddedHost]) -> Controller:
    controller = Inside(tmp_path / "desk", capsys)
    controller.write(hosts.values(), WANTED, {"tiny": TINY})
    return controller


def root(home: Path) -> Path:
    return home / ".local" / "share" / "fleet"


def held(home: Path) -> Path:
    return root(home) / "models" / SHA / "model.gguf"


def in_hub(home: Path, data: bytes | None = None, name: str = "tiny model's.gguf") -> Path:
    """A file as huggingface_hub keeps it: a link to a blob."""
    repository = home / ".cache" / "huggingface" / "hub" / "models--ada--tiny-GGUF"
    blob = repository / "blobs" / SHA
    blob.parent.mkdir(parents=True)
    blob.write_bytes(SMOKE.read_bytes() if data is None else data)
    snapshot = repository / "snapshots" / ("0" * 40)
    snapshot.mkdir(parents=True)
    (snapshot / name).symlink_to(f"../../blobs/{SHA}")
    return snapshot / name


def entry(ended, name: str = "tiny"):
    return next(one for one in ended.json["models"] if name in one["names"] or one["sha256"] == name)
