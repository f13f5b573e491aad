"""A question that many hosts ask and that is answered once, for all of them together."""

import asyncio
import copy
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Generic, TypeVar

from fleet.core.errors import FleetError

Question = TypeVar("Question")
Answer = TypeVar("Answer")


class Gather(Generic[Question, Answer]):
    """Holds each asker until every member has asked or left, then settles.

    Args:
        members: those who may ask.
        settle: from all questions to all answers; an error it raises is everybody's.
    """

    def __init__(
        self,
        members: Iterable[str],
        settle: Callable[[Mapping[str, Question]], Awaitable[Mapping[str, Answer]]],
    ) -> None:
        self._open = set(members)
        self._settle = settle
        self._questions: dict[str, Question] = {}
        self._answers: asyncio.Future[Mapping[str, Answer]] = asyncio.get_running_loop().create_future()
        self._task: asyncio.Task[None] | None = None
        self._waiting = 0

    async def ask(self, member: str, question: Question) -> Answer:
        """The answer for this member. Asking again after the settlement is an error of ours."""
        self._questions[member] = question
        self._open.discard(member)
        self._waiting += 1
        self._check()
        try:
            return (await asyncio.shield(self._answers))[member]
        except FleetError as error:
            raise copy.copy(error) from None  # each puts its own host on it
        finally:
            self._waiting -= 1
            if not self._waiting and self._task is not None:
                self._task.cancel()  # a question on a screen that nobody wants answered any more

    def leave(self, member: str) -> None:
        """The member will not ask, or not wait for an answer."""
        self._open.discard(member)
        if self._task is None:
            self._questions.pop(member, None)
            self._check()

    def _check(self) -> None:
        if not self._open and self._task is None:
            self._task = asyncio.ensure_future(self._run())

    async def _run(self) -> None:
        if not self._questions:
            self._answers.cancel()
            return
        try:
            answers = await self._settle(self._questions)
        except asyncio.CancelledError:
            self._answers.cancel()
            raise
        except BaseException as error:  # noqa: BLE001 handed to everyone who asked, none is lost
            self._answers.set_exception(error)
        else:
            self._answers.set_result(answers)
