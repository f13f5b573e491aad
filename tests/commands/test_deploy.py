"""deploy, plan, build and push as conversations."""

import pytest

from fleet.builds import plan as builds
from fleet.commands import build, deploy, plan, push
from fleet.core.errors import PlanError, UnreachableError
from fleet.core.facts import Build, Facts, Tool
from fleet.core.flow import (
    Carried,
    Carry,
    Claim,
    Claimed,
    Confirm,
    FindModel,
    FindTree,
    Probe,
    ReadProgram,
    ReadWeights,
)
from fleet.core.inventory import Host, Server
from fleet.core.plan import Plan, Wait
from fleet.models.layout import layout
from fleet.servers.release import release
from fleet.servers.shares import Case
from fleet.servers.sizing import size
from tests.commands.values import (
    HELD,
    HELP,
    INVENTORY,
    SHA,
    TINY,
    TREE,
    WEIGHTS,
    asked,
    ended,
    facts,
    instance,
    request,
)

TOOLS = {name: Tool(name, f"/usr/bin/{name}", "3.25") for name in ("cmake", "c++", "cc", "ninja")}
BARE = facts(tools=TOOLS)
BUILT = (Build(builds.wanted(INVENTORY.hosts["laptop"], BARE, TREE), "cpu", 11434),)
US, TWIN = {Claim: Claimed("us")}, {Claim: Claimed("twin", builder="rtx")}


def finished() -> Facts:
    """The laptop as it is after a deploy."""
    there = facts(tools=TOOLS, builds=BUILT, models=(HELD,))
    chat = INVENTORY.servers["chat"]
    sized = size("laptop", Case("chat", chat, layout(WEIGHTS.header)), [], there, "cpu", None)
    wanted = release(
        *("chat", chat, Host(address="10.0.0.1"), there, BUILT[0].fingerprint, "cpu", SHA),
        sizing=sized.sizing,
    )
    return facts(tools=TOOLS, builds=BUILT, models=(HELD,), instances=(instance(release=wanted.rid),))


def deploying(**options):
    flow = deploy.verb.flow(request("deploy", **options), INVENTORY, "laptop")
    assert next(flow) == Probe("laptop")
    return flow


def test_saying_no_changes_nothing_and_returns_the_plan():
    flow = deploying()
    wanted = asked(flow, BARE, US)
    assert [step.phase for step in wanted.steps] == [
        "build", "build", "build", "build", "push", "prepare", "start", "health",
    ]  # fmt: skip
    assert ended(flow, False) is wanted


def test_what_was_agreed_to_is_carried_out_and_looked_at_again_until_nothing_is_left():
    flow = deploying()
    wanted = asked(flow, BARE, US)
    carried = flow.send(True)
    assert carried == Carry(wanted.now())
    assert [step.phase for step in carried.plan.steps] == ["build"] * 4 + ["push"]
    assert flow.send(Carried()) == Probe("laptop")
    second = asked(flow, facts(tools=TOOLS, builds=BUILT, models=(HELD,)))
    assert [step.phase for step in second.steps] == ["prepare", "start", "health"]
    assert flow.send(True) == Carry(second)
    assert flow.send(Carried()) == Probe("laptop")
    assert asked(flow, finished()).steps == ()
    done = ended(flow, False)
    assert [step.key for step in done.steps] == [step.key for step in wanted.steps]


def test_a_yes_to_the_first_plan_covers_a_server_whose_build_speaks_otherwise():
    flow = deploying()
    wanted = asked(flow, BARE, US)
    flow.send(True)
    flow.send(Carried())
    old = "\n".join(line for line in HELP.splitlines() if not line.startswith("--cors-"))
    there = facts(tools=TOOLS, builds=BUILT, models=(HELD,))
    second = asked(flow, there, {ReadProgram: (old, "version: 9439 (47f6423ed)")})
    assert second.steps[0].title != wanted.steps[-3].title
    assert {step.key for step in second.steps} <= {step.key for step in wanted.steps}


def test_the_plan_of_a_host_that_is_as_wanted_is_empty():
    flow = deploying()
    assert asked(flow, finished()).steps == ()
    assert ended(flow, False).steps == ()


def test_a_host_that_holds_the_build_does_not_claim_it():
    flow = deploying()
    assert flow.send(finished()) == FindTree()
    assert flow.send(TREE) == ReadProgram("laptop", BUILT[0].fingerprint)
    assert flow.send((HELP, "")) == FindModel("tiny")
    assert flow.send(TINY) == ReadWeights("tiny")
    assert isinstance(flow.send(WEIGHTS), Confirm)


def test_a_cached_build_is_sent_and_not_made():
    flow = deploying()
    wanted = asked(flow, BARE, {Claim: Claimed("cache", size=5)})
    assert [step.title.split()[0] for step in wanted.steps[:3]] == ["send", "send", "prove"]
    assert wanted.steps[0].bytes == 5


def test_a_twin_waits_for_its_builder_and_builds_itself_when_that_is_lost():
    flow = deploying()
    wanted = asked(flow, BARE, TWIN)
    assert isinstance(wanted.steps[0].action, Wait)
    assert "rtx" in wanted.steps[0].title
    flow.send(True)
    assert flow.send(Carried(again="rtx did not finish the build")) == Probe("laptop")
    again = asked(flow, BARE, US)
    assert not isinstance(again.steps[0].action, Wait)
    assert isinstance(flow.send(True), Carry)


def test_rebuild_counts_for_the_first_round_only():
    flow = deploying(rebuild=True)
    assert flow.send(finished()) == FindTree()
    claim = flow.send(TREE)
    assert isinstance(claim, Claim)
    assert claim.rebuild
    assert isinstance(flow.send(Claimed("us")), ReadProgram)
    flow.send((HELP, ""))
    assert flow.send(TINY) == ReadWeights("tiny")
    assert isinstance(flow.send(WEIGHTS), Confirm)
    flow.send(True)
    flow.send(Carried())
    assert asked(flow, finished()).steps == ()


def test_a_host_that_never_gets_there_ends_after_four_rounds():
    flow = deploying()
    for number in range(deploy.ROUNDS):
        asked(flow, BARE, US)
        flow.send(True)
        if number + 1 < deploy.ROUNDS:
            flow.send(Carried())
    with pytest.raises(PlanError) as wrong:
        flow.send(Carried())
    assert "4 rounds" in wrong.value.what
    assert wrong.value.next == "fleet doctor laptop"


def test_an_unreachable_host_ends_its_own_flow_with_that_error():
    flow = deploying()
    gone = UnreachableError("nobody answers")
    with pytest.raises(UnreachableError) as wrong:
        flow.throw(gone)
    assert wrong.value is gone


def test_a_held_server_stays_stopped_and_the_plan_says_so():
    there = finished()
    (one,) = there.instances
    held = instance(release=one.release, state="stopped", held="making room")
    flow = deploying()
    wanted = asked(flow, facts(tools=TOOLS, builds=BUILT, models=(HELD,), instances=(held,)))
    assert wanted.steps == ()
    assert any("chat is held: making room" in note for note in wanted.notes)


def test_an_undeclared_server_is_shown_and_removed_only_with_prune():
    there = facts(tools=TOOLS, instances=(instance(server="old"),))
    lonely = INVENTORY.model_copy(update={"servers": {}})
    flow = deploy.verb.flow(request("deploy"), lonely, "laptop")
    next(flow)
    kept = asked(flow, there)
    assert kept.steps == ()
    assert any("old is undeclared" in note for note in kept.notes)
    flow = deploy.verb.flow(request("deploy", prune=True), lonely, "laptop")
    next(flow)
    assert [step.title for step in asked(flow, there).steps][-1] == "stop and remove old"


def test_a_host_without_servers_has_nothing_to_do_and_needs_no_source():
    flow = deploy.verb.flow(request("deploy"), INVENTORY, "mac")
    next(flow)
    wanted = asked(flow, BARE, {})
    assert wanted.steps == ()
    assert wanted.notes == ("no server of the inventory is wanted here",)


def test_only_the_named_server_is_deployed():
    two = INVENTORY.model_copy(
        update={"servers": {name: Server(model="tiny", on=("laptop",)) for name in ("chat", "other")}}
    )
    flow = deploy.verb.flow(request("deploy", servers=("other",)), two, "laptop")
    next(flow)
    wanted = asked(flow, facts(tools=TOOLS, builds=BUILT, models=(HELD,)))
    assert any("start other" in step.title for step in wanted.steps)
    assert not any("chat" in step.title for step in wanted.steps)


def test_plan_asks_nothing_of_people_and_returns_the_steps_of_deploy():
    flow = plan.verb.flow(request("plan"), INVENTORY, "laptop")
    assert next(flow) == Probe("laptop")
    assert flow.send(BARE) == FindTree()
    assert isinstance(flow.send(TREE), Claim)
    flow.send(Claimed("us"))
    assert flow.send(TINY) == ReadWeights("tiny")
    assert [step.phase for step in ended(flow, WEIGHTS).steps][-1] == "health"


def test_build_stops_at_the_build():
    flow = build.verb.flow(request("build"), INVENTORY, "laptop")
    next(flow)
    wanted = asked(flow, BARE, US)
    assert {step.phase for step in wanted.steps} == {"build"}
    flow.send(True)
    flow.send(Carried())
    assert asked(flow, facts(tools=TOOLS, builds=BUILT)).steps == ()


def test_push_brings_the_models_of_the_hosts_servers():
    flow = push.verb.flow(request("push"), INVENTORY, "laptop")
    next(flow)
    wanted = asked(flow, BARE)
    assert [step.title for step in wanted.steps] == ["push model tiny"]
    assert isinstance(flow.send(True), Carry)
    flow.send(Carried())
    assert asked(flow, facts(models=(HELD,))).steps == ()


def test_push_of_a_model_that_is_not_in_the_inventory_names_those_that_are():
    flow = push.verb.flow(request("push", model=("nemo",)), INVENTORY, "laptop")
    next(flow)
    with pytest.raises(PlanError) as wrong:
        flow.send(BARE)
    assert "tiny" in str(wrong.value.next)


def test_the_documents_of_verbs_that_plan_hold_plans_and_errors():
    wanted = Plan("a", (), ("a note",))
    gone = UnreachableError("nobody answers", next="ssh a")
    document = deploy.verb.document(request("deploy"), {"a": wanted, "b": gone})
    assert document["hosts"][0] == {"name": "a", "steps": [], "notes": ["a note"], "error": None}
    assert document["hosts"][1]["error"] == {
        "kind": "unreachable", "message": "nobody answers", "next": "ssh a",
    }  # fmt: skip
    assert list(deploy.verb.lines(request("deploy"), {"a": wanted, "b": gone})) == [
        "a: nothing to do", "  - a note",
    ]  # fmt: skip


def test_explain_prints_every_setting_with_its_reason_and_source():
    asking = request("plan", explain=True)
    flow = plan.verb.flow(asking, INVENTORY, "laptop")
    next(flow)
    need = flow.send(finished())
    answers = {FindTree: TREE, ReadProgram: (HELP, ""), FindModel: TINY}
    while not isinstance(need, ReadWeights):
        need = flow.send(answers[type(need)])
    found = ended(flow, WEIGHTS)
    text = list(plan.verb.lines(asking, {"laptop": found}))
    assert "chat@laptop" in text
    first = next(number for number, line in enumerate(text) if line.startswith("  --threads "))
    assert text[first].startswith("  --threads 6: the 6 cores")
    assert text[first + 1].startswith("      ") and text[first + 1].endswith("cpu_get_num_math]")
    assert max(map(len, text)) <= 80
    (host,) = plan.verb.document(asking, {"laptop": found})["hosts"]
    assert all(one["reason"] and one["source"] for one in host["settings"]["chat"])
    quiet = request("plan")
    assert not any("--threads" in line for line in plan.verb.lines(quiet, {"laptop": found}))
    assert "settings" not in plan.verb.document(quiet, {"laptop": found})["hosts"][0]
