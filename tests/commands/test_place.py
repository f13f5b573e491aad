"""`fleet place`: hosts are asked once each, and what they answer is put together."""

import json
import tomllib
from dataclasses import replace
from typing import Any

import pytest

from fleet.commands.base import Request
from fleet.commands.place import flow, verb
from fleet.commands.placing.offer import Offer
from fleet.commands.placing.shown import document, lines
from fleet.core.errors import FleetError, PlanError, UnreachableError
from fleet.core.facts import Build, Facts, Tool
from fleet.core.flow import LastMeasured, Probe, ReadWeights
from fleet.core.inventory import Host, Inventory, Model, Server
from fleet.models import own
from fleet.models.weights import Weights, join
from tests.models.values import BARE, M3_MAX, MTL0, RTX_4070, read
from tests.servers.values import instance
from tests.shapes import SHAPES, write

NOW = 1_800_000_000.0
NVCC = {"nvcc": Tool("nvcc", "/usr/local/cuda/bin/nvcc", "12.4.131")}
RTX = replace(RTX_4070, host="rtx", tools=NVCC, builds=(Build("c" * 16, "cuda", 11434),))
MAC = replace(M3_MAX, host="mac", builds=(Build("f" * 16, "metal", 11434, (MTL0,)),))
LAPTOP = replace(BARE, host="laptop")
HOSTS = {"rtx": RTX, "mac": MAC, "laptop": LAPTOP}


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Weights]:
    folder = tmp_path_factory.mktemp("shapes")
    found = {}
    for name in ("qwen3-8b", "qwen3-32b", "llama3-70b"):
        path = write(folder / name, SHAPES[name], file_type=15)
        found[name] = join(name, [(read(path), path.stat().st_size)], "5" * 64)
    return found


def inventory(**servers: tuple[str, tuple[str, ...]]) -> Inventory:
    """Servers by name: model and `on`."""
    return Inventory(
        hosts={
            "rtx": Host(address="192.0.2.1"),
            "mac": Host(address="192.0.2.2"),
            "laptop": Host(address="192.0.2.3"),
        },
        models={name: Model(source=f"file:{name}.gguf", allow_unpinned=True) for name in SHAPES},
        servers={
            name: Server(model=model, on=on, context=8192, parallel=1)
            for name, (model, on) in servers.items()
        },
    )


def request(*hosts: str) -> Request:
    return Request("place", hosts or tuple(HOSTS))


def asked(
    wanted: Inventory,
    host: str,
    weights: dict[str, Weights],
    facts: Facts | None = None,
    measured: Any = None,
) -> Offer:
    """What the flow of one host returns, its questions answered from what is known."""
    conversation = flow(request(), wanted, host)
    need = next(conversation)
    while True:
        try:
            match need:
                case Probe():
                    need = conversation.send(facts or HOSTS[host])
                case LastMeasured():
                    need = conversation.send((measured or {}, None, NOW))
                case ReadWeights(name) if name in weights:
                    need = conversation.send(weights[name])
                case ReadWeights(name):
                    need = conversation.throw(PlanError(f"no file {name}"))
        except StopIteration as stop:
            found: Offer = stop.value
            return found


def results(wanted: Inventory, weights: dict[str, Weights], **others: Any) -> dict[str, Offer | FleetError]:
    return {host: others.get(host) or asked(wanted, host, weights) for host in HOSTS}


def test_everything_that_fits_is_said_to_be_as_the_inventory_has_it(weights: dict[str, Weights]) -> None:
    found = results(inventory(chat=("qwen3-8b", ("rtx", "mac"))), weights)
    said = document(request(), found)
    assert said["verdict"] == "fits"
    (chat,) = said["servers"]
    assert [host["name"] for host in chat["hosts"]] == ["rtx", "mac"]
    assert chat["hosts"][0]["tps"] > chat["hosts"][1]["tps"] > 10
    assert list(lines(request(), found))[-1] == "everything fits as the inventory has it"


def test_a_server_is_sent_where_there_is_room_so_that_another_fits(weights: dict[str, Weights]) -> None:
    wanted = inventory(chat=("qwen3-8b", ("rtx", "mac")), code=("qwen3-8b", ("rtx",)))
    found = results(wanted, weights)
    chat, code = document(request(), found)["servers"]
    assert [host["name"] for host in code["hosts"]] == ["rtx"]
    assert [host["name"] for host in chat["hosts"]] == ["mac"]
    assert chat["leaves"] == ["rtx"]
    text = "\n".join(lines(request(), found))
    assert '[servers.chat] on = ["mac"]' in text


def test_long_names_keep_eighty_columns_and_the_lines_to_copy_are_toml(weights: dict[str, Weights]) -> None:
    long = "a" * 60
    wanted = inventory(**{long: ("qwen3-8b", ("rtx", "mac")), "code": ("qwen3-8b", ("rtx",))})
    text = list(lines(request(), results(wanted, weights)))
    assert max(map(len, text)) <= 80
    start = text.index(f"  [servers.{long}]")
    assert tomllib.loads("\n".join(text[start:]))["servers"][long] == {"on": ["mac"]}


def test_what_must_go_is_named_with_the_bytes_that_lack(weights: dict[str, Weights]) -> None:
    wanted = inventory(chat=("qwen3-8b", ("rtx",)), giant=("llama3-70b", ("rtx",)))
    found = results(wanted, weights)
    said = document(request(), found)
    assert said["verdict"] == "partly"
    assert said["is_proven"]
    chat, giant = said["servers"]
    assert not chat["must_go"]
    assert giant["must_go"]
    assert "GiB" in giant["reason"]
    assert "giant must go: " in "\n".join(lines(request(), found))


def test_on_is_respected(weights: dict[str, Weights]) -> None:
    (chat,) = document(request(), results(inventory(chat=("qwen3-8b", ("laptop",))), weights))["servers"]
    assert [host["name"] for host in chat["hosts"]] == ["laptop"]
    assert set(chat["hosts"][0]["bytes"]) == {"host"}


def test_a_host_that_is_down_is_named_and_its_servers_go_elsewhere(weights: dict[str, Weights]) -> None:
    wanted = inventory(chat=("qwen3-8b", ("rtx", "mac")), code=("qwen3-8b", ("rtx",)))
    gone = UnreachableError("no route to it", host="rtx", next="fleet facts rtx")
    found = results(wanted, weights, rtx=gone)
    said = document(request(), found)
    chat, code = said["servers"]
    assert [host["name"] for host in chat["hosts"]] == ["mac"]
    assert chat["leaves"] == []  # it may be there again: the inventory needs no change for it
    assert code["must_go"]
    assert code["reason"] == "rtx: no route to it"
    assert said["hosts"][0]["error"]["kind"] == "unreachable"
    assert "rtx: left out, no route to it" in list(lines(request(), found))


def test_a_model_that_nobody_can_read_is_a_reason_and_no_crash(weights: dict[str, Weights]) -> None:
    found = results(inventory(chat=("gemma3-27b", ("rtx",))), weights)
    (chat,) = document(request(), found)["servers"]
    assert chat["reason"] == "rtx: no file gemma3-27b"


def test_what_runs_now_gives_its_memory_back_before_it_is_placed(weights: dict[str, Weights]) -> None:
    """A full card is full of the very server that is placed."""
    wanted = inventory(chat=("qwen3-8b", ("rtx",)))
    busy = replace(RTX.gpus[0], memory_free=5 * 2**30)
    running = replace(instance(), server="chat", state="running", model="qwen3-8b", backend="cuda")
    facts = replace(RTX, gpus=(busy,), instances=(running,))
    found = {"rtx": asked(wanted, "rtx", weights, facts)}
    (chat,) = document(request("rtx"), found)["servers"]
    assert [host["state"] for host in chat["hosts"]] == ["there"]


def with_draft(wanted: Inventory, model: str, draft: str) -> Inventory:
    """The same, and one model drafts for the other."""
    model_ = Model(source=f"file:{model}.gguf", allow_unpinned=True, draft=draft)
    return wanted.model_copy(update={"models": {**wanted.models, model: model_}})


def test_what_is_served_with_a_model_takes_its_room_too(weights: dict[str, Weights]) -> None:
    """Eight billion weights of 8 bits fit on a card of 12 GB, and not with as many that draft for them."""
    alone = inventory(chat=("qwen3-8b", ("mac", "rtx")))
    both = with_draft(alone, "qwen3-8b", "qwen3-8b")
    (single,) = asked(alone, "mac", weights).options["chat"]
    (pair,) = asked(both, "mac", weights).options["chat"]
    more = weights["qwen3-8b"].sums.total + 8192 * 144 * 1024  # and its cache, 144 KiB for a token
    assert pair.needs["MTL0"] - single.needs["MTL0"] == more
    assert pair.needs["host"] - single.needs["host"] == more  # unified: the same bytes
    assert [one.change for one in asked(alone, "rtx", weights).options["chat"]] == [None]
    assert None not in [one.change for one in asked(both, "rtx", weights).options["chat"]]


def test_no_servers_on_these_hosts_is_said(weights: dict[str, Weights]) -> None:
    found = results(inventory(), weights)
    assert document(request(), found)["verdict"] == "unknown"
    assert list(lines(request(), found)) == ["no server of the inventory may go on these hosts"]


def test_the_document_is_json_and_its_bytes_add_up(weights: dict[str, Weights]) -> None:
    wanted = inventory(chat=("qwen3-8b", ("rtx", "mac")), code=("qwen3-32b", ("mac",)))
    said = json.loads(json.dumps(document(request(), results(wanted, weights))))
    assert verb.schema == "fleet.place/1"
    assert verb.level == 0
    for host in said["hosts"]:
        for pool in host["pools"]:
            taken = sum(
                place["bytes"].get(pool["name"], 0)
                for server in said["servers"]
                for place in server["hosts"]
                if place["name"] == host["name"]
            )
            assert pool["left"] == pool["available"] - taken >= 0


def test_measured_speeds_of_the_host_correct_what_is_expected_there(weights: dict[str, Weights]) -> None:
    wanted = inventory(chat=("qwen3-8b", ("rtx",)))
    plain = asked(wanted, "rtx", weights).options["chat"][0].tps
    assert plain is not None
    slower = asked(wanted, "rtx", weights, measured={"chat": (plain * 0.7, NOW - 3600)})
    (option,) = slower.options["chat"]
    assert option.tps == pytest.approx(plain * 0.7, rel=0.01)


def test_a_processor_that_no_table_has_is_known_by_what_it_gave(weights: dict[str, Weights]) -> None:
    """LAPTOP's is "a processor": its speed is unknown until one was measured."""
    wanted = inventory(chat=("qwen3-8b", ("laptop",)))
    assert asked(wanted, "laptop", weights).options["chat"][0].tps is None
    (option,) = asked(wanted, "laptop", weights, measured={"chat": (6.0, NOW - 3600)}).options["chat"]
    assert option.tps == pytest.approx(6.0, rel=0.15)


def test_a_speed_with_drafts_teaches_nothing_of_the_host(weights: dict[str, Weights]) -> None:
    wanted = with_draft(inventory(chat=("qwen3-8b", ("laptop",))), "qwen3-8b", "qwen3-8b")
    assert asked(wanted, "laptop", weights, measured={"chat": (6.0, NOW)}).options["chat"][0].tps is None


def test_a_measurement_of_a_server_that_left_the_inventory_teaches_nothing() -> None:
    conversation = own.learn(inventory(), RTX, "cuda")
    assert next(conversation) == LastMeasured("rtx")
    with pytest.raises(StopIteration) as stop:
        conversation.send(({"old": (50.0, NOW)}, None, NOW))
    assert stop.value.value == own.Own(None, None)
