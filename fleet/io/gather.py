"""A question that many hosts ask and that is answered once, for all of them together."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Generic, TypeVar

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

    @property
    def is_settled(self) -> bool:
        return self._task is not None

    async def ask(self, member: str, question: Question) -> Answer:
        """The answer for this member. Asking again after the settlement is an error of ours."""
        self._questions[member] = question
        self._open.discard(member)
        self._check()
        return (await asyncio.shield(self._answers))[member]

    def leave(self, member: str) -> None:
        """The member will not ask."""
        self._open.discard(member)
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
        except BaseException as error:  # noqa: BLE001 handed to everyone who asked, none is lost
            self._answers.set_exception(error)
        else:
            self._answers.set_result(answers)
