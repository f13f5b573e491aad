"""Plays a simulated story in the dashboard, under the banner SIMULATED.

`python -m fleet.tui.play --hosts 12`
"""

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from fleet.core import events as happened
from fleet.core.events import Event
from fleet.io.desk import Desk
from fleet.tui.feed import ConfirmRequest, Feed
from fleet.tui.launch import launch
from fleet.tui.options import Options
from fleet.tui.story import BANNER, LEVELS, RUN, Story, plan


class Player:
    """Plays a story into a feed, and answers the command line in its way."""

    def __init__(
        self, story: Story, feed: Feed, now: Callable[[], float], pace: float = 1.0, past: int = 0
    ) -> None:
        self.story = story
        self.feed = feed
        self._now = now
        self._pace = pace  # seconds between ticks
        self._past = past  # seconds
        self._runs = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def play(self) -> None:
        for event in (*self.story.past(self._now(), self._past), *self.story.opening(self._now())):
            self.feed.put(event)
        number = 0
        while True:
            await asyncio.sleep(self._pace)
            number += 1
            for event in self.story.tick(self._now(), number):
                self.feed.put(event)

    def submit(self, text: str) -> None:
        """Answers a line as the command line would, for `deploy` with a plan and a question."""
        self._runs += 1
        run = f"{self._runs:08x}"
        words = text.split()
        names = words[1].split(",") if len(words) > 1 else []
        known = {one.name for one in self.story.known}
        if words[0] not in LEVELS:
            self._say(run, f"no verb called {words[0]!r} -> next: help")
        elif words[0] not in ("deploy", "stop", "restart"):
            self._say(run, f"{text}: this is a simulation, nothing answers")
        elif not names or not set(names) <= known:
            self._say(run, f"{words[0]}: no such host -> next: status all")
        else:
            task = asyncio.get_running_loop().create_task(self._change(run, words[0], names))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _say(self, run: str, text: str) -> None:
        self.feed.put(happened.Notice(ts=self._now(), run=run, message=text))

    async def _change(self, run: str, verb: str, hosts: list[str]) -> None:
        plans = tuple(plan(host) for host in hosts)
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self.feed.ask(ConfirmRequest(verb, LEVELS[verb], plans, answer))
        if not await answer:
            return
        for events in self.story.deploy(run, hosts, self._now()):
            for event in events:
                self.feed.put(event)
            await asyncio.sleep(self._pace / 2)


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m fleet.tui.play", description=__doc__)
    parser.add_argument("--hosts", type=int, default=12)
    parser.add_argument("--share", type=float, default=1.0, help="of the hosts, those that change every tick")
    parser.add_argument("--pace", type=float, default=1.0, help="seconds between ticks")
    parser.add_argument("--past", type=int, default=0, help="seconds of history to begin with")
    parser.add_argument("--calm", action="store_true", help="nobody is down, swaps or is stale")
    parser.add_argument("--hostile", action="store_true", help="names and texts that attack the terminal")
    parser.add_argument("--clock", type=float, help="stop the clock at this Unix time")
    parser.add_argument("--folder", help="for copies and exports")
    for flag in ("--slow", "--ascii", "--no-mouse", "--read-only", "--empty"):
        parser.add_argument(flag, action="store_true")
    given = parser.parse_args(words)
    now = (lambda: given.clock) if given.clock is not None else time.time
    feed = Feed()
    story = Story(0 if given.empty else given.hosts, share=given.share, troubles=not given.calm)
    player = Player(story, feed, now, given.pace, given.past)
    options = Options(
        ascii=given.ascii,
        slow=given.slow,
        mouse=not given.no_mouse,
        read_only=given.read_only,
        banner=BANNER,
    )
    desk = None
    if given.folder:
        desk = Desk(Path(given.folder), os.environ)
    if given.hostile:
        for event in hostile(now()):
            feed.put(event)
    chosen = launch(
        feed,
        player.submit,
        hosts=story.known,
        options=options,
        levels=LEVELS,
        background=player.play,
        now=now,
        desk=desk,
    )
    if chosen:
        sys.stdout.write(f"{chosen}\n")


EVIL = "a\x1b]0;owned\x07b\x1b[31mc\rd\u202ee[red]f\x9b2Jg漢字"


def hostile(at: float) -> list[Event]:
    """Text that an edge forgot to clean, in every place that is drawn."""
    return [
        happened.Connected(ts=at, run=RUN, host=EVIL, seconds=0.1),
        happened.ServerSampled(
            ts=at, run=RUN, host=EVIL, server=EVIL, state=EVIL, model=EVIL, reason=EVIL, generation_tps=1.0
        ),
        happened.HostFailed(ts=at, run=RUN, host=EVIL, kind=EVIL, message=EVIL, next=EVIL),
        happened.RunStarted(ts=at, run="evil", verb=EVIL, hosts=(EVIL,), actor=EVIL, reason=EVIL),
        happened.Planned(ts=at, run="evil", host=EVIL, steps=(EVIL,), notes=(EVIL,), phases=("build",)),
        happened.Output(ts=at, run="evil", host=EVIL, step=EVIL, line=EVIL),
        happened.Notice(ts=at, run="evil", message=EVIL),
    ]


if __name__ == "__main__":
    main()
