"""The arguments of a server."""

import itertools

import pytest

from fleet.core.errors import PlanError
from fleet.servers.argv import argv, listen_error
from fleet.servers.memory import cache_ram
from fleet.servers.settings import recommend
from tests.servers.values import GIB, RTX, facts, server


def flags(wish=None, backend="cpu", listen="/r/run/x.sock", **changes):
    wish = wish or server()
    choices = recommend("chat", wish, facts(**changes), backend)
    words, _ = argv("chat", wish, "/r/models/5/model.gguf", listen, "/r/k", choices)
    pairs = itertools.pairwise((*words, "--"))
    return {one: None if two.startswith("--") else two for one, two in pairs if one.startswith("--")}


def test_everything_that_matters_is_written_out():
    found = flags(server(context=8192, parallel=4, kv_type="q8_0"))
    assert found["--model"] == "/r/models/5/model.gguf"
    assert found["--alias"] == "tiny"
    assert (found["--host"], found["--port"]) == ("/r/run/x.sock", "8080")
    assert found["--api-key-file"] == "/r/k"
    assert found["--cors-origins"] == "localhost"
    assert (found["--ctx-size"], found["--parallel"]) == ("8192", "4")
    assert (found["--cache-type-k"], found["--cache-type-v"]) == ("q8_0", "q8_0")
    assert {"--metrics", "--slots", "--no-ui", "--no-cors-credentials"} <= found.keys()
    assert "--api-key" not in found


def test_a_cpu_names_no_device_and_uses_its_fast_cores():
    found = flags()
    assert found["--device"] == "none"
    assert found["--threads"] == "6"
    assert "--gpu-layers" not in found


@pytest.mark.parametrize(
    ("backend", "gpus", "devices"),
    [("cuda", (RTX,), "CUDA0"), ("cuda", (RTX, RTX), "CUDA0,CUDA1"), ("metal", (), "MTL0")],
)
def test_a_gpu_is_named_so_that_a_fall_back_to_the_cpu_cannot_be_silent(backend, gpus, devices):
    found = flags(backend=backend, gpus=gpus)
    assert found["--device"] == devices
    assert found["--gpu-layers"] == "auto"


def test_devices_of_the_inventory_win():
    assert flags(server(devices="CUDA1"), "cuda", gpus=(RTX, RTX))["--device"] == "CUDA1"


@pytest.mark.parametrize(
    ("total", "mib"),
    [(None, 0), (2 * GIB, 128), (16 * GIB, 1024), (16 * GIB - 2**27, 1024), (256 * GIB, 2048)],
)
def test_cached_prompts_take_a_small_part_of_the_host(total, mib):
    memory = facts().memory
    assert cache_ram(facts(memory=type(memory)(total, None, False, None, None))) == mib


def test_flags_of_the_inventory_come_as_they_are_meant():
    args = {"cache-ram": 0, "swa-full": True, "warmup": False, "lora": ["a.gguf", "b.gguf"], "threads": 3}
    found = flags(server(args=args))
    assert found["--cache-ram"] == "0"
    assert found["--threads"] == "3"
    assert found["--lora"] == "a.gguf,b.gguf"
    assert found["--swa-full"] is None and found["--no-warmup"] is None


def test_a_refused_flag_ends_the_plan():
    with pytest.raises(PlanError, match="tools: refused"):
        flags(server(args={"tools": "all"}))


def test_an_embedding_server_says_so():
    assert "--embedding" in flags(server(kind="embedding"))


NETWORKS = ("192.168.1.0/24",)
TLS = {"ssl-key-file": "/k", "ssl-cert-file": "/c"}


@pytest.mark.parametrize(
    ("listen", "args"),
    [
        ("socket", {}),
        ("127.0.0.1:8080", {}),
        ("[::1]:8080", {}),
        ("192.168.1.20:9000", {}),
        ("8.8.8.8:9000", TLS),
    ],
)
def test_places_where_a_server_may_listen(listen, args):
    assert listen_error(listen, NETWORKS, args) is None


@pytest.mark.parametrize(
    ("listen", "args", "why"),
    [
        ("8.8.8.8:9000", {}, "neither loopback nor in private_networks"),
        ("0.0.0.0:9000", {}, "neither loopback nor in private_networks"),
        ("[::]:9000", {}, "neither loopback nor in private_networks"),
        ("192.168.2.20:9000", {}, "neither loopback"),
        ("8.8.8.8:9000", {"ssl-key-file": "/k"}, "belong together"),
        ("example.org:9000", {}, "not an IP address"),
        ("127.0.0.1", {}, 'must be "socket" or "ADDRESS:PORT"'),
        ("127.0.0.1:0", {}, 'must be "socket" or "ADDRESS:PORT"'),
        ("127.0.0.1:70000", {}, 'must be "socket" or "ADDRESS:PORT"'),
    ],
)
def test_places_where_it_may_not(listen, args, why):
    assert why in str(listen_error(listen, NETWORKS, args))
