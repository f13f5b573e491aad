"""The dashboard: one timer drains the feed, one state is drawn, keys become requests."""

import asyncio
import contextvars
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any

from textual.screen import ModalScreen

from fleet.core import events as happened
from fleet.core.errors import DeclinedError
from fleet.core.events import Event
from fleet.core.state import Known, State, beginning, reduce_all
from fleet.io.desk import Desk
from fleet.tui.deeds import Deeds
from fleet.tui.feed import ConfirmRequest, Feed
from fleet.tui.options import Options
from fleet.tui.scene import Scene
from fleet.tui.screens.confirm import ConfirmBox
from fleet.tui.screens.reply import ReplyBox

SOON = 0.15  # seconds from news to the screen


class FleetApp(Deeds):
    """See `fleet.tui.launch.make` for the arguments."""

    def __init__(
        self,
        feed: Feed,
        submit: Callable[[str], None],
        *,
        hosts: Sequence[Known],
        options: Options,
        state: State | None,
        levels: Mapping[str, int],
        complete: Callable[[str], Sequence[tuple[str, str]]] | None,
        background: Callable[[], Coroutine[Any, Any, None]] | None,
        now: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        inventory: Path | None = None,
        why: str = "no inventory found",
        keymap: Mapping[str, str] | None = None,
        desk: Desk | None = None,
    ) -> None:
        super().__init__(
            Scene(state or beginning(hosts), now, options, levels),
            monotonic=monotonic,
            inventory=inventory,
            why=why,
            keymap=keymap,
            desk=desk,
        )
        self.feed = feed
        self.send = submit
        self.complete = complete
        self._background = background
        self._task: asyncio.Task[None] | None = None
        self._asked: asyncio.Future[bool] | None = None
        self.is_due = False
        self._ticked: float | None = None

    def on_mount(self) -> None:
        self.theme = self.scene.options.theme_name
        self._home = contextvars.copy_context()
        self.feed.on_news = self._news
        if self._background is not None:
            self._task = asyncio.create_task(self._background())
        self.timer = self.set_interval(self.seconds, self.tick)
        self.apply_theme()
        self.show_view(self.current)
        self.call_after_refresh(self.tick)

    async def on_unmount(self) -> None:
        self.feed.on_news = None
        if self._asked is not None and not self._asked.done():
            self._asked.set_result(False)
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def tick(self, is_regular: bool = True) -> None:
        """Takes what came, and shows it."""
        if not self.is_running or not self.screen_stack:
            return
        scene = self.scene
        events = self.feed.drain()
        if events:
            scene.state = reduce_all(scene.state, events)
            self._read(events)
        if is_regular:
            self._measure_lag(events)
        if not self.is_paused:
            self.draw()
        if not isinstance(self.screen, ConfirmBox):
            request = self.feed.question()
            if request is not None:
                self.ask(request)
        if not isinstance(self.screen, ModalScreen) and not self.prompt.display:
            reply = self.feed.reply()
            if reply is not None:
                self.push_screen(ReplyBox(reply, self.tones))

    def ask(self, request: ConfirmRequest) -> None:
        """Opens the box for a plan, and answers what was chosen."""
        if self.scene.options.read_only:
            request.answer.set_result(False)
            self.say("read-only: nothing is changed from here", "warn")
            return

        def answered(is_yes: bool | None) -> None:
            if not request.answer.done():
                request.answer.set_result(bool(is_yes))
            self.say(f"{request.verb}: {'started' if is_yes else 'cancelled, nothing was changed'}")
            if is_yes and request.level > 0:
                self.go("deploy")
            self._news()

        self._asked = request.answer
        is_ascii = self.scene.options.ascii
        box = ConfirmBox(request, self.scene.state, self.monotonic, self.tones, is_ascii)
        self.push_screen(box, answered)

    def _news(self) -> None:
        """Something came that a person waits for; may be called from any thread."""
        if not self.is_due and self._loop is not None and not self._loop.is_closed():
            self.is_due = True
            # In our own context: who brings the news may have been started before the app.
            self._loop.call_soon_threadsafe(self._schedule, context=self._home)

    def _schedule(self) -> None:
        self.set_timer(SOON, self._soon)

    def _soon(self) -> None:
        self.is_due = False
        self.tick(is_regular=False)

    def _read(self, events: Sequence[Event]) -> None:
        """The last result goes to the status line."""
        for event in events:
            if not event.is_kept:
                continue
            match event:
                case happened.Notice():
                    place = f"{event.host}: " if event.host else ""
                    self.say(place + event.message)
                case happened.HostFailed() | happened.StepFailed():
                    after = f" -> next: {event.next}" if event.next else ""
                    place = f"{event.host}: " if event.host else ""
                    since = time.strftime("%H:%M", time.localtime(event.ts))
                    self.say(f"{since} {place}{event.message}{after}", "bad")
                case happened.RunEnded():
                    job = self.scene.state.jobs.get(event.run)
                    is_told = event.exit_code == DeclinedError.exit_code  # where it was declined
                    if job is not None and not is_told and (job.is_change or event.exit_code):
                        self.say(f"{job.verb}: exit {event.exit_code} after {event.seconds:.0f} s")
                case _:
                    pass

    def _measure_lag(self, events: Sequence[Event]) -> None:
        """How far our own loop is behind: late ticks, or events that waited."""
        at = self.monotonic()
        late = 0.0 if self._ticked is None else at - self._ticked - self.seconds
        self._ticked = at
        waited = self.scene.now() - events[-1].ts - self.seconds if events else 0.0
        self.scene.behind = max(late, waited, 0.0)
