"""Models of several files on the controller."""

import json
import shutil

import pytest

from fleet.core.errors import FleetError, InventoryError, PlanError
from fleet.core.inventory import Model
from fleet.io.models import headers
from fleet.io.models import search as model_search
from fleet.models.splits import set_id
from fleet.sources.base import Local
from tests.io.controllers import GGUF, Here
from tests.io.hubs import ModelHub, Repo
from tests.live.sites import digest
from tests.parts import SMOKE, split


@pytest.fixture
def here(tmp_path) -> Here:
    (tmp_path / "inventory").mkdir()
    return Here(tmp_path / "inventory", tmp_path / "state", tmp_path / "cache", tmp_path / "config")


@pytest.fixture
def hub(here):
    server = ModelHub()
    here.environ["HF_ENDPOINT"] = server.url
    yield server
    server.close()


async def find(here: Here, source: str, **values: object):
    here.model = Model(source=source, **values)
    return await model_search.find("big", here.model, here.base, here, here.access, here.said.append)


async def paths(here: Here, found) -> list[str]:
    return [
        str(
            await model_search.path(
                "big", here.model, file, here.base, here, here.access, here.said.append, number
            )
        )
        for number, file in enumerate(found.parts)
    ]


async def test_the_further_files_are_found_beside_the_first(here):
    files = split(here.base)
    hashes = [digest(file) for file in files]
    found = await find(here, f"file:{files[0].name}", parts=hashes)
    assert (found.id, [part.id for part in found.parts]) == (set_id(hashes), hashes)
    assert found.size == sum(file.stat().st_size for file in files)
    assert await paths(here, found) == [str(file) for file in files]


async def test_an_unpinned_model_of_several_files_says_the_line_that_pins_all(here):
    files = split(here.base)
    line = f"parts = {json.dumps([digest(file) for file in files])}"
    with pytest.raises(InventoryError, match="model big: its files have no sha256") as caught:
        await find(here, f"file:{files[0].name}")
    assert caught.value.next == line
    await find(here, f"file:{files[0].name}", allow_unpinned=True)
    assert here.said == [f'model big: pin it under [models."big"]: {line}']


async def test_one_hash_does_not_pin_several_files(here):
    files = split(here.base)
    with pytest.raises(PlanError, match="it has 3 files, and one sha256"):
        await find(here, f"file:{files[0].name}", sha256=digest(files[0]))
    with pytest.raises(PlanError, match="has 3 files, and 2 parts in the inventory"):
        await find(here, f"file:{files[0].name}", parts=[digest(file) for file in files[:2]])


def missing(files, base):
    files[1].unlink()


def swapped(files, base):
    first, second = files[1].read_bytes(), files[2].read_bytes()
    files[1].write_bytes(second)
    files[2].write_bytes(first)


def empty(files, base):
    files[2].write_bytes(b"")


def whole(files, base):
    files[0].write_bytes(GGUF)


def linked(files, base):
    files[1].unlink()
    files[1].mkdir()


@pytest.mark.parametrize(
    ("harm", "what"),
    [
        (missing, r"part 2 of 3: there is no file .*tiny-00002-of-00003\.gguf"),
        (swapped, "part 2 of 3: its name says part 2 of 3, its header says part 3 of 3"),
        (empty, "part 3 of 3: not a GGUF file: it has 0 bytes"),
        (whole, "part 1 of 3: its name says part 1 of 3, its header says a whole model"),
        (linked, r"part 2 of 3: .* is a folder"),
    ],
)
async def test_a_file_that_is_missing_or_another_ones_is_named(here, harm, what):
    files = split(here.base)
    harm(files, here.base)
    with pytest.raises(PlanError, match=f"model big: {what}"):
        await find(here, f"file:{files[0].name}", allow_unpinned=True)


async def test_a_second_file_of_another_model_is_seen_before_anything_moves(here):
    """Its name, its number and its count are right; it holds other tensors."""
    files = split(here.base)
    (here.base / "other").mkdir()
    shutil.copy(split(here.base / "other", most=4)[1], files[1])
    with pytest.raises(PlanError, match="its 3 files hold 11 tensors, the model has 12"):
        await headers._at(Local(files[0].name), here.base, "big", None)


async def test_five_are_named_and_three_are_there(here):
    for number, file in enumerate(split(here.base), 1):
        file.rename(here.base / f"m-{number:05}-of-00005.gguf")
    with pytest.raises(PlanError, match=r"part 4 of 5: there is no file"):
        await find(here, "file:m-00001-of-00005.gguf", allow_unpinned=True)


@pytest.mark.parametrize(
    "name",
    ["m-00001-of-99999.gguf", "m-00000-of-00003.gguf", "m-00009-of-00003.gguf", "m-00001-of-00000.gguf"],
)
async def test_a_name_that_no_part_has_is_refused(here, name):
    with pytest.raises(PlanError, match="a model has at most 512 files"):
        await find(here, f"file:{name}", allow_unpinned=True)


async def test_a_part_under_another_name_is_refused(here):
    files = split(here.base)
    files[0].rename(here.base / "m.gguf")
    with pytest.raises(PlanError, match="it is one of 3 files of a split model") as caught:
        await find(here, "file:m.gguf", allow_unpinned=True)
    assert caught.value.next == "name the file that ends in -00001-of-00003.gguf"


async def test_a_hub_names_all_files_and_the_second_look_asks_nobody(here, hub, tmp_path):
    files = split(tmp_path, "m-Q8_0")
    listed = {f"Q8_0/{file.name}": file.read_bytes() for file in files}
    listed |= {"mmproj-F16.gguf": b"x", "imatrix.gguf": b"y", "README.gguf.md": b"z"}
    hub.repos["acme/big"] = Repo(listed)
    found = await find(here, "hf:acme/big:Q8_0")
    assert [part.id for part in found.parts] == [digest(file) for file in files]
    lock = (here.base / "fleet.lock").read_text()
    assert lock.count("sha256") == 3
    assert hub.storage.sent == 0
    got = await paths(here, found)
    assert [digest(file) for file in files] == [path.rpartition("/")[2].removesuffix(".gguf") for path in got]
    asked = len(hub.asked)
    assert await find(here, "hf:acme/big:Q8_0") == found
    assert len(hub.asked) == asked


async def test_a_hub_whose_second_file_is_another_ones_is_caught_when_it_is_fetched(here, hub, tmp_path):
    files = split(tmp_path, "m-Q8_0")
    listed = {file.name: file.read_bytes() for file in files}
    listed[files[1].name] = SMOKE.read_bytes()
    hub.repos["acme/big"] = Repo(listed)
    found = await find(here, "hf:acme/big:Q8_0")
    with pytest.raises(FleetError, match="model big: part 2 of 3: its name says part 2 of 3"):
        await paths(here, found)
    assert sorted(here.kept()) == [f"{digest(files[0])}.gguf"]


async def test_the_further_files_of_an_address_follow_from_its_first(here, hub, tmp_path):
    files = split(tmp_path)
    hub.storage.blobs |= {file.name: file.read_bytes() for file in files}
    source = f"url:{hub.storage.url}/{files[0].name}?download=true"
    with pytest.raises(InventoryError, match="part 1 of 3: it has no sha256") as caught:
        await find(here, source)
    assert caught.value.next.startswith("parts = [the published ones]")
    hashes = [digest(file) for file in files]
    found = await find(here, source, parts=hashes)
    assert [part.id for part in found.parts] == hashes
    await paths(here, found)
    assert here.kept() == sorted(f"{sha256}.gguf" for sha256 in hashes)
    with pytest.raises(FleetError, match=r"part 2 of 3: .* has the sha256"):
        await paths(here, await find(here, source, parts=[hashes[0], "0" * 64, hashes[2]]))
