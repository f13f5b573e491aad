"""What else a repository has, asked of a hub over real HTTP."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from fleet.core.inventory import Inventory, Model
from fleet.io.hubs import offers
from fleet.io.hubs.access import Access
from fleet.models.offered import File, Offered
from tests.io.hubs import ModelHub, Repo

INVENTORY = Inventory(
    hosts={},
    models={
        "tiny": Model(source="hf:acme/Tiny-GGUF:Q4_K_M"),
        "mine": Model(source="file:mine.gguf", allow_unpinned=True),
    },
)
FILES = {
    "Tiny-Q8_0.gguf": b"GGUF" * 8,
    "Tiny-Q4_K_M.gguf": b"GGUF" * 4,
    "Tiny-Q6_K-00001-of-00002.gguf": b"GGUF" * 3,
    "Tiny-Q6_K-00002-of-00002.gguf": b"GGUF" * 3,
    "mmproj-Tiny-Q8_0.gguf": b"GGUF",
}
FOUND = (
    File("Q8_0", 32, "hf:acme/Tiny-GGUF:Q8_0"),
    File("Q6_K", 24, "hf:acme/Tiny-GGUF:Q6_K"),
    File("Q4_K_M", 16, "hf:acme/Tiny-GGUF:Q4_K_M"),
)


@dataclass
class Run:
    """What of a run is needed to ask: its inventory, and whom it asks."""

    access: Access
    inventory: Inventory = INVENTORY
    offers: dict[str, Offered] = field(default_factory=dict)
    locks: dict[str, asyncio.Lock] = field(default_factory=dict)

    def fetching(self, name: str) -> asyncio.Lock:
        return self.locks.setdefault(name, asyncio.Lock())

    async def files(self, model: str) -> Offered:
        return await offers.files(self, self, model)


@pytest.fixture
def hub():
    running = ModelHub()
    running.repos["acme/Tiny-GGUF"] = Repo(dict(FILES))
    yield running
    running.close()


def run(hub: ModelHub, home: Path) -> Run:
    return Run(Access({"HOME": str(home), "HF_ENDPOINT": hub.url}, home / "config", None))


async def test_each_quantisation_has_the_bytes_of_all_its_parts(hub, tmp_path):
    assert await run(hub, tmp_path).files("tiny") == Offered(FOUND)


async def test_an_address_needs_no_inventory(hub, tmp_path):
    assert await run(hub, tmp_path).files("hf:acme/Tiny-GGUF:Q8_0") == Offered(FOUND)


async def test_hosts_that_ask_at_once_ask_the_hub_once(hub, tmp_path):
    here = run(hub, tmp_path)
    first, second = await asyncio.gather(here.files("tiny"), here.files("tiny"))
    assert first is second
    assert len(hub.asked) == 1


async def test_a_file_of_ones_own_has_no_hub_to_ask(hub, tmp_path):
    assert await run(hub, tmp_path).files("mine") == Offered()
    assert hub.asked == []


@pytest.mark.parametrize("raw", [(500, b"", {}), (200, b"<html>", {}), (429, b"", {"Retry-After": "9"})])
async def test_a_hub_that_gives_no_list_is_a_problem_and_no_error(hub, tmp_path, raw):
    hub.raw = raw
    found = await run(hub, tmp_path).files("tiny")
    assert found.files == ()
    assert found.problem


async def test_a_repository_that_is_gone_and_a_hub_that_is_down_are_problems_too(hub, tmp_path):
    del hub.repos["acme/Tiny-GGUF"]
    gone = await run(hub, tmp_path).files("tiny")
    assert "acme/Tiny-GGUF" in gone.problem
    here = Run(Access({"HOME": str(tmp_path), "HF_ENDPOINT": "http://127.0.0.1:1"}, tmp_path, None))
    assert (await here.files("tiny")).problem
