"""Real hosts for tests, and folders of their own.

rig       hosts made of namespaces, as root: rig.up(3, init="systemd")["h1"].reboot()
embedded  hosts on loopback for everyone: embedded.up(3)["h1"].kill()
llama_server  the real one, built by fleet itself
shared    recordings and replayed machines that are not part of the repository
"""

import http.server
import os
import platform
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.controller import BUILD_DEADLINE, Controller, compiling, share_compilations
from tests.embedded import Embedded
from tests.rig.hosts import Rigs

REPOSITORY = Path(__file__).resolve().parents[1]
# How long one example takes, and how long it takes to think of it, is the machine's load and no property.
settings.register_profile("fleet", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("fleet")


@pytest.fixture(scope="session")
def rig() -> Iterator[Rigs]:
    """Starts hosts with `up`; all of them are gone after the last test."""
    if os.geteuid() != 0 or platform.system() != "Linux":
        pytest.skip("needs root on Linux: hosts of their own")
    rigs = Rigs()
    yield rigs
    rigs.down()


@pytest.fixture(scope="session")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedded]:
    """Starts SSH servers of our own on loopback with `up`."""
    hosts = Embedded(tmp_path_factory.mktemp("embedded"))
    yield hosts
    hosts.down()


@pytest.fixture(scope="session")
def llama_server(embedded: Embedded, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The real program, as fleet brings it to a host: built once on this machine, then from the cache."""
    host = embedded.up(["builder"])["builder"]
    share_compilations(host.home)
    controller = Controller(tmp_path_factory.mktemp("builder"))
    controller.write([host], settings={host.name: {"root": str(host.home / "fleet")}})
    with compiling():
        controller.well("build", host.name, "--yes", deadline=BUILD_DEADLINE)
    (found,) = (host.home / "fleet" / "builds").glob("*/bin/llama-server")
    return found


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with recordings, beside the repository or named by FLEET_SHARED."""
    folder = Path(os.environ.get("FLEET_SHARED", REPOSITORY.parent / "shared"))
    if not folder.is_dir():
        pytest.skip(f"needs the recordings in {folder}")
    return folder


@pytest.fixture(scope="session", autouse=True)
def folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Path]]:
    """State and config of this session alone, in the environment of all its programs.

    The cache is the user's own: what llama.cpp's build costs is paid once per machine.
    """
    top = tmp_path_factory.mktemp("xdg")
    ours = {name: top / name for name in ("XDG_STATE_HOME", "XDG_CONFIG_HOME")}
    before = dict(os.environ)
    for name, folder in ours.items():
        folder.mkdir(mode=0o700)
        os.environ[name] = str(folder)
    for name in [name for name in os.environ if name.startswith("FLEET_") and name != "FLEET_SHARED"]:
        del os.environ[name]
    yield ours
    os.environ.clear()
    os.environ.update(before)
    shutil.rmtree(top, ignore_errors=True)


@pytest.fixture
def web(tmp_path):
    """A real web server on loopback for the files of a folder."""
    folder = tmp_path / "web"
    folder.mkdir()

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *argv, **keys):
            super().__init__(*argv, directory=str(folder), **keys)

        def log_message(self, *argv):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield folder, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()
