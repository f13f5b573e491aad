"""Model files on the controller: on its disks."""

import os
import struct
import tomllib
from pathlib import Path

import pytest

from fleet.core.errors import FleetError, InventoryError, PlanError
from fleet.core.inventory import Model
from tests.io.controllers import GGUF, SHA256


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


@pytest.mark.parametrize(
    "name", ["a 'b' \"c\".gguf", "módèl 模型.gguf", "$(touch x) `y`.gguf", "./-m.gguf", "100%.gguf"]
)
async def test_a_name_may_hold_all_that_a_line_of_the_inventory_can(here, name):
    (here.base / name).write_bytes(GGUF)
    assert (await here.find(f"file:{name}")).size == len(GGUF)
    assert (await here.path()).name == name.removeprefix("./")


def test_a_name_with_a_newline_is_refused_where_it_is_written(here):
    with pytest.raises(ValueError, match="a line of text without control characters"):
        Model(source="file:a\nb.gguf")


async def test_a_link_is_the_file_that_it_leads_to(here, file):
    (here.base / "link.gguf").symlink_to(file.name)
    assert (await here.find("file:link.gguf")).id == SHA256
    (here.base / "gone.gguf").symlink_to("nowhere")
    with pytest.raises(PlanError, match="there is no file"):
        await here.find("file:gone.gguf")
    (here.base / "loop.gguf").symlink_to("loop.gguf")
    with pytest.raises(FleetError, match="symbolic links") as caught:
        await here.find("file:loop.gguf")
    assert caught.value.next.startswith("ls -l ")


async def test_a_link_that_is_turned_to_other_bytes_is_noticed(here, file):
    (here.base / "other.gguf").write_bytes(GGUF + b"more")
    (here.base / "link.gguf").symlink_to(file.name)
    await here.find("file:link.gguf", None, unpinned=True)
    (here.base / "link.gguf").unlink()
    (here.base / "link.gguf").symlink_to("other.gguf")
    with pytest.raises(FleetError, match="was changed a moment ago"):
        await here.path()


BOMBS = {
    "tensors": (0, 1 << 62, 0),
    "keys": (1 << 62, 0, 0),
    "a long key": (1, 0, 1 << 62),
    "a key of 1 GiB": (1, 0, 1 << 30),
}


@pytest.mark.parametrize(("keys", "tensors", "length"), BOMBS.values(), ids=BOMBS)
async def test_a_header_that_claims_more_than_any_model_has_is_one_sentence(here, keys, tensors, length):
    file = here.base / "bomb.gguf"
    file.write_bytes(b"GGUF" + struct.pack("<IQQQ", 3, tensors, keys, length) + bytes(100))
    with pytest.raises(PlanError) as caught:
        await here.find(f"file:{file.name}")
    assert caught.value.next
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
