"""Models of an Ollama registry over real HTTP: pinned, fetched, refused."""

import json
import tomllib

import pytest

from fleet.core.errors import FleetError, InventoryError, PlanError, ProbeError
from tests.controller import Controller
from tests.io.controllers import GGUF, OTHER, SHA256, Here
from tests.io.registries import Registry, layer

SOURCE = "ollama:tiny:1b"


@pytest.fixture
def registry():
    running = Registry()
    running.digest = running.put("library/tiny:1b", model=GGUF, template=b"{{ .Prompt }}")
    yield running
    running.close()


@pytest.fixture
def here(tmp_path, registry) -> Here:
    (tmp_path / "inventory").mkdir()
    made = Here(tmp_path / "inventory", tmp_path / "state", tmp_path / "cache", tmp_path / "config")
    made.environ["FLEET_OLLAMA"] = registry.url
    return made


def locked(here: Here) -> dict:
    return tomllib.loads((here.base / "fleet.lock").read_text())["fixed"]


async def test_the_first_use_pins_the_manifest_and_the_layer_that_is_the_model(here, registry):
    found = await here.find(SOURCE, None)
    assert (found.id, found.size) == (SHA256, len(GGUF))
    marks = {"manifest": f"sha256:{registry.digest}"}
    assert locked(here) == {SOURCE: {"sha256": SHA256, "size": len(GGUF), "marks": marks}}
    assert registry.storage.sent == 0
    assert here.said[0].startswith("model tiny: pinned in fleet.lock: ollama:tiny:1b, manifest ")


async def test_the_layer_is_fetched_by_its_hash_and_verified(here, registry):
    await here.find(SOURCE, None)
    assert (await here.path()).read_bytes() == GGUF
    assert registry.asked[-1].path == f"/v2/library/tiny/blobs/sha256:{SHA256}"
    assert here.kept() == [f"{SHA256}.gguf"]


async def test_a_tag_that_moves_is_not_taken_until_it_is_asked_for(here, registry):
    await here.find(SOURCE, None)
    registry.put("library/tiny:1b", model=GGUF + b"new")
    assert (await here.find(SOURCE, None)).id == SHA256
    assert (await here.path()).read_bytes() == GGUF


async def test_without_the_registry_the_lock_and_the_cache_are_enough(here, registry):
    await here.find(SOURCE, None)
    await here.path()
    registry.close()
    assert (await here.find(SOURCE, None)).size == len(GGUF)
    assert (await here.path()).read_bytes() == GGUF


async def test_files_beside_the_model_are_named_with_the_source_that_takes_them(here, registry):
    registry.put("acme/seer:latest", model=GGUF, projector=b"GGUFp", adapter=b"GGUFa")
    await here.find("ollama:acme/seer", None)
    told = "\n".join(here.said)
    assert "it has a projector of 5 B, sha256 " in told
    assert "it has a adapter of 5 B" not in told
    assert "it has an adapter of 5 B, sha256 " in told
    assert f'source = "url:{registry.url}/v2/acme/seer/blobs/sha256:' in told


async def test_another_hash_than_the_inventory_wants_is_refused_before_a_byte_moves(here, registry):
    with pytest.raises(PlanError, match="the inventory wants 0000") as caught:
        await here.find(SOURCE, OTHER)
    assert caught.value.kind == "wrong-sha256"
    assert registry.storage.asked == []


async def test_other_bytes_under_a_hash_are_never_kept(here, registry):
    await here.find(SOURCE, None)
    registry.storage.blobs[SHA256] = GGUF[:-1] + b"!"
    with pytest.raises(PlanError, match="has the sha256 "):
        await here.path()
    assert here.kept() == []


async def test_a_layer_of_another_length_is_refused_before_it_is_fetched(here, registry):
    await here.find(SOURCE, None)
    registry.storage.blobs[SHA256] = GGUF + b"more"
    with pytest.raises(PlanError, match="it should have"):
        await here.path()
    assert here.kept() == []


async def test_a_layer_that_is_gone_says_how_to_pin_anew(here, registry):
    await here.find(SOURCE, None)
    registry.storage.blobs.clear()
    with pytest.raises(PlanError, match="is not there any more") as caught:
        await here.path()
    assert caught.value.next.startswith("fleet models pin ")


@pytest.mark.parametrize(
    ("status", "headers", "what"),
    [
        (404, {}, "has no model ollama:tiny:1b"),
        (401, {"WWW_Authenticate": "Bearer realm=x"}, "does not show ollama:tiny:1b"),
        (429, {"Retry_After": "9"}, "too many questions"),
        (500, {}, "answered 500"),
        (302, {"Location": "/v2/library/tiny/manifests/1b"}, "in circles"),
    ],
)
async def test_a_registry_that_refuses_is_one_sentence(here, registry, status, headers, what):
    registry.raw = (status, b"", headers)
    with pytest.raises(FleetError, match=what) as caught:
        await here.find(SOURCE, None)
    assert caught.value.next
    assert not (here.base / "fleet.lock").exists()


@pytest.mark.parametrize(
    "body",
    [
        b"", b"<html>", b"[]", b"null", b"{}", b"[" * 100_000, b'{"layers": 3}', b'{"layers": {}}',
        json.dumps({"layers": [layer("model", GGUF)] * 1001}).encode(),
    ],
    ids=lambda body: body[:12].decode(),
)  # fmt: skip
async def test_an_answer_that_is_no_manifest_is_one_sentence(here, registry, body):
    registry.raw = (200, body, {})
    with pytest.raises(ProbeError, match="is no manifest"):
        await here.find(SOURCE, None)


async def test_an_endless_manifest_is_left(here, registry):
    registry.raw = (200, b" " * (2 << 20), {})
    with pytest.raises(FleetError, match="more than 1 MiB"):
        await here.find(SOURCE, None)


@pytest.mark.parametrize(
    ("layers", "what"),
    [
        ([], "holds no GGUF file"),
        ([layer("tensor; name=x", b"x")], "tensors of another format"),
        ([layer("model", b"a"), layer("model", b"b")], "holds 2 GGUF files"),
        ([{**layer("model", b"a"), "digest": "sha256:../../x"}], "holds no GGUF file"),
        ([{**layer("model", b"a"), "size": -1}], "holds no GGUF file"),
        ([{**layer("model", b"a"), "size": True}], "holds no GGUF file"),
        (["x", None, [], {"mediaType": 3}], "holds no GGUF file"),
    ],
)
async def test_a_manifest_without_one_model_is_refused(here, registry, layers, what):
    registry.raw = (200, json.dumps({"layers": layers}).encode(), {})
    with pytest.raises(PlanError, match=what):
        await here.find(SOURCE, None)


@pytest.mark.parametrize(
    "entry",
    ["3", '{sha256 = "x", size = 3}', '{sha256 = "SHA", size = 0}', '{sha256 = "SHA", size = 3, marks = 3}'],
)  # fmt: skip
async def test_a_damaged_entry_is_not_taken_for_none(here, registry, entry):
    text = f'schema = "fleet.lock/1"\n[models]\n[fixed]\n"{SOURCE}" = {entry.replace("SHA", SHA256)}\n'
    (here.base / "fleet.lock").write_text(text)
    with pytest.raises(InventoryError, match="no good sha256"):
        await here.find(SOURCE, None)
    assert registry.asked == []


@pytest.fixture
def fleet(tmp_path, registry):
    made = Controller(tmp_path, cache=tmp_path / "cache")
    made.inventory.write_text(
        f'[defaults]\nollama = "{registry.url}"\n\n[models.tiny]\nsource = "{SOURCE}"\n'
        f'[hosts.here]\ntransport = "local"\nroot = "{tmp_path}/root"\n'
    )
    return made


def test_pin_takes_what_the_tag_means_today(fleet, registry):
    first = fleet.well("models", "pin", "tiny", "--json").json["model"]
    assert (first["sha256"], first["bytes"], first["changed"]) == (SHA256, len(GGUF), True)
    assert "nothing to do" in fleet.well("models", "pin", "tiny").out
    digest = registry.put("library/tiny:1b", model=GGUF + b"new")
    assert f"ollama:tiny:1b at manifest {digest[:12]}" in fleet.well("models", "pin", "tiny").out
    assert digest in (fleet.folder / "fleet.lock").read_text()
    assert "sha256" not in fleet.inventory.read_text()
    assert registry.storage.asked == []


def test_a_model_of_a_registry_is_listed_as_pinned_with_its_file(fleet, registry):
    fleet.well("models", "pull", "tiny")
    (model,) = fleet.well("models", "list", "--json").json["models"]
    assert (model["names"], model["sha256"], model["bytes"]) == (["tiny"], SHA256, len(GGUF))


@pytest.mark.parametrize("model", [SOURCE, "tiny"])
def test_fit_reads_only_the_header(fleet, registry, model):
    registry.put("library/tiny:1b", model=GGUF + bytes(8 << 20))
    ended = fleet("fit", model, "--json")
    assert [one.range for one in registry.storage.asked] == [f"bytes=0-{(1 << 20) - 1}"], str(ended)


def test_two_processes_pin_the_same(fleet, registry):
    fleet.well("models", "pin", "tiny")
    before = (fleet.folder / "fleet.lock").read_bytes()
    fleet.well("models", "pin", "tiny")
    assert (fleet.folder / "fleet.lock").read_bytes() == before
