"""What several tests of models on the controller share."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.controller import Controller
from tests.io.controllers import GGUF, Here
from tests.io.hubs import ModelHub, Repo

if TYPE_CHECKING:
    from tests.io.buckets import Storage


@pytest.fixture
def here(tmp_path: Path) -> Here:
    """A controller with an empty inventory's folder."""
    (tmp_path / "inventory").mkdir()
    return Here(tmp_path / "inventory", tmp_path / "state", tmp_path / "cache", tmp_path / "config")


@pytest.fixture
def hub(here: Here) -> Iterator[ModelHub]:
    """A model hub that `here` asks, with one repository."""
    running = ModelHub()
    files = {"Tiny-Q8_0.gguf": b"GGUF8", "Tiny-Q4_K_M.gguf": GGUF, "mmproj-Tiny-Q4_K_M.gguf": b"GGUFm"}
    running.repos["acme/Tiny-GGUF"] = Repo(files)
    here.environ["HF_ENDPOINT"] = running.url
    yield running
    running.close()


@pytest.fixture(scope="session")
def s3_server() -> Iterator["Storage"]:
    from tests.io.buckets import Storage  # boto3 is loaded where it is needed

    running = Storage()
    yield running
    running.close()


@pytest.fixture
def storage(s3_server: "Storage") -> "Storage":
    """An S3 server with one bucket and one object."""
    s3_server.reset()
    s3_server.put("tiny/tiny-Q4_K_M.gguf", GGUF)
    return s3_server


@pytest.fixture
def s3(tmp_path: Path, storage: "Storage") -> Controller:
    """A controller whose only model lies in that bucket, and who may read it."""
    from tests.io.buckets import SOURCE, environment, write

    made = Controller(tmp_path, cache=tmp_path / "cache")
    for name in [name for name in made.env if name.startswith("AWS_")]:
        del made.env[name]
    made.env |= {"HOME": str(tmp_path)} | environment(storage)
    write(made, SOURCE)
    return made


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MiB."""
    if os.geteuid() or sys.platform != "linux":
        pytest.skip("needs root on Linux: a disk of its own")
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "fleet-test", folder], check=True)
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)
