"""chat and forward as conversations."""

import pytest

from fleet.commands import chat, forward
from fleet.core.errors import PlanError, UsageError
from fleet.core.events import Measured, Notice
from fleet.core.flow import Now, Print, Probe, ReadLine, Say
from fleet.core.talks import Complete, Completion, Forward
from tests.commands.values import INVENTORY, ended, facts, instance, request

ANSWER = Completion("Paris.", 3, 42.0, 100.0, 0.25, "stop")
UP = facts(instances=(instance(),))


def chatting(found=UP, servers=(), **options):
    flow = chat.verb.flow(request("chat", servers=servers, max_tokens=16, **options), INVENTORY, "laptop")
    assert next(flow) == Probe("laptop")
    return flow, flow.send(found)


def told(flow, need):
    """Events said until the next question."""
    events = []
    while isinstance(need, Print | Now | Say):
        if isinstance(need, Say):
            events.append(need.event)
        need = flow.send((100.0, "run") if isinstance(need, Now) else None)
    return events, need


def test_one_question_streams_one_answer_and_keeps_what_was_measured():
    flow, need = chatting(prompt="capital of France?")
    assert isinstance(need, Complete)
    assert need.messages == (("user", "capital of France?"),)
    assert (need.server, need.max_tokens) == ("chat", 16)
    assert flow.send(ANSWER) == Print("")
    assert flow.send(None) == Now()
    said = flow.send((100.0, "run"))
    assert isinstance(said, Say)
    assert isinstance(said.event, Measured)
    assert (said.event.generation_tps, said.event.ttft, said.event.ts) == (42.0, 0.25, 100.0)
    flow.send(None)
    notice = flow.send((100.0, "run"))
    assert isinstance(notice.event, Notice)
    assert notice.event.message == "TTFT 250 ms, 42.0 t/s, 3 tokens"
    assert ended(flow, None) is ANSWER


def test_a_conversation_sends_what_was_said_before_and_ends_with_the_input():
    flow, need = chatting(system="be short")
    assert need == ReadLine("you> ")
    assert isinstance(flow.send("  "), ReadLine)
    need = flow.send("hello")
    assert need.messages == (("system", "be short"), ("user", "hello"))
    _, need = told(flow, flow.send(ANSWER))
    assert isinstance(need, ReadLine)
    need = flow.send("and then?")
    assert [role for role, _ in need.messages] == ["system", "user", "assistant", "user"]
    _, need = told(flow, flow.send(ANSWER))
    assert ended(flow, None) is ANSWER


def test_a_rate_that_the_server_did_not_tell_is_not_kept():
    flow, _ = chatting(prompt="x", quiet=True)
    assert ended(flow, Completion("x", None, None, None, None, None)).text == "x"


def test_a_server_that_does_not_run_is_named_with_the_command_that_starts_it():
    with pytest.raises(PlanError, match="chat is stopped") as wrong:
        chatting(facts(instances=(instance(state="stopped"),)), prompt="x")
    assert wrong.value.next == "fleet start laptop"
    with pytest.raises(PlanError) as wrong:
        chatting(facts(), prompt="x")
    assert wrong.value.next == "fleet deploy laptop"


def test_where_several_servers_run_one_must_be_named():
    both = facts(instances=(instance(), instance(server="other")))
    with pytest.raises(PlanError) as wrong:
        chatting(both, prompt="x")
    assert "chat@laptop, other@laptop" in str(wrong.value.next)
    _, need = chatting(both, servers=("other",), prompt="x")
    assert need.server == "other"


def test_forward_opens_the_port_that_was_named_or_a_free_one():
    flow = forward.verb.flow(request("forward", port="8080"), INVENTORY, "laptop")
    next(flow)
    assert flow.send(UP) == Forward("laptop", "chat", UP.instances[0].listen, 8080)
    flow = forward.verb.flow(request("forward"), INVENTORY, "laptop")
    next(flow)
    assert flow.send(UP).port == 0


@pytest.mark.parametrize("port", ["http", "-1", "65536", "8080x"])
def test_forward_refuses_what_is_no_port_before_it_asks_anybody(port):
    with pytest.raises(UsageError):
        next(forward.verb.flow(request("forward", port=port), INVENTORY, "laptop"))
