"""The box that asks: Enter alone never says yes to much."""

import pytest

from fleet.tui.screens.confirm import ConfirmBox
from tests.tui.stage import Stage, stage

THREE = ("rtx4070", "m3max", "laptop")


async def opened(it: Stage, level: int, hosts: tuple[str, ...] = THREE, word: str | None = None):
    request = await it.ask("deploy", level, hosts, word)
    assert isinstance(it.app.screen, ConfirmBox)
    it.clock[0] += 1.0
    return request


async def test_the_plan_is_shown_host_by_host():
    async with stage((140, 40)) as it:
        await opened(it, 2, ("rtx4070",))
        for text in ("deploy", "1 host", "rtx4070: 6 steps", "4.7 GiB", "fits", "Cancel"):
            assert text in it.screen


@pytest.mark.parametrize(("level", "word"), [(2, None), (3, "qwen3-8b")])
async def test_enter_alone_never_confirms(level, word):
    async with stage() as it:
        request = await opened(it, level, word=word)
        await it.press("enter")
        assert request.answer.result() is False
        assert "nothing was changed" in it.status


@pytest.mark.parametrize("key", ["y", "space", "tab", "1", "2"])
async def test_no_single_other_key_and_enter_confirms_three_hosts(key):
    async with stage() as it:
        request = await opened(it, 2)
        await it.press(key, "enter")
        assert not (request.answer.done() and request.answer.result())


async def test_the_number_of_hosts_and_enter_confirms():
    async with stage() as it:
        request = await opened(it, 2)
        await it.press("3", "enter")
        assert request.answer.result() is True
        assert it.app.current == "deploy"


async def test_a_wrong_number_is_said_and_can_be_typed_again():
    async with stage() as it:
        request = await opened(it, 2)
        await it.press("4", "enter")
        assert "'4' is not 3" in it.screen
        await it.press("2", "backspace", "3", "enter")
        assert request.answer.result() is True


async def test_hosts_with_nothing_to_do_are_not_counted():
    async with stage() as it:
        request = await opened(it, 2, ("rtx4070", "m3max"))
        await it.press("2", "enter")
        assert request.answer.result() is True


async def test_level_3_wants_the_name():
    async with stage() as it:
        request = await opened(it, 3, ("rtx4070",), "rtx4070")
        await it.press("1", "enter")
        assert not request.answer.done()
        await it.type("rtx4070")
        await it.press("enter")
        assert request.answer.result() is True


@pytest.mark.parametrize(("key", "is_yes"), [("y", True), ("n", False), ("enter", False), ("escape", False)])
async def test_level_1_on_one_host_is_a_y(key, is_yes):
    async with stage() as it:
        request = await opened(it, 1, ("rtx4070",))
        await it.press(key)
        assert request.answer.result() is is_yes


async def test_level_1_on_several_hosts_wants_the_number():
    async with stage() as it:
        request = await opened(it, 1)
        await it.press("y")
        assert not request.answer.done()
        await it.press("backspace", "3", "enter")
        assert request.answer.result() is True


async def test_keys_that_were_typed_before_it_opened_are_not_for_it():
    async with stage() as it:
        request = await it.ask("restart", 1, ("rtx4070",))
        await it.press("y", "enter", "escape")
        assert not request.answer.done()
        it.clock[0] += 0.31
        await it.press("y")
        assert request.answer.result() is True


async def test_the_next_question_comes_after_the_first_is_answered():
    async with stage() as it:
        first = await opened(it, 1, ("rtx4070",))
        second = await it.ask("stop", 1, ("m3max",))
        it.clock[0] += 1.0
        await it.press("y")
        await it.look()
        it.clock[0] += 1.0
        await it.press("n")
        assert (first.answer.result(), second.answer.result()) == (True, False)


async def test_a_question_that_was_withdrawn_is_not_asked():
    async with stage() as it:
        request = await it.ask("deploy", 2, THREE)
        it.clock[0] += 1.0
        await it.press("escape")
        assert request.answer.done()
        request.answer.cancel()
        assert it.feed.question() is None


async def test_leaving_is_a_no():
    async with stage() as it:
        request = await opened(it, 2)
        await it.press("ctrl+c", "ctrl+c")
        assert not it.app.is_running
    assert request.answer.result() is False


async def test_a_plan_longer_than_the_screen_can_be_read():
    async with stage((60, 14)) as it:
        await opened(it, 2)
        assert "laptop: 6 steps" not in it.screen
        await it.press(*["pagedown"] * 6)
        assert "wait for chat" in it.screen
