"""The dashboard: one timer drains the feed, one state is drawn, keys become requests."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical

from fleet.core import ages
from fleet.core import events as happened
from fleet.core.events import Event
from fleet.core.state import Known, State, beginning, reduce_all
from fleet.io.desk import Desk
from fleet.tui import paint
from fleet.tui.actions import Actions
from fleet.tui.commands import Commands
from fleet.tui.feed import ConfirmRequest, Feed
from fleet.tui.keys import GLOBAL, HINTS
from fleet.tui.model import Model
from fleet.tui.options import Options
from fleet.tui.paint import Line
from fleet.tui.screens.base import View
from fleet.tui.screens.confirm import ConfirmBox
from fleet.tui.screens.deploy import DeployView
from fleet.tui.screens.first_run import FirstRunView
from fleet.tui.screens.fleet import FleetView
from fleet.tui.screens.host import HostView
from fleet.tui.theme import OWN
from fleet.tui.widgets.lines import Lines
from fleet.tui.widgets.prompt import Prompt

QUIET = 5  # ticks without a change after which the clock shows no seconds
SOON = 0.15  # seconds from news to the screen
BEHIND = 3.0  # seconds of lag worth a word in the header


class FleetApp(Actions, Commands, App[str]):
    """See `fleet.tui.launch.make` for the arguments."""

    TITLE = "fleet"
    ENABLE_COMMAND_PALETTE = False
    ALLOW_SELECT = False
    CSS = """
    Screen { layout: vertical; background: ansi_default; scrollbar-size: 0 0; overflow: hidden hidden; }
    #top { height: 1; width: 1fr; }
    #clock { width: 9; }
    #body { height: 1fr; width: 1fr; }
    #tiny { display: none; height: 1fr; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+c", "interrupt", "quit", priority=True, show=False),
        *(Binding(key.keys, key.action, key.help, show=False, id=key.action) for key in GLOBAL),
    ]

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
        looked_in: Sequence[str] = (),
        keymap: Mapping[str, str] | None = None,
        desk: Desk | None = None,
    ) -> None:
        super().__init__()
        for theme in OWN:
            self.register_theme(theme)
        self.feed = feed
        self.model = Model(state or beginning(hosts), now, options, levels)
        self.inventory = inventory
        self.desk = desk
        self.is_paused = False
        self.monotonic = monotonic
        self._send = submit
        self._complete = complete
        self._background = background
        self._task: asyncio.Task[None] | None = None
        self._quiet = 0
        self._is_due = False
        self._ticked: float | None = None
        self._seconds = options.seconds
        self.views: dict[str, View] = {
            "fleet": FleetView(self.model),
            "host": HostView(self.model),
            "deploy": DeployView(self.model),
            "first_run": FirstRunView(self.model, looked_in),
        }
        self.current = "fleet" if self.model.state.hosts else "first_run"
        self.header = Lines(id="header")
        self.clock = Lines(id="clock")
        self.status = Lines(id="status")
        self.hints = Lines(id="hints")
        self.tiny = Lines(id="tiny")
        self.prompt = Prompt(self.candidates)
        if keymap:
            self.set_keymap(dict(keymap))

    def compose(self) -> ComposeResult:
        with Horizontal(id="top"):
            yield self.header
            yield self.clock
        with Vertical(id="body"):
            yield from self.views.values()
        yield self.tiny
        yield self.status
        yield self.prompt
        yield self.hints

    def on_mount(self) -> None:
        self.theme = self.model.options.theme_name
        self.feed.on_news = self._news
        if self._background is not None:
            self._task = asyncio.create_task(self._background())
        self.timer = self.set_interval(self._seconds, self.tick)
        self.apply_theme()
        self.show_view(self.current)
        self.call_after_refresh(self.tick)

    async def on_unmount(self) -> None:
        self.feed.on_news = None
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    @property
    def view(self) -> View:
        return self.views[self.current]

    def tick(self) -> None:
        """Takes what came, and shows it."""
        model = self.model
        events = self.feed.drain()
        if events:
            model.state = reduce_all(model.state, events)
            self._read(events)
        self._measure_lag(events)
        if not self.is_paused:
            self.draw()
        request = self.feed.question()
        if request is not None:
            self.ask(request)

    def draw(self) -> None:
        if self.current == "first_run" and self.model.state.hosts:
            self.show_view("fleet")
        self.model.tick()
        if self.tiny.display:
            self.tiny.show(self._tiny_lines())
            return
        self.view.draw()
        before = self.header.lines
        self.header.show([self._title()])
        self._tick_clock(self.header.lines != before)

    def show_view(self, name: str) -> None:
        """Goes to a view; nothing is fetched for it."""
        self.current = name
        for key, view in self.views.items():
            view.display = key == name
        table = self.view.table()
        focus = table if table is not None else self.view
        if not self.prompt.display:
            focus.focus()
        self.show_hints(name)
        self.call_after_refresh(self.draw)

    def say(self, text: str, tone: str = "") -> None:
        """The result of the last thing that was done, on its line."""
        self.status.show([((" " + text, tone),)])

    def show_hints(self, name: str, line: Line | None = None) -> None:
        if line is not None:
            self.hints.show([line])
            return
        parts: list[paint.Part] = [(" ", "")]
        for key, text in HINTS.get(name, ()):
            parts += [(key, "key"), (f" {text}  " if text else "  ", "")]
        self.hints.show([tuple(parts)])

    def apply_theme(self) -> None:
        tones = paint.palette(self.theme)
        for block in self.query(Lines):
            block.tones = tones
        for view in self.views.values():
            table = view.table()
            if table is not None:
                table.tones = tones
        self.repaint()

    def repaint(self) -> None:
        for view in self.views.values():
            view.repaint()
        for block in (self.header, self.clock, self.status, self.hints, self.tiny):
            block.repaint()

    def on_resize(self) -> None:
        width, height = self.size
        is_tiny = width < 40 or height < 8
        self.tiny.display = is_tiny
        self.query_one("#body").display = not is_tiny
        self.query_one("#top").display = height >= 12 and not is_tiny
        self.hints.display = height >= 12 and not is_tiny
        self.call_after_refresh(self._resized)

    def _resized(self) -> None:
        self.repaint()
        self.draw()

    def ask(self, request: ConfirmRequest) -> None:
        """Opens the box for a plan, and answers what was chosen."""
        if self.model.options.read_only:
            request.answer.set_result(False)
            self.say("read-only: nothing is changed from here", "warn")
            return

        def answered(is_yes: bool | None) -> None:
            if not request.answer.done():
                request.answer.set_result(bool(is_yes))
            self.say(f"{request.verb}: {'started' if is_yes else 'cancelled, nothing was changed'}")
            if is_yes and request.level > 0:
                self.go("deploy")

        box = ConfirmBox(request, self.model.state, self.monotonic, self.model.options.ascii)
        self.push_screen(box, answered)
        for block in (box._plans, box._answer):
            block.tones = paint.palette(self.theme)

    def _news(self) -> None:
        """Something came that a person waits for; may be called from any thread."""
        if not self._is_due and self._loop is not None and not self._loop.is_closed():
            self._is_due = True
            self._loop.call_soon_threadsafe(self._schedule)

    def _schedule(self) -> None:
        self.set_timer(SOON, self._soon)

    def _soon(self) -> None:
        self._is_due = False
        self.tick()

    def _read(self, events: Sequence[Event]) -> None:
        """The last result goes to the status line."""
        for event in events:
            match event:
                case happened.Notice():
                    place = f"{event.host}: " if event.host else ""
                    self.say(place + event.message)
                case happened.HostFailed() | happened.StepFailed():
                    after = f" -> next: {event.next}" if event.next else ""
                    self.say(f"{event.host}: {event.message}{after}", "bad")
                case happened.RunEnded():
                    job = self.model.state.jobs.get(event.run)
                    if job is not None and (job.is_change or event.exit_code):
                        self.say(f"{job.verb}: exit {event.exit_code} after {event.seconds:.0f} s")
                case _:
                    pass

    def _measure_lag(self, events: Sequence[Event]) -> None:
        """How far our own loop is behind: late ticks, or events that waited."""
        at = self.monotonic()
        late = 0.0 if self._ticked is None else at - self._ticked - self._seconds
        self._ticked = at
        waited = self.model.now() - events[-1].ts - self._seconds if events else 0.0
        self.model.behind = max(late, waited, 0.0)

    def _title(self) -> Line:
        title = self.view.title()
        options = self.model.options
        parts = list(title)
        if options.banner:
            parts.insert(1, (f"  {options.banner}", "warn"))
        if options.read_only:
            parts.append(("  RO", "strong"))
        if self.is_paused:
            parts.append(("  paused", "warn"))
        if self.model.behind >= BEHIND:
            parts.append((f"  collector {self.model.behind:.0f} s behind", "warn"))
        return tuple(parts)

    def _tick_clock(self, is_changed: bool) -> None:
        """Seconds only while something moves, so that an idle screen sends nothing."""
        self._quiet = 0 if is_changed else self._quiet + 1
        form = "%H:%M:%S" if self._quiet <= QUIET else "%H:%M"
        self.clock.show([((time.strftime(form, time.localtime(self.model.now())), ""),)])

    def _tiny_lines(self) -> list[Line]:
        total = ages.totals(self.model.state, self.model.now(), self.model.words.values())
        count = total.warn + total.down
        tone = "bad" if total.down else "warn" if total.warn else "ok"
        return [((f"{count} problems: {total.down} down {total.warn} warn", tone),)]
