"""The dashboard on a stage: a story, a clock that stands until it is moved, no real time."""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from textual import events
from textual.pilot import Pilot

from fleet.core.events import Event
from fleet.core.state import Known
from fleet.io.desk import Desk
from fleet.tui.app import FleetApp
from fleet.tui.feed import ConfirmRequest, Feed
from fleet.tui.launch import make
from fleet.tui.options import Options
from fleet.tui.story import LEVELS, Story, plan

NAMES = {
    " ": "space",
    ":": "colon",
    "!": "exclamation_mark",
    "-": "minus",
    "@": "at",
    ".": "full_stop",
    "%": "percent_sign",
    "[": "left_square_bracket",
    ",": "comma",
    "/": "slash",
    "*": "asterisk",
}
STILL = Options(tick=3600.0)
NOON = 1_790_000_000.0


@dataclass
class Stage:
    app: FleetApp
    pilot: Pilot[str]
    story: Story
    feed: Feed
    clock: list[float]  # Unix seconds
    sent: list[str] = field(default_factory=list)  # lines that the app submitted
    ticks: int = 0

    async def tell(self, *events: Event) -> None:
        for event in events:
            self.feed.put(event)
        await self.look()

    async def look(self) -> None:
        self.app.tick()
        await self.pilot.pause()

    async def pass_seconds(self, count: int, is_silent: bool = False) -> None:
        for _ in range(count):
            self.clock[0] += 1
            self.ticks += 1
            if not is_silent:
                for event in self.story.tick(self.clock[0], self.ticks):
                    self.feed.put(event)
            self.app.tick()
        await self.pilot.pause()

    async def press(self, *keys: str) -> str:
        for key in keys:
            await self.pilot.press(key)
            await self.pilot.pause()
        return self.screen

    async def type(self, text: str) -> str:
        return await self.press(*(NAMES.get(letter, letter) for letter in text))

    async def burst(self, text: str) -> None:
        """All keys at once, as a slow link brings them; a longer name stands in braces."""
        for letter, name in re.findall(r"([^{}])|\{(\w+)\}", text):
            key = name or NAMES.get(letter, letter)
            self.app.post_message(events.Key(key, letter or None))
        for _ in range(3):
            await self.pilot.pause()

    async def ask(
        self, verb: str, level: int, hosts: Sequence[str], word: str | None = None
    ) -> ConfirmRequest:

        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        request = ConfirmRequest(verb, level, tuple(plan(host) for host in hosts), answer, word)
        self.feed.ask(request)
        await self.look()
        await self.pilot.pause()
        return request

    @property
    def screen(self) -> str:
        return self.app.screen_text()

    @property
    def status(self) -> str:
        return self.app.status.text.strip()

    @property
    def rows(self) -> list[str]:
        return list(self.app.fleet_view.table().keys)

    @property
    def cursor(self) -> str | None:
        return self.app.fleet_view.table().cursor


@asynccontextmanager
async def stage(
    size: tuple[int, int] = (80, 24),
    *,
    hosts: int = 12,
    known: Sequence[Known] | None = None,
    options: Options = STILL,
    desk: Desk | None = None,
    **more: Any,
) -> AsyncIterator[Stage]:
    os.environ.update({"LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "TZ": "UTC"})
    clock = [NOON]
    sent: list[str] = []
    feed, story = Feed(), Story(hosts)
    app = make(
        feed,
        sent.append,
        hosts=story.known if known is None else known,
        options=options,
        levels=LEVELS,
        now=lambda: clock[0],
        monotonic=lambda: clock[0],
        desk=desk,
        **more,
    )
    async with app.run_test(size=size) as pilot:
        one = Stage(app, pilot, story, feed, clock, sent)
        if known is None:
            await one.tell(*story.opening(clock[0]))
        await one.look()
        yield one
