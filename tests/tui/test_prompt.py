"""What is typed: filters, commands, and what becomes of them."""

import pytest

from fleet.core.events import HostFailed, Notice, RunEnded, RunStarted
from fleet.io.desk import Desk
from fleet.tui.feed import Reply
from fleet.tui.options import Options
from tests.tui.stage import NOON, stage

READ_ONLY = Options(tick=3600.0, read_only=True)


async def test_an_answer_of_several_lines_is_read_on_a_page_of_its_own():
    async with stage() as it:
        it.feed.answer(Reply("logs m3max", tuple(f"line {n}" for n in range(99)), from_end=True))
        await it.look()
        assert "line 98" in it.screen
        await it.press("g")
        assert "line 0" in it.screen
        await it.press("d", "x", "escape")
        assert "HOST" in it.screen
        assert it.sent == []


async def test_an_answer_waits_until_nothing_is_typed():
    async with stage() as it:
        await it.press("colon", "s")
        it.feed.answer(Reply("doctor", ("one", "two")))
        await it.look()
        assert "two" not in it.screen
        await it.press("escape")
        await it.look()
        assert "two" in it.screen


async def test_a_refused_line_says_why_and_when_and_names_no_host():
    async with stage() as it:
        await it.tell(
            HostFailed(ts=NOON, run="7", kind="usage", message="no verb called 'depoly'", next=None)
        )
        assert "None" not in it.screen
        assert ":13 no verb called" in it.screen


async def test_what_was_declined_is_no_failure():
    async with stage() as it:
        request = await it.ask("stop", 2, ["m3max"])
        it.clock[0] += 1
        await it.press("escape")
        await it.tell(
            RunStarted(ts=NOON, run="8", verb="stop", hosts=("m3max",), actor="ana"),
            RunEnded(ts=NOON, run="8", exit_code=7, seconds=4.0),
        )
        assert request.answer.result() is False
        assert "cancelled, nothing was changed" in it.screen


async def test_the_filter_shows_what_matches_while_it_is_typed():
    async with stage() as it:
        await it.press("slash")
        await it.type("host:gpu")
        assert it.rows
        assert all(name.startswith("gpu") for name in it.rows)
        await it.press("enter")
        assert all(name.startswith("gpu") for name in it.rows)
        await it.press("escape")
        assert len(it.rows) == 12


async def test_a_filter_by_state_and_an_inverted_one():
    async with stage() as it:
        await it.press("slash")
        await it.type("state:down")
        await it.press("enter")
        assert it.rows == ["mac"]
        await it.press("slash", *["backspace"] * 10)
        await it.type("!laptop")
        assert "laptop" not in it.rows
        await it.press("escape")
        assert len(it.rows) == 12


async def test_a_broken_filter_is_said_and_does_not_break():
    async with stage() as it:
        await it.press("slash", "left_parenthesis")
        assert "literally" in it.app.hints.text


async def test_the_command_line_sends_what_was_typed_and_shows_what_comes_of_it():
    async with stage() as it:
        await it.press("colon")
        await it.type("fleet status .")
        await it.press("enter")
        assert it.sent == [f"status {it.cursor}"]
        await it.tell(Notice(ts=it.clock[0], run="r", message="all is well"))
        assert it.status == "all is well"


async def test_digits_and_letters_in_the_command_line_are_only_typed():
    async with stage() as it:
        await it.press("colon")
        await it.type("3qz")
        assert it.app.prompt.value == "3qz"
        assert it.app.current == "fleet"
        await it.press("escape")
        assert not it.app.prompt.display
        assert it.sent == []


async def test_the_command_line_remembers():
    async with stage() as it:
        for text in ("status", "doctor"):
            await it.press("colon")
            await it.type(text)
            await it.press("enter")
        await it.press("colon", "up")
        assert it.app.prompt.value == "doctor"
        await it.press("up")
        assert it.app.prompt.value == "status"
        await it.press("down", "down")
        assert it.app.prompt.value == ""


async def test_tab_completes_verbs_and_hosts():
    async with stage() as it:
        await it.press("colon")
        await it.type("dep")
        await it.press("tab")
        assert it.app.prompt.value == "deploy "
        await it.type("rtx")
        await it.press("tab")
        assert it.app.prompt.value == "deploy rtx4070"
        assert "rtx4070-004" in it.app.hints.text


async def test_a_completer_can_be_given():
    async with stage(complete=lambda text: [("deploy", "roll out")]) as it:
        await it.press("colon", "d", "tab")
        assert it.app.prompt.value == "deploy "


@pytest.mark.parametrize(("key", "verb"), [("d", "deploy"), ("x", "stop"), ("R", "restart"), ("l", "logs")])
async def test_a_key_for_a_verb_is_the_line_that_could_have_been_typed(key, verb):
    async with stage() as it:
        await it.press(key)
        assert it.sent == [f"{verb} {it.cursor}"]


async def test_on_the_host_screen_the_server_under_the_cursor_is_meant():
    async with stage() as it:
        name = it.cursor
        await it.press("enter", "R", "d")
        assert it.sent == [f"restart chat@{name}", f"deploy {name}"]


async def test_read_only_sends_nothing_that_changes():
    async with stage(options=READ_ONLY) as it:
        assert "RO" in it.screen
        await it.press("d", "x", "R")
        assert it.sent == []
        assert "read-only" in it.status
        await it.press("l")
        assert len(it.sent) == 1


async def test_read_only_says_no_to_every_question():
    async with stage(options=READ_ONLY) as it:
        request = await it.ask("deploy", 2, ["rtx4070"])
        assert request.answer.result() is False


@pytest.mark.parametrize("keys", ["/m3{enter}y", ":status all{enter}y", "/m3{escape}y", "jjy"])
async def test_keys_that_arrive_in_one_burst_each_do_what_they_say(keys, tmp_path):
    async with stage(desk=Desk(tmp_path, {})) as it:
        await it.burst(keys)
        assert "copied" in it.status
        assert not it.app.prompt.display
        if "m3" in keys and "enter" in keys:
            assert it.app.scene.filter == "m3"
        if keys.startswith(":"):
            assert it.sent == ["status all"]
