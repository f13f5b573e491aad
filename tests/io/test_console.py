"""A shell as a door: who is told what, and when a yes counts."""

import io

import pytest

from fleet.core.errors import DeclinedError
from fleet.core.events import HostFailed, Notice, StepDone, StepProgress, StepStarted
from fleet.core.plan import Plan, Run, Step
from fleet.core.render import plan_lines
from fleet.io.console import Console
from fleet.io.door import Question

STEP = Step("a step", Run(":", 1.0), "k", "prepare")


def console(**more) -> Console:
    return Console(out=io.StringIO(), err=io.StringIO(), **more)


def question(*hosts: str, level: int = 1) -> Question:
    return Question("push", level, tuple(Plan(host, (STEP,)) for host in hosts))


@pytest.mark.parametrize(
    ("options", "asked", "following"),
    [
        ({"yes": True}, question("a"), None),
        ({"yes": True, "max_hosts": 2}, question("a", "b", level=2), None),
        ({"yes": True, "confirm_name": "a"}, question("a", level=3), None),
        ({}, question("a"), "add --yes"),
        ({}, question("a", "b", level=2), "add --yes --max-hosts 2"),
        ({}, question("a", level=3), "add --yes --confirm a"),
        ({"yes": True}, question("a", "b", level=2), "add --max-hosts 2"),
        ({"yes": True, "max_hosts": 1}, question("a", "b", level=2), "--max-hosts 2, or fewer hosts"),
        ({"yes": True}, question("a", level=3), "add --confirm a beside --yes"),
        ({"yes": True, "confirm_name": "b"}, question("a", level=3), "add --confirm a beside --yes"),
        ({"yes": True, "confirm_name": "a", "max_hosts": 2}, question("a", "b", level=3), "fleet push a"),
    ],
)
async def test_when_yes_counts(options, asked, following):
    door = console(**options)
    if following is None:
        assert await door.confirm(asked)
    else:
        with pytest.raises(DeclinedError) as wrong:
            await door.confirm(asked)
        assert wrong.value.exit_code == 7
        assert following in str(wrong.value.next)
    assert "1. a step" in door.err.getvalue()


def test_results_go_to_stdout_and_all_else_to_stderr():
    door = console()
    door.say(Notice(ts=1.0, run="r", host="a", message="hello"))
    door.print("a result")
    assert (door.out.getvalue(), door.err.getvalue()) == ("a result\n", "a: hello\n")


STEPS = (
    StepStarted(ts=1.0, run="r", host="a", step="build", phase="build", done=0, total=1),
    StepDone(ts=2.0, run="r", host="a", step="build", phase="build", key="b", done=1, total=1, seconds=1.0),
)


def test_on_a_terminal_a_step_is_one_line():
    door = console(is_live=True)
    for event in STEPS:
        door.say(event)
    assert door.err.getvalue() == "a: [1/1] build ...\n\x1b[1A\x1b[2Ka: [1/1] build: ok (1 s)\n"


def test_another_line_between_is_not_written_over():
    door = console(is_live=True)
    door.say(STEPS[0])
    door.say(Notice(ts=1.0, run="r", host="b", message="hello"))
    door.say(STEPS[1])
    assert "\x1b" not in door.err.getvalue()


def test_away_from_a_terminal_nothing_moves_the_cursor():
    door = console()
    for event in STEPS:
        door.say(event)
    assert door.err.getvalue() == "a: [1/1] build ...\na: [1/1] build: ok (1 s)\n"


def test_plans_that_differ_only_in_the_host_are_shown_once():
    steps = (STEP, STEP)
    plans = (Plan("a", steps), Plan("b", (STEP,)), Plan("c", steps))
    assert plan_lines(plans) == ["a, c: 2 steps", "  1. a step", "  2. a step", "b: 1 step", "  1. a step"]


def test_with_json_nothing_but_the_document_is_on_stdout():
    door = console(mode="json")
    door.say(Notice(ts=1.0, run="r", host="a", message="hello"))
    door.print("a result")
    assert (door.out.getvalue(), door.err.getvalue()) == ("", "a: hello\n")


def test_with_jsonl_stdout_is_the_events():
    door = console(mode="jsonl")
    door.say(Notice(ts=1.0, run="r", host="a", message="hello"))
    assert (
        door.out.getvalue() == '{"ts": 1.0, "run": "r", "host": "a", "event": "notice", "message": "hello"}\n'
    )
    assert door.err.getvalue() == ""


def test_one_answer_for_all_hosts_is_told_once_and_every_other_failure_for_each():
    door = console()
    for host in ("a", "b"):
        door.say(HostFailed(ts=1.0, run="r", host=host, kind="declined", message="no", next="yes"))
        door.say(HostFailed(ts=1.0, run="r", host=host, kind="step", message="bad", next=None))
    assert door.err.getvalue() == "no\n-> next: yes\na: bad\nb: bad\n"


def test_progress_is_told_now_and_then():
    door = console()
    for done in range(100):
        door.say(
            StepProgress(
                ts=1.0, run="r", host="a", step="s", phase="push", done=done, total=100, unit="bytes",
                rate=None, left=None,
            )
        )  # fmt: skip
    assert len(door.err.getvalue().splitlines()) < 3


def test_who_interrupts_is_told_what_was_under_way():
    door = console()
    door.say(StepStarted(ts=1.0, run="r", host="a", step="build", phase="build", done=0, total=1))
    door.interrupted()
    assert door.err.getvalue().endswith(
        "interrupted\na: during: build. The same command goes on from there.\n"
    )
