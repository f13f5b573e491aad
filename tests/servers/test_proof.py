"""What a start shows, told from the logs of real ones."""

from pathlib import Path

import pytest

from fleet.core.facts import Live
from fleet.core.proof import Expected, Proof, parse
from fleet.servers.proof import not_on_device, proof, summary
from fleet.watch.states import server_state
from tests.servers.values import instance

STARTS = Path(__file__).parent / "recordings" / "start"
MIB = 2**20
WHOLE = Expected(bytes=450 * MIB, is_whole=True, tps=60.0, low=45.0, high=70.0)
READY = Live("chat", "ready", (), None, None, None, 0.0, None)


def lines(name):
    return (STARTS / f"{name}.stderr.txt").read_text().splitlines()


def shown(name, device="RPC", expected=WHOLE):
    return proof("rtx", "chat", "aaaaaaaaaaaa", device, lines(name), 61.2, expected, 1000.0)


def test_all_layers_on_the_device_are_as_planned():
    found = shown("log_lv4_rpc_all_layers")
    assert dict(found.weights) == {"host": 170 * MIB, "RPC0": round(235.16 * MIB)}
    assert found.kv == 21 * MIB
    assert (found.layers, found.shortfall) == ((19, 19), None)
    assert found.projected == 276 * MIB


def test_layers_in_main_memory_are_a_shortfall_where_all_were_planned():
    found = shown("log_lv4_rpc_partial_10")
    assert found.layers == (10, 19)
    assert found.shortfall.startswith("only 10 of 19 layers are on the GPU")
    assert found.next == "fleet restart chat@rtx"
    assert shown("log_lv4_rpc_partial_10", expected=Expected(is_whole=False)).shortfall is None
    assert shown("log_lv4_rpc_partial_10", expected=Expected()).shortfall is None


def test_offloaded_layers_are_no_proof_but_buffers_are():
    said = lines("log_lv4_rpc_device_none")
    assert any("offloaded 19/19 layers to GPU" in line for line in said)
    assert not_on_device("RPC", said) == "not on the GPU: its weights are in main memory"
    assert not_on_device("RPC", lines("log_lv4_rpc_all_layers")) is None
    assert not_on_device("RPC", lines("log_lv4_rpc_partial_10")) is None


def test_a_cpu_server_is_where_it_should_be():
    found = shown("log_lv4", device=None, expected=Expected(bytes=round(291.1 * MIB)))
    assert [name for name, _ in found.devices] == ["host"]
    assert found.layers is None and found.shortfall is None
    assert abs(found.memory_error) < 0.01


def test_a_log_without_buffers_proves_nothing_either_way():
    assert not_on_device("CUDA", ["0.1 I srv  llama_server: model loaded"]) is None
    found = proof("rtx", "chat", "a" * 12, "CUDA", [], None, WHOLE, 0.0)
    assert (found.devices, found.bytes, found.memory_error, found.shortfall) == ((), None, None, None)


def test_a_proof_survives_its_way_to_the_host_and_back():
    found = shown("log_lv4_rpc_partial_10")
    assert parse(found.text()) == found
    assert "\n" not in found.text()


@pytest.mark.parametrize(
    "text",
    ["", "{}", "[]", "null", '{"release": 1}', "{" * 5000, "x" * 5000, '{"release": "a", "at": NaN}'],
)
def test_a_proof_that_is_none_of_ours_is_none(text):
    assert parse(text) is None


def test_a_hostile_proof_stays_data():
    good = shown("log_lv4_rpc_partial_10")
    evil = good.text().replace("only 10", "\\u001b[31m\\nonly 10").replace("RPC0", "R\\u202ePC0")
    found = parse(evil)
    assert isinstance(found, Proof)
    assert "\x1b" not in found.shortfall and "\n" not in found.shortfall
    assert all("\u202e" not in name for name, _ in found.devices)


def test_a_summary_says_planned_beside_measured():
    said = summary(shown("log_lv4_rpc_all_layers"))
    assert "on RPC0" in said and "in main memory" in said
    assert "(450.0 MiB planned)" in said
    assert "61.2 tokens/s (45-70 expected)" in said


def test_a_server_whose_start_fell_short_is_degraded_and_says_in_what():
    one = instance(device="RPC", proof=shown("log_lv4_rpc_partial_10"))
    state, reason = server_state(one, READY, True, "boot-1")
    assert state == "degraded" and reason.startswith("only 10 of 19 layers")


def test_a_server_that_came_back_without_its_gpu_is_degraded_before_anybody_proves_it():
    said = tuple(line for line in lines("log_lv4_rpc_device_none") if "buffer size" in line)
    lost = instance(device="RPC", is_proven=False, weights=said)
    assert server_state(lost, READY, True, "boot-1") == (
        "degraded",
        "not on the GPU: its weights are in main memory",
    )
    there = tuple(line for line in lines("log_lv4_rpc_all_layers") if "buffer size" in line)
    assert (
        server_state(instance(device="RPC", is_proven=False, weights=there), READY, True, "b")[0] == "ready"
    )


@pytest.mark.parametrize("value", ["1" + "0" * 400, "-5", "NaN", "Infinity", "1e999", '"fast"', "true"])
def test_a_speed_that_none_can_be_is_unknown_and_no_end_of_the_probe(value):
    kept = shown("log_lv4_rpc_all_layers").text()
    found = parse(kept.replace('"tps": 61.2', f'"tps": {value}'))
    assert found.tps is None
    assert found.kv == 21 * MIB
