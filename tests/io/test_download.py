"""Model files behind real HTTP servers of all habits."""

import asyncio
import tomllib

import pytest

from fleet.core.errors import DeadlineError, FleetError, InventoryError, PlanError
from fleet.io.fetch import download
from fleet.io.models import renewal
from tests.io.controllers import GGUF, OTHER, SHA256
from tests.io.files import FileServer


@pytest.fixture
def server():
    running = FileServer(GGUF)
    yield running
    running.close()


async def test_a_pinned_address_is_only_asked_for_its_size_until_it_is_needed(here, server):
    assert (await here.find("url:" + server.at("model.gguf"))).size == len(GGUF)
    assert server.sent == 0
    assert (await here.path()).read_bytes() == GGUF
    assert here.kept() == [f"{SHA256}.gguf"]


async def test_what_is_in_the_cache_needs_no_server(here, server):
    source = "url:" + server.at("model.gguf")
    await here.find(source)
    await here.path()
    server.asked.clear()
    assert (await here.find(source)).size == len(GGUF)
    assert await here.path()
    assert server.asked == []


async def test_a_damaged_cache_is_noticed_and_filled_again(here, server):
    source = "url:" + server.at("model.gguf")
    await here.find(source)
    path = await here.path()
    path.chmod(0o644)
    path.write_bytes(GGUF[:-1] + b"!")
    await here.find(source)
    assert (await here.path()).read_bytes() == GGUF
    assert any("damaged" in line for line in here.said)


@pytest.mark.parametrize("path", ["moved", "nohead", "noranges", "model.gguf?download=true"])
async def test_servers_of_all_habits_are_understood(here, server, path):
    await here.find("url:" + server.at(path))
    assert (await here.path()).read_bytes() == GGUF


async def test_a_broken_download_goes_on_where_it_stopped(here, server):
    server.cuts = 1
    await here.find("url:" + server.at("model.gguf"))
    assert (await here.path()).read_bytes() == GGUF
    assert server.sent == len(GGUF)
    assert server.asked[-1].range == f"bytes={server.half}-{len(GGUF) - 1}"


async def test_a_download_that_breaks_too_often_keeps_what_came(here, server):
    server.cuts, server.half = 5, 100
    source = "url:" + server.at("model.gguf")
    await here.find(source)
    with pytest.raises(FleetError, match="no connection to 127") as caught:
        await here.path()
    assert caught.value.next.startswith("curl ")
    assert (await here.path()).read_bytes() == GGUF
    assert server.sent == len(GGUF)


async def test_a_file_that_changed_there_is_fetched_anew(here, server):
    server.cuts, server.half = 5, 100
    await here.find("url:" + server.at("model.gguf"))
    with pytest.raises(FleetError):
        await here.path()
    server.tag = '"two"'
    assert (await here.path()).read_bytes() == GGUF


@pytest.mark.parametrize("status", [401, 403, 404, 410, 429, 500, 503])
@pytest.mark.parametrize("when", ["find", "fetch"])
async def test_a_server_that_refuses_is_one_sentence(here, server, status, when):
    source = "url:" + server.at(str(status))
    with pytest.raises(FleetError, match=f"model tiny: 127.0.0.1 answered {status}") as caught:
        await here.find(source, *((SHA256,) if when == "find" else (None, True)))
    assert caught.value.next
    assert here.kept() == []


async def test_a_login_page_in_place_of_a_model_is_recognised_and_not_kept(here, server):
    await here.find("url:" + server.at("login"))
    with pytest.raises(PlanError, match="not a GGUF file") as caught:
        await here.path()
    assert "web page" in caught.value.next
    assert here.kept() == []


async def test_other_bytes_than_pinned_are_refused_and_not_kept(here, server):
    await here.find("url:" + server.at("model.gguf"), OTHER)
    with pytest.raises(PlanError, match=f"has the sha256 {SHA256}, wanted is {OTHER}") as caught:
        await here.path()
    assert caught.value.kind == "wrong-sha256"
    assert here.kept() == []


async def test_a_cut_off_model_behind_an_address_is_refused_and_not_kept(here, server):
    server.data = GGUF[:-100]
    await here.find("url:" + server.at("model.gguf"))
    with pytest.raises(PlanError, match="cut off"):
        await here.path()
    assert here.kept() == []


async def test_nobody_listening_is_one_sentence(here, server):
    url = server.at("model.gguf")
    server.http.server_close()
    with pytest.raises(FleetError, match="model tiny: no connection to 127") as caught:
        await here.find("url:" + url)
    assert caught.value.next == f"curl -I {url}"


async def test_an_unpinned_address_is_learned_once_and_kept_to(here, server):
    source = "url:" + server.at("model.gguf")
    assert (await here.find(source, None, unpinned=True)).id == SHA256
    entry = tomllib.loads((here.base / "fleet.lock").read_text())["fixed"][source]
    assert entry == {"sha256": SHA256, "size": len(GGUF), "marks": {"version": '"one"'}}
    await here.find(source, None, unpinned=True)
    assert server.sent == len(GGUF)
    (here.cache / "models" / f"{SHA256}.gguf").unlink()
    server.data, server.tag = GGUF + b"changed", '"two"'
    with pytest.raises(PlanError, match="wanted is") as caught:
        await here.find(source, None, unpinned=True)
    assert caught.value.next.startswith("fleet models pin tiny")
    place = (here.model, here.base, here, here.access, here.said.append)
    found = await renewal.renewed("tiny", *place)
    assert (found.before, found.size) == (SHA256, len(GGUF) + 7)
    sent = server.sent
    assert (await renewal.renewed("tiny", *place)).before == found.sha256
    assert server.sent == sent  # the server says that it is the same
    (here.cache / "models" / f"{found.sha256}.gguf").unlink()
    assert (await here.find(source, None, unpinned=True)).id == found.sha256


async def test_a_pin_that_cannot_be_renewed_stays(here, server):
    source = "url:" + server.at("model.gguf")
    await here.find(source, None, unpinned=True)
    before = (here.base / "fleet.lock").read_bytes()
    server.data, server.tag = b"<html>", '"two"'
    with pytest.raises(PlanError, match="not a GGUF file"):
        await renewal.renewed("tiny", here.model, here.base, here, here.access, here.said.append)
    assert (here.base / "fleet.lock").read_bytes() == before


async def test_an_address_without_a_pin_is_refused_before_anything_is_fetched(here, server):
    with pytest.raises(InventoryError, match="it has no sha256") as caught:
        await here.find("url:" + server.at("model.gguf"), None)
    assert "allow_unpinned = true" in caught.value.next
    assert server.asked == []


async def test_three_hosts_that_need_it_at_once_fetch_it_once(here, server):
    await here.find("url:" + server.at("model.gguf"))
    paths = await asyncio.gather(here.path(), here.path(), here.path())
    assert len(set(paths)) == 1
    assert server.sent == len(GGUF)


async def test_a_server_that_drips_is_left(here, server):
    with pytest.raises(DeadlineError) as caught:
        await download.download(server.at("drip"), here.cache / "x.part", here.said.append, idle=0.5)
    assert "goes on" in caught.value.next
