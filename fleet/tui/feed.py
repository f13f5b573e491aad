"""Between those who know and the screen: events on their way, and questions."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from fleet.core.events import Event
from fleet.core.plan import Plan

MOST = 200_000  # events that wait; the oldest are dropped first


@dataclass(frozen=True, slots=True)
class ConfirmRequest:
    """A plan that waits for a yes.

    `answer` belongs to the event loop of the dashboard. At level 3 `word` is the
    name that has to be typed.
    """

    verb: str
    level: int
    plans: tuple[Plan, ...]
    answer: "asyncio.Future[bool]"
    word: str | None = None

    @property
    def hosts(self) -> tuple[str, ...]:
        """Hosts on which something would be done."""
        return tuple(plan.host for plan in self.plans if plan.steps)


@dataclass(frozen=True, slots=True)
class Reply:
    """What a command answered in several lines."""

    title: str
    lines: tuple[str, ...]
    from_end: bool = False  # the last lines are those that matter


class Feed:
    """A queue of events; `put` may be called from any thread.

    The dashboard drains it once per tick. `on_news` is called, in the thread of the
    caller, when something came that a person waits for: a question, or an event of
    a command.
    """

    def __init__(self) -> None:
        self._events: deque[Event] = deque(maxlen=MOST)
        self._questions: deque[ConfirmRequest] = deque()
        self._replies: deque[Reply] = deque()
        self.on_news: Callable[[], None] | None = None

    def put(self, event: Event) -> None:
        self._events.append(event)
        if event.is_kept:
            self._tell()

    def ask(self, request: ConfirmRequest) -> None:
        self._questions.append(request)
        self._tell()

    def answer(self, reply: Reply) -> None:
        self._replies.append(reply)
        self._tell()

    def reply(self) -> Reply | None:
        """The next reply to be read."""
        return self._replies.popleft() if self._replies else None

    def drain(self) -> list[Event]:
        """Everything that waits, oldest first."""
        events: list[Event] = []
        while self._events:
            events.append(self._events.popleft())
        return events

    def question(self) -> ConfirmRequest | None:
        """The next question that nobody has withdrawn."""
        while self._questions:
            request = self._questions.popleft()
            if not request.answer.done():
                return request
        return None

    def _tell(self) -> None:
        if self.on_news is not None:
            self.on_news()
