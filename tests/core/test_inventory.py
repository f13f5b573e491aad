"""What an inventory may say, and the sentence for what it may not."""

import tomllib
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.core.errors import InventoryError
from fleet.core.inventory import Host, Inventory, parse
from fleet.core.inventory_keys import described
from fleet.core.text import HOSTILE

GOOD = """
[llama_cpp]
ref = "b11434"
[defaults]
user = "ops"
context = 4096
private_networks = ["192.168.1.0/24"]
cache_max = "20 GiB"
args = { "cache-ram" = 0, "temp" = 0.5 }
[hosts.rtx]
address = "192.168.1.20"
tags = ["gpu"]
[hosts.mac]
ssh = "mac"
user = "me"
tags = ["apple", "gpu"]
[hosts.here]
transport = "local"
[models."qwen3-8b"]
source = "file:/models/q.gguf"
sha256 = "0000000000000000000000000000000000000000000000000000000000000000"
[servers.chat]
model = "qwen3-8b"
on = ["@gpu", "^mac"]
context = 8192
[servers.chat.args]
temp = 0.7
[servers.all-of-them]
model = "qwen3-8b"
on = ["all"]
listen = "192.168.1.20:8080"
"""


def read(text: str, **how: Any) -> Inventory:
    return parse(tomllib.loads(text), **how)


def test_the_nearest_default_wins() -> None:
    inventory = read(GOOD)
    assert inventory.hosts["rtx"].user == "ops"
    assert inventory.hosts["mac"].user == "me"
    assert inventory.servers["chat"].context == 8192
    assert inventory.servers["all-of-them"].context == 4096
    assert inventory.servers["chat"].args == {"cache-ram": 0, "temp": 0.7}


def test_sizes_become_bytes() -> None:
    assert read(GOOD).cache_max == 20 * 2**30
    assert read("defaults.cache_max = 5").cache_max == 5
    assert read('defaults.cache_max = "1.5 GB"').cache_max == 1_500_000_000


def test_a_server_runs_where_its_selectors_say() -> None:
    inventory = read(GOOD)
    assert list(inventory.servers_on("rtx")) == ["chat", "all-of-them"]
    assert list(inventory.servers_on("mac")) == ["all-of-them"]
    assert list(inventory.servers_on("here")) == ["all-of-them"]


def test_an_empty_file_is_an_inventory_without_wishes() -> None:
    assert read("") == Inventory(path="inventory.toml")


def test_a_host_that_says_how_it_is_reached_takes_no_other_way_from_the_defaults() -> None:
    assert read('[defaults]\nssh = "jump"\n[hosts.a]\naddress = "x"').hosts["a"].ssh is None


def test_every_key_has_a_meaning() -> None:
    keys = described()
    assert [key for key in keys if not key.meaning] == []
    assert {key.table for key in keys} == {
        "llama_cpp",
        "hosts.NAME",
        "models.NAME",
        "servers.NAME",
        "defaults",
    }


def test_values_can_be_made_without_a_file() -> None:
    inventory = Inventory(hosts={"mac": Host(address="x")})
    assert inventory.hosts["mac"].where == "x"
    assert Host(ssh="m").where == "ssh m"
    assert Host(transport="local").where == "this machine"


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


tables = st.dictionaries(
    st.sampled_from(["address", "tags", "on", "model", "args", "listen", "source", "x"]), values
)


documents = st.dictionaries(
    st.sampled_from(["llama_cpp", "defaults", "hosts", "models", "servers", "other"]),
    values | st.dictionaries(st.sampled_from(["a", "b", "all", "A", "\x00"]), values | tables, max_size=3),
    max_size=5,
)


@settings(max_examples=100)
@given(documents)
def test_whatever_the_document_holds_only_an_inventory_error_comes_out(document: dict[str, Any]) -> None:
    try:
        parse(document)
    except InventoryError as wrong:
        assert wrong.next
        assert not HOSTILE.search(wrong.what)
