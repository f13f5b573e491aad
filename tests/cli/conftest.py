"""A desk of one's own at the command line, and two hosts of the embedded SSH server."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.controller import TINY, Controller
from tests.embedded import Embedded, EmbeddedHost
from tests.inside import Inside

PUSH = {"chat": {"model": "tiny", "on": ["all"]}}


@pytest.fixture
def fleet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Controller:
    return Inside(tmp_path / "desk", capsys)


@pytest.fixture(scope="module")
def hosts(embedded: Embedded) -> dict[str, EmbeddedHost]:
    return embedded.up(["h1", "h2"])


@pytest.fixture
def two(fleet: Controller, hosts: dict[str, EmbeddedHost]) -> Controller:
    """A controller of two hosts that want a model."""
    fleet.write(hosts.values(), PUSH, {"tiny": TINY})
    return fleet


@pytest.fixture
def apart(tmp_path: Path, hosts: dict[str, EmbeddedHost]) -> Controller:
    """As `two`, in processes and with records of its own."""
    controller = Controller(tmp_path / "apart")
    controller.write(hosts.values(), PUSH, {"tiny": TINY})
    return controller


@pytest.fixture
def clean(hosts: dict[str, EmbeddedHost]) -> Iterator[None]:
    """The hosts hold nothing."""
    for host in hosts.values():
        shutil.rmtree(host.home / ".local", ignore_errors=True)
    yield
