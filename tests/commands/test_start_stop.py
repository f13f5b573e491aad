"""start, stop and restart as conversations."""

import pytest

from fleet.commands import restart, start, stop
from fleet.core.errors import PlanError
from fleet.core.flow import Carried, Carry, Probe
from tests.commands.values import INVENTORY, asked, ended, facts, instance, request

VERBS = {"start": start.verb, "stop": stop.verb, "restart": restart.verb}
RUNNING = facts(instances=(instance(),))
STOPPED = facts(instances=(instance(state="stopped"),))
HELD = facts(instances=(instance(state="stopped", held="making room"),))


def plan(name, found, *servers):
    flow = VERBS[name].flow(request(name, servers=servers), INVENTORY, "laptop")
    assert next(flow) == Probe("laptop")
    return asked(flow, found)


@pytest.mark.parametrize(
    ("name", "found", "phases"),
    [
        ("start", RUNNING, []),
        ("start", STOPPED, ["start", "health"]),
        ("start", HELD, ["start", "health"]),
        ("stop", RUNNING, ["stop", "stop"]),
        ("stop", HELD, []),
        ("restart", RUNNING, ["stop", "stop", "start", "health"]),
        ("restart", HELD, []),
    ],
)
def test_the_steps_of(name, found, phases):
    assert [step.phase for step in plan(name, found).steps] == phases


def test_a_second_stop_does_nothing_and_says_why_it_is_held():
    assert plan("stop", HELD).notes == ("chat is held already: making room",)


def test_stopping_says_what_users_will_notice():
    assert "fleet start chat@laptop" in (plan("stop", RUNNING).steps[-1].outage or "")


@pytest.mark.parametrize("name", VERBS)
def test_a_server_that_is_not_deployed_is_refused_and_the_next_command_named(name):
    with pytest.raises(PlanError) as wrong:
        plan(name, facts(), "chat")
    assert "fleet deploy laptop" in str(wrong.value.next)


@pytest.mark.parametrize("name", VERBS)
def test_no_means_no_and_yes_is_carried_out_once(name):
    found = STOPPED if name == "start" else RUNNING
    flow = VERBS[name].flow(request(name), INVENTORY, "laptop")
    next(flow)
    wanted = asked(flow, found)
    assert ended(flow, False) is wanted
    flow = VERBS[name].flow(request(name), INVENTORY, "laptop")
    next(flow)
    wanted = asked(flow, found)
    assert flow.send(True) == Carry(wanted)
    assert ended(flow, Carried()) == wanted
