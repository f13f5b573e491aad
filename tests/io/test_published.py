"""Where anybody gets a model: what a hub shows only to who has a token stays here."""

import pytest

from fleet.core.inventory import Model
from fleet.io.models.public import Published, published
from tests.io.controllers import Here
from tests.io.hubs import TOKEN, ModelHub

SHA, SOURCE = "a" * 64, "hf:acme/Tiny-GGUF:Q4_K_M"


async def asked(here: Here, source: str, sha256: str = SHA, number: int = 0) -> Published:
    model = Model.model_validate({"source": source, "allow_unpinned": True})
    return await published(model, sha256, number, here.base, here.access)


async def test_the_address_of_a_file_is_its_own(here):
    assert await asked(here, "url:https://example.org/m.gguf") == Published("https://example.org/m.gguf")


async def test_each_file_of_a_model_has_an_address(here):
    found = await asked(here, "url:https://example.org/m-00001-of-00003.gguf", number=2)
    assert found.url == "https://example.org/m-00003-of-00003.gguf"


async def test_an_address_with_a_key_in_it_stays_here(here):
    found = await asked(here, "url:https://example.org/m.gguf?token=x")
    assert (found.url, found.why) == (
        None,
        "its address has a query that may be a key, which no host is told",
    )


@pytest.mark.parametrize("source", ["file:m.gguf", "package:tiny-gguf==1.0"])
async def test_a_file_of_this_machine_and_one_in_an_archive_have_none(here, source):
    assert await asked(here, source) == Published(None)


async def test_a_layer_of_a_registry_is_found_by_its_hash(here):
    here.environ["FLEET_OLLAMA"] = "https://registry.example.org"
    found = await asked(here, "ollama:tiny:1b")
    assert found.url == f"https://registry.example.org/v2/library/tiny/blobs/sha256:{SHA}"


async def pinned(here: Here, hub: ModelHub) -> Published:
    found = await here.find(SOURCE, None)
    hub.asked.clear()
    return await asked(here, SOURCE, found.id)


async def test_without_a_token_there_is_nothing_to_find_out(here, hub):
    found = await pinned(here, hub)
    assert found == Published(None, "127.0.0.1 is another machine there")  # a hub of this machine
    assert hub.asked == []


async def test_a_file_that_another_pin_means_has_no_address(here, hub):
    await pinned(here, hub)
    assert await asked(here, SOURCE, SHA) == Published(None)


async def test_what_a_hub_shows_only_to_who_has_a_token_stays_here(here, hub):
    here.environ["HF_TOKEN"] = TOKEN
    hub.repos["acme/Tiny-GGUF"].gate = True
    found = await pinned(here, hub)
    assert found.why == "127.0.0.1 shows it only to who has a token, which no host is told"
    assert [one.token for one in hub.asked] == [None]


async def test_what_a_hub_shows_to_everybody_is_open_although_a_token_is_here(here, hub):
    here.environ["HF_TOKEN"] = TOKEN
    found = await pinned(here, hub)
    assert found.why == "127.0.0.1 is another machine there"
    assert [one.token for one in hub.asked] == [None]
