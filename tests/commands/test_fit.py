"""`fleet fit`: asks for the header and the host, and says what is true of both."""

import json
from dataclasses import replace

import pytest

from fleet.commands.base import Request
from fleet.commands.fit import Answer, document, flow, lines, verb
from fleet.core.errors import UnreachableError, UsageError
from fleet.core.facts import Build, Gpu, ModelFile, Tool
from fleet.core.flow import AskOracle, LastMeasured, Probe, ReadWeights
from fleet.core.inventory import Host, Inventory, Model, Server
from fleet.core.proof import Expected, Proof
from fleet.models.weights import Weights, join
from fleet.servers.tenants import shown
from tests.models.values import BARE, M3_MAX, MTL0, RTX_4070, read
from tests.servers.values import instance
from tests.shapes import SHAPES, write

NVCC = {"nvcc": Tool("nvcc", "/usr/local/cuda/bin/nvcc", "12.4.131")}
RTX = replace(RTX_4070, host="rtx", tools=NVCC)
LAPTOP = replace(BARE, host="laptop")
MAC = replace(M3_MAX, host="mac", builds=(Build("f", "metal", 11434, (MTL0,)),))
HOSTS = {"rtx": RTX, "laptop": LAPTOP, "mac": MAC}
INVENTORY = Inventory(
    hosts={name: Host(address="192.0.2.1") for name in HOSTS},
    models={"qwen": Model(source="file:qwen.gguf", allow_unpinned=True)},
    servers={"chat": Server(model="qwen", on=("mac",), context=4096, kv_type="q8_0")},
)
NEVER = ({}, None, 0.0)  # nothing was measured on the host
SIZES = {"weights", "kv", "compute", "other", "total"}


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shapes")
    found = {}
    for name in ("qwen3-8b", "qwen3-32b", "llama3-70b"):
        path = write(folder / name, SHAPES[name], file_type=15)
        found[name] = join(name, [(read(path), path.stat().st_size)], "5" * 64)
    return found


def request(*hosts: str, **options) -> Request:
    values = {"model": "qwen", "context": None, "parallel": None, "kv_type": None}
    return Request("fit", hosts or tuple(HOSTS), values | options)


def answered(wanted: Request, weights: Weights, host: str, oracle: str = "", facts=None) -> Answer:
    """What the flow returns, its questions answered from what is known."""
    conversation = flow(wanted, INVENTORY, host)
    need = next(conversation)
    answers = {ReadWeights: weights, Probe: facts or HOSTS[host], AskOracle: oracle, LastMeasured: NEVER}
    while True:
        try:
            need = conversation.send(answers[type(need)])
        except StopIteration as stop:
            return stop.value


def results(weights: Weights, **options) -> tuple[Request, dict[str, object]]:
    wanted = request(**options)
    found = {host: answered(wanted, weights, host) for host in HOSTS}
    return wanted, found | {"gone": UnreachableError("no route to it", host="gone", next="fleet facts gone")}


def test_the_header_is_read_before_any_host_is_asked(weights):
    conversation = flow(request("rtx"), INVENTORY, "rtx")
    assert next(conversation) == ReadWeights("qwen")
    assert conversation.send(weights["qwen3-8b"]) == Probe("rtx")


def test_the_document_has_every_host_and_no_key_that_is_not_promised(weights):
    wanted, found = results(weights["qwen3-32b"], context=16384, parallel=1)
    said = json.loads(json.dumps(document(wanted, found)))
    assert set(said) == {"model", "hosts"}
    assert verb.schema == "fleet.fit/1"
    assert [host["name"] for host in said["hosts"]] == [*HOSTS, "gone"]
    for host in said["hosts"]:
        keys = {"name", "verdict", "bytes", "available", "speed", "speed_unknown", "changes", "error"}
        assert set(host) == keys
        assert set(host["bytes"]) == SIZES
        assert host["verdict"] in ("fits", "changes", "no", "unknown")
        if host["speed"] is not None:
            assert set(host["speed"]) == {"tps", "low", "high", "ceiling"}
            assert host["speed"]["low"] <= host["speed"]["tps"] <= host["speed"]["ceiling"]
    assert said["hosts"][-1]["error"]["kind"]
    assert said["hosts"][-1]["bytes"] == dict.fromkeys(SIZES)


def test_a_speed_that_nobody_knows_has_its_reason_in_the_document_too(weights):
    wanted = request("laptop", context=4096)
    found = answered(wanted, weights["qwen3-8b"], "laptop")
    (host,) = document(wanted, {"laptop": found})["hosts"]
    assert host["speed"] is None
    assert host["speed_unknown"] == found.unrated
    assert found.unrated
    (known,) = document(wanted, {"rtx": answered(wanted, weights["qwen3-8b"], "rtx")})["hosts"]
    assert known["speed"] and known["speed_unknown"] is None


def test_what_fits_takes_less_than_is_there_and_what_does_not_takes_more(weights):
    for name in weights:
        wanted, found = results(weights[name], context=8192, parallel=1)
        for host in document(wanted, found)["hosts"][:-1]:
            if host["verdict"] == "fits":
                assert host["bytes"]["total"] <= host["available"]
                assert host["changes"] == []
            else:
                assert host["bytes"]["total"] > host["available"]


def test_a_host_where_it_fits_is_a_proposal_for_one_where_it_does_not(weights):
    wanted, found = results(weights["qwen3-8b"], context=24576, parallel=1, kv_type="f16")
    said = {host["name"]: host for host in document(wanted, found)["hosts"]}
    assert said["rtx"]["verdict"] == "changes"
    assert said["laptop"]["verdict"] == "fits"
    assert {"on": ["laptop"]} in [change["settings"] for change in said["rtx"]["changes"]]


def test_speed_comes_with_its_range_where_the_device_is_known(weights):
    found = answered(request("rtx", context=4096), weights["qwen3-8b"], "rtx").fit
    assert found.verdict == "fits"
    # 8.1 GB at 504 GB/s cannot be faster than this
    assert found.speed.low < found.speed.tps < found.speed.high < 504 / 8.1 * 1.01


def test_lines_are_no_wider_than_eighty_columns_and_say_the_verdict_first(weights):
    wanted, found = results(weights["qwen3-32b"], context=32768)
    text = list(lines(wanted, found))
    assert all(len(line) <= 80 for line in text)
    assert any(line.startswith(("rtx: fits with changes", "rtx: does not")) for line in text)
    assert any(line.startswith("gone: unknown, no route to it") for line in text)


def test_what_is_not_asked_is_as_the_hosts_own_server_has_it(weights):
    found = answered(request("mac"), weights["qwen3-8b"], "mac").wish
    assert (found.context, found.kv_type_k, found.unified) == (4096, "q8_0", True)
    told = answered(request("mac", context=8192, parallel=2, kv_type="f16"), weights["qwen3-8b"], "mac").wish
    assert (told.context, told.parallel, told.kv_type_k, told.unified) == (8192, 2, "f16", False)


def test_what_our_own_server_of_the_model_holds_is_there_for_its_successor(weights):
    inventory = INVENTORY.model_copy(
        update={"servers": {"chat": Server(model="qwen", on=("rtx",), context=8192)}}
    )
    gpu = RTX.gpus[0]
    full = replace(
        RTX,
        gpus=(replace(gpu, memory_free=1 << 30),),
        instances=(instance(server="chat", state="running"),),
    )
    conversation = flow(request("rtx"), inventory, "rtx")
    answers = {ReadWeights: weights["qwen3-8b"], Probe: full, LastMeasured: NEVER}
    need = next(conversation)
    with pytest.raises(StopIteration) as stop:
        while True:
            need = conversation.send(answers[type(need)])
    assert stop.value.value.fit.verdict == "fits"


def test_what_a_start_showed_is_better_than_what_was_predicted_of_it():
    proof = Proof(
        *("r", 0.0, (("MTL0", 900), ("host", 500)), (("MTL0", 800), ("host", 400)), 1, 1, None, None, None),
        Expected(),
    )
    assert shown(instance(proof=proof)) == {"MTL0": 900, "host": 100}
    assert shown(instance()) == {}


def test_a_model_without_a_formula_is_asked_of_the_hosts_own_planner(weights):
    known = weights["qwen3-8b"]
    header = replace(known.header, values={**known.header.values, "general.architecture": "rwkv7"})
    values = {key.replace("qwen3.", "rwkv7."): value for key, value in header.values.items()}
    strange = replace(known, header=replace(header, values=values))
    blind = answered(request("laptop"), strange, "laptop")
    assert blind.fit.verdict == "unknown"
    said = document(request("laptop"), {"laptop": blind})["hosts"][0]
    assert "recurrent network" in said["error"]["message"]
    ready = replace(LAPTOP, builds=(Build("f" * 16, "cpu", 11434),), models=(ModelFile("5" * 64, 1),))
    found = answered(request("laptop", context=4096), strange, "laptop", "Host 8000 600 200 \n", ready)
    assert (found.fit.verdict, found.fit.kv) == ("fits", 600 * 2**20)


def test_a_cache_type_that_is_none_is_a_mistake_of_the_person(weights):
    with pytest.raises(UsageError, match="no KV cache type called 'q9_0'"):
        next(flow(request("rtx", kv_type="q9_0"), INVENTORY, "rtx"))


def test_a_gpu_that_nothing_can_be_built_for_is_named(weights):
    bare = replace(RTX, tools={}, gpus=(Gpu("nvidia", "RTX", "cuda", 1 << 33, 1 << 33, "8.9", None, None),))
    found = answered(request("rtx", context=4096), weights["qwen3-8b"], "rtx", facts=bare)
    assert [pool.name for pool in found.fit.pools] == ["CUDA0", "host"]
    assert any("nvcc" in note and "as if that were mended" in note for note in found.notes)


@pytest.mark.parametrize("option", [{"parallel": 0}, {"parallel": -1}, {"context": 0}, {"context": 10**22}])
def test_a_number_that_no_server_takes_is_a_mistake_of_the_person(weights, option):
    with pytest.raises(UsageError, match="is not between 1 and"):
        answered(request("rtx", **option), weights, "rtx")


def test_a_long_error_is_told_within_eighty_columns():
    gone = UnreachableError("no route to it " * 20, host="gone", next="fleet facts gone")
    assert max(map(len, lines(request("gone"), {"gone": gone}))) <= 80
