"""What a host still lacks, as one plan: the order of its steps, and when nobody is asked anything."""

from pathlib import Path

import pytest

from fleet.core.errors import PlanError
from fleet.core.facts import Disk
from fleet.core.flow import Claim, Claimed, FindModel, FindTree, ReadProgram, ReadWeights
from fleet.core.inventory import Server
from fleet.core.plan import Plan
from fleet.servers.converge import build_steps, converge, push_steps
from tests.commands.test_deploy import BARE, BUILT, TOOLS
from tests.commands.values import HELD, INVENTORY, TINY, TREE, WEIGHTS, ended, facts, instance

ANSWERS = {FindTree: TREE, FindModel: TINY, Claim: Claimed("us"), ReadWeights: WEIGHTS}
HELP = (Path(__file__).parent / "recordings" / "help_llama-server.txt").read_text()


def planned(flow):
    """What the flow returns, and the kinds of its questions."""
    asked, answer = [], None
    while True:
        try:
            need = flow.send(answer)
        except StopIteration as stop:
            return stop.value, asked
        asked.append(type(need))
        answer = (HELP, "") if isinstance(need, ReadProgram) else ANSWERS[type(need)]


def test_a_build_comes_before_models_and_models_before_servers():
    plan, asked = planned(converge(INVENTORY, "laptop", BARE))
    assert asked == [FindTree, Claim, FindModel, ReadWeights]
    phases = [step.phase for step in plan.steps]
    assert phases == sorted(phases, key=["build", "push", "prepare", "start", "health"].index)


def test_a_host_without_wishes_is_asked_nothing():
    assert planned(converge(INVENTORY, "mac", BARE)) == (
        Plan("mac", (), ("no server of the inventory is wanted here",)), [],
    )  # fmt: skip


def test_a_host_with_nothing_but_undeclared_servers_needs_no_source():
    plan, asked = planned(converge(INVENTORY, "mac", facts(instances=(instance(),))))
    assert (plan.steps, asked) == ((), [])
    assert "undeclared" in plan.notes[0]


def test_a_model_of_two_servers_is_found_and_pushed_once():
    two = {name: Server(model="tiny", on=("laptop",)) for name in ("one", "two")}
    plan, asked = planned(
        converge(INVENTORY.model_copy(update={"servers": two}), "laptop", facts(tools=TOOLS, builds=BUILT))
    )
    assert asked.count(FindModel) == 1
    assert [step.phase for step in plan.steps].count("push") == 1


def test_a_full_disk_is_refused_before_anything_moves():
    with pytest.raises(PlanError) as wrong:
        planned(converge(INVENTORY, "laptop", facts(tools=TOOLS, builds=BUILT, disk=Disk(100, 10, 1000))))
    assert "laptop" in str(wrong.value.next) or "root" in str(wrong.value.next)


def test_a_missing_compiler_is_refused_with_the_command_that_installs_it():
    with pytest.raises(PlanError, match=r"C\+\+ compiler") as wrong:
        planned(converge(INVENTORY, "laptop", facts()))
    assert "install" in str(wrong.value.next)


def test_the_build_alone_names_its_fingerprint_and_backend():
    (steps, _, found, backend), asked = planned(
        build_steps(INVENTORY, "laptop", facts(tools=TOOLS, builds=BUILT))
    )
    assert (steps, found, backend, asked) == ([], BUILT[0].fingerprint, "cpu", [FindTree])


def test_what_is_held_is_not_pushed_again():
    flow = push_steps(INVENTORY, facts(models=(HELD,)), ["tiny"])
    assert next(flow) == FindModel("tiny")
    assert ended(flow, TINY) == []


@pytest.mark.parametrize(("args", "is_known"), [({"cache-ram": 0}, True), ({"cache-rum": 0}, False)])
def test_a_flag_that_the_build_does_not_know_is_refused_before_a_server_stops_for_it(args, is_known):
    server = {"chat": Server(model="tiny", on=("laptop",), args=args)}
    inventory = INVENTORY.model_copy(update={"servers": server})
    flow = converge(inventory, "laptop", facts(tools=TOOLS, builds=BUILT))
    if is_known:
        assert planned(flow)[1].count(ReadProgram) == 1
    else:
        with pytest.raises(PlanError, match="no --cache-rum; near: cache-ram"):
            planned(flow)


def test_flags_of_a_build_that_is_not_there_yet_are_not_asked_for():
    server = {"chat": Server(model="tiny", on=("laptop",), args={"cache-rum": 0})}
    inventory = INVENTORY.model_copy(update={"servers": server})
    assert ReadProgram not in planned(converge(inventory, "laptop", BARE))[1]
