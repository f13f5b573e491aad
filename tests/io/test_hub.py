"""Models of a hub, spoken to over real HTTP: pinned, fetched, refused."""

import asyncio
import json
import re
import tomllib

import pytest

from fleet.core.errors import FleetError, InventoryError, PlanError
from fleet.io.hubs import models as hub_models
from fleet.io.hubs.hub import Hub
from fleet.io.models import search as model_search
from fleet.models.layout import layout
from fleet.sources import base as sources
from tests.io.controllers import GGUF, OTHER, SHA256, Here
from tests.io.hubs import COMMIT, NEXT, TOKEN, Repo
from tests.shapes import Shape, write

SOURCE = "hf:acme/Tiny-GGUF:Q4_K_M"
ENTRY = f"""schema = "fleet.lock/1"
[models."hf:a/b"]
commit = "{{commit}}"
file = "{{file}}"
size = 3
sha256 = "{SHA256}"
"""


def locked(here: Here) -> dict:
    return tomllib.loads((here.base / "fleet.lock").read_text())["models"]


async def test_the_first_use_pins_and_says_what(here, hub):
    found = await here.find(SOURCE, None)
    assert (found.kind, found.id, found.size) == ("model", SHA256, len(GGUF))
    pinned = {"commit": COMMIT, "file": "Tiny-Q4_K_M.gguf", "size": len(GGUF), "sha256": SHA256}
    assert locked(here) == {SOURCE: pinned}
    assert hub.storage.sent == 0
    (line,) = here.said
    assert line.startswith("model tiny: pinned in fleet.lock: Tiny-Q4_K_M.gguf at commit aaaaaaaaaaaa, ")
    assert SHA256 in line


async def test_it_is_fetched_at_its_commit_and_verified(here, hub):
    await here.find(SOURCE, None)
    assert (await here.path()).read_bytes() == GGUF
    assert hub.asked[-1].path == f"/acme/Tiny-GGUF/resolve/{COMMIT}/Tiny-Q4_K_M.gguf"
    assert here.kept() == [f"{SHA256}.gguf"]


async def test_a_second_run_asks_nobody_and_leaves_the_lock_as_it_is(here, hub):
    await here.find(SOURCE, None)
    before = (here.base / "fleet.lock").read_bytes()
    stamp = (here.base / "fleet.lock").stat().st_mtime_ns
    hub.asked.clear()
    await here.find(SOURCE, None)
    assert hub.asked == []
    assert (here.base / "fleet.lock").read_bytes() == before
    assert (here.base / "fleet.lock").stat().st_mtime_ns == stamp


async def test_the_lock_is_in_one_order_however_it_came_about(here, hub):
    sources = (SOURCE, "hf:acme/Tiny-GGUF/Tiny-Q8_0.gguf", "hf:acme/Tiny-GGUF")
    for source in sources:
        await here.find(source, None)
    once = (here.base / "fleet.lock").read_bytes()
    (here.base / "fleet.lock").unlink()
    for source in reversed(sources):
        await here.find(source, None)
    assert (here.base / "fleet.lock").read_bytes() == once
    assert list(locked(here)) == sorted(sources)


async def test_several_models_at_once_are_all_in_the_lock(here, hub):
    for number in range(6):
        hub.repos[f"acme/m{number}"] = Repo({"m-Q4_K_M.gguf": GGUF})
    await asyncio.gather(*(here.find(f"hf:acme/m{number}", None) for number in range(6)))
    assert len(locked(here)) == 6


async def test_without_the_hub_the_lock_and_the_cache_are_enough(here, hub):
    await here.find(SOURCE, None)
    await here.path()
    hub.close()
    assert (await here.find(SOURCE, None)).size == len(GGUF)
    assert (await here.path()).read_bytes() == GGUF


async def test_without_the_hub_a_hash_of_the_inventory_and_the_cache_are_enough(here, hub):
    await here.find(SOURCE)
    await here.path()
    (here.base / "fleet.lock").unlink()
    hub.close()
    await here.find(SOURCE)
    assert (await here.path()).read_bytes() == GGUF


async def test_without_the_hub_an_unknown_model_is_one_sentence(here, hub):
    hub.close()
    with pytest.raises(FleetError, match=r"model tiny: no connection to 127\.0\.0\.1"):
        await here.find(SOURCE, None)
    assert not (here.base / "fleet.lock").exists()


async def test_what_changes_there_is_not_taken_until_it_is_asked_for(here, hub):
    await here.find(SOURCE, None)
    hub.repos["acme/Tiny-GGUF"] = Repo({"Tiny-Q4_K_M.gguf": GGUF + b"new"}, NEXT)
    assert (await here.find(SOURCE, None)).id == SHA256
    with pytest.raises(PlanError, match="the pinned file of hf:acme/Tiny-GGUF:Q4_K_M is not there") as caught:
        await here.path()
    assert caught.value.next.startswith("fleet models pin ")
    place = sources.parse(SOURCE)
    before, after = await hub_models.renewed(place, here.base, here, here.access)
    assert (before.sha256, after.commit, after.size) == (SHA256, NEXT, len(GGUF) + 3)
    assert locked(here)[SOURCE]["commit"] == NEXT
    assert (await here.find(SOURCE, None)).id == after.sha256


async def test_a_commit_that_leaves_the_file_leaves_the_lock(here, hub):
    await here.find(SOURCE, None)
    hub.repos["acme/Tiny-GGUF"].commit = NEXT
    stamp = (here.base / "fleet.lock").stat().st_mtime_ns
    await hub_models.renewed(sources.parse(SOURCE), here.base, here, here.access)
    assert (here.base / "fleet.lock").stat().st_mtime_ns == stamp


async def test_another_hash_than_the_inventory_wants_is_refused_before_a_byte_moves(here, hub):
    with pytest.raises(PlanError, match=f"has the sha256 {SHA256} at commit a+, wanted is {OTHER}") as caught:
        await here.find(SOURCE, OTHER)
    assert caught.value.kind == "wrong-sha256"
    assert hub.storage.asked == []
    assert not (here.base / "fleet.lock").exists()
    await here.find(SOURCE, None)
    with pytest.raises(PlanError, match=r"fleet\.lock pins the sha256"):
        await here.find(SOURCE, OTHER)


async def test_other_bytes_than_the_hub_named_are_refused_and_not_kept(here, hub):
    await here.find(SOURCE, None)
    hub.storage.blobs[SHA256] = GGUF[:-1] + b"!"
    with pytest.raises(PlanError, match="wanted is"):
        await here.path()
    assert here.kept() == []


async def test_another_length_than_the_hub_named_is_refused_before_it_comes(here, hub):
    await here.find(SOURCE, None)
    hub.storage.blobs[SHA256] = GGUF + bytes(1 << 22)
    with pytest.raises(PlanError, match=f"it should have {len(GGUF)}"):
        await here.path()
    assert here.kept() == []


async def test_a_broken_download_goes_on_where_it_stopped(here, hub):
    await here.find(SOURCE, None)
    hub.storage.cuts = 2
    assert (await here.path()).read_bytes() == GGUF
    assert hub.storage.sent == len(GGUF)


async def test_only_the_header_of_a_large_model_is_read(here, hub, tmp_path):
    data = write(tmp_path / "m.gguf", Shape("s", "llama", 3, 64, 2, 1, 32, 64, 64)).read_bytes()
    hub.repos["acme/big"] = Repo({"big-Q4_K_M.gguf": data + bytes(8 << 20)})
    found = await hub_models.headers(sources.parse("hf:acme/big"), None, here.access)
    assert layout(found[0][0]).layers == 3
    assert hub.storage.sent <= 1 << 20
    assert not (here.base / "fleet.lock").exists()


async def test_the_token_goes_to_the_hub_and_not_along_its_redirects(here, hub):
    here.environ["HF_TOKEN"] = TOKEN
    hub.repos["acme/Tiny-GGUF"].gate = True
    await here.find(SOURCE, None)
    await here.path()
    assert {one.token for one in hub.asked} == {f"Bearer {TOKEN}"}
    assert hub.storage.asked
    assert {one.token for one in hub.storage.asked} == {None}


async def test_the_token_is_written_nowhere(here, hub):
    here.environ["HF_TOKEN"] = TOKEN
    await here.find(SOURCE, None)
    hub.storage.cuts = 1
    await here.path()
    written = b"".join(p.read_bytes() for p in here.base.parent.rglob("*") if p.is_file())
    assert TOKEN.encode() not in written
    assert not any(TOKEN in line for line in here.said)
    assert TOKEN not in repr(Hub(here.access).key)


@pytest.mark.parametrize("revision", ["v1.0", COMMIT])
async def test_a_revision_is_pinned_to_its_commit(here, hub, revision):
    source = f"hf:acme/Tiny-GGUF@{revision}/Tiny-Q4_K_M.gguf"
    await here.find(source, None)
    assert locked(here)[source]["commit"] == COMMIT


@pytest.mark.parametrize(
    "text",
    [
        "", "[", "schema = 3", 'schema = "fleet.lock/2"\n[models]', 'schema = "fleet.lock/1"',
        'schema = "fleet.lock/1"\n[models]\n"hf:a/b" = 3',
        ENTRY.format(commit=COMMIT, file="../x"), ENTRY.format(commit="main", file="x"),
    ],
)  # fmt: skip
async def test_a_damaged_lock_is_not_taken_for_none(here, hub, text):
    (here.base / "fleet.lock").write_text(text)
    with pytest.raises(InventoryError, match=r"fleet\.lock") as caught:
        await here.find(SOURCE, None)
    assert "fleet.lock.broken" in caught.value.next
    assert (here.base / "fleet.lock").read_text() == text
    assert hub.asked == []


async def test_a_model_is_pinned_for_those_who_only_want_its_header(here, hub):
    await here.find(SOURCE, None)
    pinned = await model_search.pinned("tiny", here.model, here.base, here, here.access, here.said.append)
    assert re.fullmatch("[0-9a-f]{40}", pinned.commit)
    assert json.dumps(pinned.document())
