"""A question that many ask and that is answered once."""

import asyncio
from collections.abc import Mapping

import pytest

from fleet.core.errors import DeclinedError, FleetError
from fleet.io.gather import Gather


class Settler:
    """Answers each question with itself doubled, and remembers what it was asked."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.asked: list[dict[str, int]] = []
        self.error = error

    async def __call__(self, questions: Mapping[str, int]) -> Mapping[str, int]:
        self.asked.append(dict(questions))
        if self.error is not None:
            raise self.error
        return {member: 2 * question for member, question in questions.items()}


async def soon() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_nobody_is_answered_before_everybody_has_asked():
    settle = Settler()
    gather = Gather(["a", "b"], settle)
    first = asyncio.create_task(gather.ask("a", 1))
    await soon()
    assert settle.asked == []
    assert await gather.ask("b", 2) == 4
    assert await first == 2
    assert settle.asked == [{"a": 1, "b": 2}]


async def test_who_leaves_is_not_waited_for():
    settle = Settler()
    gather = Gather(["a", "b", "c"], settle)
    first = asyncio.create_task(gather.ask("a", 1))
    gather.leave("b")
    await soon()
    assert not first.done()
    gather.leave("c")
    gather.leave("c")
    assert await first == 2
    assert settle.asked == [{"a": 1}]


async def test_who_asked_and_gave_up_is_not_part_of_the_settlement():
    settle = Settler()
    gather = Gather(["a", "b"], settle)
    first = asyncio.create_task(gather.ask("a", 1))
    await soon()
    first.cancel()
    gather.leave("a")
    assert await gather.ask("b", 2) == 4
    assert settle.asked == [{"b": 2}]


async def test_when_all_leave_nothing_is_settled():
    settle = Settler()
    gather = Gather(["a"], settle)
    gather.leave("a")
    await soon()
    assert settle.asked == []


async def test_an_error_reaches_everybody_and_each_can_put_its_own_name_on_it():
    gather = Gather(["a", "b"], Settler(DeclinedError("no", next="say yes")))
    asking = [asyncio.create_task(gather.ask(name, 1)) for name in ("a", "b")]
    errors = await asyncio.gather(*asking, return_exceptions=True)
    for name, error in zip(("a", "b"), errors, strict=True):
        assert isinstance(error, FleetError)
        error.at(name)
    assert [error.host for error in errors] == ["a", "b"]
    assert [(error.exit_code, error.next) for error in errors] == [(7, "say yes")] * 2


async def test_a_settlement_ends_when_nobody_waits_for_it_any_more():
    ended = asyncio.Event()

    async def for_ever(questions: Mapping[str, int]) -> Mapping[str, int]:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()
        return {}

    gather = Gather(["a", "b"], for_ever)
    asking = [asyncio.create_task(gather.ask(name, 1)) for name in ("a", "b")]
    await soon()
    asking[0].cancel()
    await soon()
    assert not ended.is_set()
    asking[1].cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking[1]
    await soon()
    assert ended.is_set()
