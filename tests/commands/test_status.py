"""status as a conversation, and what it prints."""

import pytest

from fleet.commands import status
from fleet.core.errors import ProbeError, UnreachableError
from fleet.core.facts import Live, Memory, Slot
from fleet.core.flow import LastMeasured, Look, Probe
from fleet.core.proof import Expected, Proof
from fleet.core.render import table
from tests.commands.values import INVENTORY, ended, facts, instance, request, thrown

GONE = UnreachableError("no answer", next="ssh laptop")
BUSY = Slot(0, 1, True, 5, 5, 10, 512)


def live(**changes):
    values = {
        "server": "chat", "health": "ready", "slots": (), "deferred": None,
        "generation_tps": None, "prompt_tps": None, "at": 100.0, "reason": None,
    }  # fmt: skip
    return Live(**(values | changes))


def looking(host="laptop", measured=None, seen=90.0):
    flow = status.verb.flow(request("status", host), INVENTORY, host)
    assert next(flow) == LastMeasured(host)
    assert flow.send((measured or {}, seen, 100.0)) == Probe(host)
    return flow


def answered(found, *lives, **more):
    flow = looking(**more)
    assert isinstance(flow.send(found), Look)
    return ended(flow, lives)


def word(found, *lives):
    (one,) = answered(found, *lives).servers
    return one.state, one.reason


def test_a_host_that_does_not_answer_is_down_with_its_age_and_its_error():
    found = thrown(looking(), GONE)
    assert (found.state, found.age, found.error) == ("down", 10.0, GONE)
    assert [(one.name, one.state) for one in found.servers] == [("chat", "unknown")]
    assert status.failure(found) is GONE


def test_a_part_time_host_that_does_not_answer_is_asleep_and_that_is_no_error():
    found = thrown(looking("mac"), GONE)
    assert (found.state, found.error) == ("asleep", None)


@pytest.mark.parametrize("kind", ["auth", "host-key-changed", "host-key-unknown"])
def test_a_part_time_host_that_refuses_us_is_not_asleep(kind):
    found = thrown(looking("mac"), UnreachableError("no", kind=kind))
    assert found.state == "down"
    assert found.error is not None


def test_a_host_that_goes_away_between_probe_and_look_is_down():
    flow = looking()
    flow.send(facts(instances=(instance(),)))
    assert thrown(flow, UnreachableError("lost", kind="link-lost")).state == "down"


def test_a_host_never_seen_has_no_age():
    flow = status.verb.flow(request("status"), INVENTORY, "laptop")
    next(flow)
    flow.send(({}, None, 100.0))
    assert thrown(flow, GONE).age is None


def test_a_wanted_server_that_is_not_there_is_unknown_and_the_next_command_is_named():
    (one,) = answered(facts()).servers
    assert (one.name, one.state) == ("chat", "unknown")
    assert "fleet deploy laptop" in one.reason


@pytest.mark.parametrize(
    ("changes", "lives", "state", "reason"),
    [
        ({}, [live()], "ready", None),
        ({}, [live(slots=(BUSY,))], "busy", None),
        ({}, [live(health="loading")], "loading", None),
        ({}, [live(health="sleeping")], "sleeping", "the model is unloaded"),
        ({}, [live(health="silent", reason="no end after 5 s")], "degraded", "no end after 5 s"),
        ({}, [], "unknown", "not asked"),
        ({"state": "starting"}, [], "loading", None),
        ({"state": "stopped", "held": "making room"}, [], "held", "making room"),
        ({"state": "stopped"}, [], "stopped", None),
        ({"state": "stopped", "boot": "boot-0"}, [], "stopped", "was restarted"),
        ({"state": "failed", "exit_code": 1, "log_tail": ("a", "no file")}, [], "failed", "exit 1; no file"),
    ],
)  # fmt: skip
def test_the_word_of_a_server(changes, lives, state, reason):
    said, why = word(facts(instances=(instance(**changes),)), *lives)
    assert said == state
    assert (why is None) if reason is None else (reason in why)


def test_a_server_that_is_not_in_the_inventory_is_undeclared():
    flow = looking("mac")
    flow.send(facts(host="mac", instances=(instance(server="old"),)))
    (one,) = ended(flow, (live(server="old"),)).servers
    assert one.state == "undeclared"


@pytest.mark.parametrize(
    ("changes", "lives", "state"),
    [
        ({}, [live()], "ready"),
        ({}, [live(slots=(BUSY,))], "busy"),
        ({"state": "failed"}, [], "degraded"),
        ({"state": "stopped"}, [], "degraded"),
        ({"state": "stopped", "held": "x"}, [], "ready"),
    ],
)
def test_the_word_of_a_host_follows_its_servers(changes, lives, state):
    assert answered(facts(instances=(instance(**changes),)), *lives).state == state


def test_a_live_rate_has_age_zero_and_else_the_last_measured_one_is_told_with_its_age():
    there = facts(instances=(instance(),))
    (one,) = answered(there, live(generation_tps=50.0)).servers
    assert (one.generation_tps, one.generation_age) == (50.0, 0.0)
    (one,) = answered(there, live(), measured={"chat": (40.0, 70.0)}).servers
    assert (one.generation_tps, one.generation_age) == (40.0, 30.0)
    (one,) = answered(there, live()).servers
    assert (one.generation_tps, one.generation_age) == (None, None)


def test_what_a_start_showed_is_in_the_document_and_a_shortfall_has_its_next_command():
    shown = Proof(
        *(
            "aaaaaaaaaaaa",
            100.0,
            (("CUDA0", 2000), ("host", 100)),
            (("CUDA0", 1500),),
            300,
            200,
            (10, 37),
            2000,
        ),
        *(
            12.5,
            Expected(2200, True, 50.0, 40.0, 60.0),
            "only 10 of 37 layers are on the GPU",
            "fleet doctor laptop",
        ),
    )
    result = answered(facts(instances=(instance(device="CUDA", proof=shown),)), live())
    assert (result.servers[0].state, result.state) == ("degraded", "degraded")
    (server,) = status.document(request("status"), {"laptop": result})["hosts"][0]["servers"]
    assert server["reason"] == "only 10 of 37 layers are on the GPU"
    proof = server["proof"]
    assert (proof["bytes"], proof["bytes_predicted"], proof["bytes_projected"]) == (2100, 2200, 2000)
    assert (proof["tps"], proof["tps_predicted"], proof["layers"]) == (12.5, 50.0, [10, 37])
    assert "-> next: fleet doctor laptop" in list(status.lines(request("status"), {"laptop": result}))


def test_unknown_memory_is_null_and_not_zero():
    found = answered(facts(memory=Memory(None, None, False, None, None)))
    document = status.document(request("status"), {"laptop": found})
    assert document["hosts"][0]["memory"] == {"used": None, "total": None}


def test_the_document_has_the_promised_keys_for_every_host_however_it_ended():
    results = {
        "a": answered(facts(instances=(instance(),)), live()),
        "b": thrown(looking(), GONE),
        "c": ProbeError("an answer we cannot read"),
    }
    hosts = status.document(request("status"), results)["hosts"]
    keys = {"name", "state", "age_s", "backend", "memory", "servers", "error"}
    assert all(set(host) == keys for host in hosts)
    assert [host["state"] for host in hosts] == ["ready", "down", "unknown"]
    assert hosts[1]["error"]["kind"] == "unreachable"
    assert hosts[2]["error"]["kind"] == "probe"
    server = hosts[0]["servers"][0]
    assert {"name", "state", "model", "generation_tps", "generation_age_s", "listen"} <= set(server)


def test_long_names_keep_eighty_columns():
    name = "a" * 60
    found = answered(facts(instances=(instance(server=name, state="failed", exit_code=1),)))
    lines = list(status.lines(request("status"), {name: found}))
    assert max(map(len, lines)) <= 80
    assert name in "\n".join(lines)


def test_the_table_has_a_line_for_each_server_and_the_reasons_below():
    results = {
        "a": answered(facts(instances=(instance(state="failed", exit_code=1),))),
        "b": thrown(looking(), GONE),
    }
    lines = list(status.lines(request("status"), results))
    assert lines[0].split()[:2] == ["HOST", "STATE"]
    assert lines[1].split()[:5] == ["a", "degraded", "cpu", "chat", "failed"]
    assert lines[2].split()[:2] == ["b", "down"]
    assert lines[3] == "a: chat failed: exit 1"
    assert lines[-1] == "-> next: ssh laptop"


def test_a_narrow_table_cuts_names_and_never_a_number_or_its_age():
    head, row = ("HOST", "GEN t/s"), ("a-host-with-a-long-name", "53.5 (3s ago)")
    (_, line) = table(head, [row], 24, {"GEN t/s"})
    assert line.endswith("  53.5 (3s ago)")
    assert len(line) <= 24
