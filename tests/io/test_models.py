"""Model files on the controller: on its disks."""

import os
import tomllib
from pathlib import Path

import pytest

from fleet.core.errors import FleetError, InventoryError, PlanError
from tests.io.controllers import GGUF, SHA256, Here


@pytest.fixture
def here(tmp_path) -> Here:
    (tmp_path / "inventory").mkdir()
    return Here(tmp_path / "inventory", tmp_path / "state", tmp_path / "cache", tmp_path / "config")


@pytest.fixture
def file(here) -> Path:
    path = here.base / "a 'tiny' módel.gguf"
    path.write_bytes(GGUF)
    return path


async def test_a_file_is_used_where_it_is(here, file):
    found = await here.find(f"file:{file.name}")
    assert (found.kind, found.id, found.name, found.size) == ("model", SHA256, "tiny", len(GGUF))
    assert await here.path() == file
    assert here.kept() == []


async def test_a_file_is_hashed_once_and_again_when_it_changed(here, file):
    await here.find(f"file:{file}", None, unpinned=True)
    lock = here.state / "models.lock"
    lock.write_text(lock.read_text().replace(SHA256, "1" * 64))
    assert (await here.find(f"file:{file}", None, unpinned=True)).id == "1" * 64  # remembered, not read
    os.utime(file, ns=(1, 1))
    assert (await here.find(f"file:{file}", None, unpinned=True)).id == SHA256


async def test_an_unpinned_file_says_how_to_pin_it_once(here, file):
    for _ in range(2):
        await here.find(f"file:{file}", None, unpinned=True)
    assert here.said == [f'model tiny: pin it under [models."tiny"]: sha256 = "{SHA256}"']


async def test_a_file_without_a_pin_is_refused_with_the_line_that_pins_it(here, file):
    with pytest.raises(InventoryError, match="model tiny: it has no sha256") as caught:
        await here.find(f"file:{file}", None)
    assert caught.value.next == f'sha256 = "{SHA256}"'


async def test_what_changes_between_finding_and_sending_is_noticed(here, file):
    await here.find(f"file:{file}", None, unpinned=True)
    file.write_bytes(GGUF + b"more")
    with pytest.raises(FleetError, match="was changed a moment ago"):
        await here.path()


@pytest.mark.parametrize("damage", ["", "[", "files = 3", '[files."x"]\nsha256 = 3', "a = " + "[" * 5000])
async def test_a_damaged_memory_is_forgotten(here, file, damage):
    here.state.mkdir()
    (here.state / "models.lock").write_text(damage)
    assert (await here.find(f"file:{file}")).id == SHA256
    assert tomllib.loads((here.state / "models.lock").read_text())["files"]


@pytest.mark.parametrize(
    ("content", "what", "following"),
    [
        (GGUF[:-40], "the model is cut off", "download the model again"),
        (GGUF[:500], "the model is cut off inside its header", "download the model again"),
        (b"", "not a GGUF file: it has 0 bytes", "name a .gguf file"),
        (b"<html>Sign in</html>", "not a GGUF file", "web page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:x\n", "not a GGUF file", "git lfs pull"),
        (GGUF + b"x", "wanted is", "put the published file there"),
        (None, "there is no file", "correct its source"),
    ],
)
async def test_a_wrong_file_is_one_sentence(here, file, content, what, following):
    if content is None:
        file.unlink()
    else:
        file.write_bytes(content)
    with pytest.raises(PlanError) as caught:
        await here.find(f"file:{file}")
    assert caught.value.what.startswith("model tiny: ")
    assert what in caught.value.what
    assert following in caught.value.next
    assert caught.value.exit_code == 6


@pytest.mark.parametrize(("path", "what"), [(".", "is a folder"), ("/dev/null", "is not a file")])
async def test_what_is_no_file_is_refused(here, path, what):
    with pytest.raises(PlanError, match=what):
        await here.find(f"file:{path}")
