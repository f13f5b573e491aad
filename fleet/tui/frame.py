"""The frame around the views: header, clock, status, prompt and hints; what is drawn when."""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from rich.segment import Segments
from rich.style import Style
from rich.traceback import Traceback
from textual import events
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.timer import Timer

from fleet.core import ages
from fleet.io.desk import Desk
from fleet.tui import paint
from fleet.tui.keys import GLOBAL, HINTS
from fleet.tui.paint import Line
from fleet.tui.scene import Scene
from fleet.tui.screens.base import View
from fleet.tui.screens.deploy import DeployView
from fleet.tui.screens.first_run import FirstRunView
from fleet.tui.screens.fleet import FleetView
from fleet.tui.screens.host import HostView
from fleet.tui.theme import OWN
from fleet.tui.widgets.lines import Lines
from fleet.tui.widgets.prompt import Prompt

QUIET = 5  # ticks without a change after which the clock shows no seconds
ACTIONS = frozenset(key.action.partition("(")[0] for key in GLOBAL)
BEHIND = 3.0  # seconds of lag worth a word in the header


class Frame(App[str]):
    """The lowest layer of the app: it can draw a scene, and nothing else."""

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
        # With priority, so that the app takes keys in the order in which they were typed: what
        # follows `:` at once is text for the prompt and not a key for the table.
        *(Binding(k.keys, k.action, k.help, show=False, id=k.action, priority=True) for k in GLOBAL),
    ]

    def __init__(
        self,
        scene: Scene,
        *,
        monotonic: Callable[[], float],
        inventory: Path | None,
        why: str,
        keymap: Mapping[str, str] | None,
        desk: Desk | None,
    ) -> None:
        super().__init__()
        for theme in OWN:
            self.register_theme(theme)
        self.scene = scene
        self.monotonic = monotonic
        self.inventory = inventory
        self.desk = desk
        self.is_paused = False
        self.seconds = scene.options.seconds  # between ticks
        self.timer: Timer | None = None
        self._quiet = 0
        self.fleet_view = FleetView(scene)
        self.views: dict[str, View] = {
            "fleet": self.fleet_view,
            "host": HostView(scene),
            "deploy": DeployView(scene),
            "first_run": FirstRunView(scene, why),
        }
        self.current = "fleet" if scene.state.hosts else "first_run"
        self.header = Lines(id="header")
        self.clock = Lines(id="clock")
        self.status = Lines(id="status")
        self.hints = Lines(id="hints")
        self.tiny = Lines(id="tiny")
        self.prompt = Prompt(self.candidates, self.entered, self.left)
        if keymap:
            self.set_keymap(dict(keymap))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Keys of the screen are only keys while nothing is typed and no box is open."""
        is_typing = self.prompt.display or isinstance(self.screen, ModalScreen)
        return not (is_typing and action in ACTIONS)

    def candidates(self, text: str) -> Sequence[tuple[str, str]]:
        """What the last word of a command may become, with help."""
        return ()

    def entered(self, mode: str, text: str) -> None:
        """A line was typed."""

    def left(self, mode: str, text: str) -> None:
        """A line was given up."""

    @property
    def tones(self) -> dict[str, Style]:
        """The looks of the theme."""
        return paint.palette(self.theme)

    def tick(self, is_regular: bool = True) -> None:
        """Takes what came, and shows it; regularly by the timer, or because there is news."""
        self.draw()

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

    @property
    def view(self) -> View:
        return self.views[self.current]

    def draw(self) -> None:
        if self.current == "first_run" and self.scene.state.hosts:
            self.show_view("fleet")
        self.scene.tick()
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
        if not self.prompt.display:
            self.screen_stack[0].set_focus(table if table is not None else self.view)
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

    def _fatal_error(self) -> None:
        """Textual's own, but for the local values: keys may be among them."""
        self.bell()
        trace = self.console.render(Traceback(width=None), self.console.options)
        self._exit_renderables.append(Segments(trace))
        self._close_messages_no_wait()

    def apply_theme(self) -> None:
        tones = self.tones
        for block in self.screen_stack[0].query(Lines):
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

    def on_resize(self, event: events.Resize) -> None:
        width, height = event.size
        is_tiny = width < 40 or height < 8
        self.tiny.display = is_tiny
        self.query_one("#body").display = not is_tiny
        self.query_one("#top").display = height >= 12 and not is_tiny
        self.hints.display = height >= 12 and not is_tiny
        self.call_after_refresh(self._resized)

    def _resized(self) -> None:
        self.repaint()
        self.draw()

    def _title(self) -> Line:
        title = self.view.title()
        options = self.scene.options
        parts = list(title)
        if options.banner:
            parts.insert(0, (f" {options.banner}", "warn"))
        if options.read_only:
            parts.append(("  RO", "strong"))
        if self.is_paused:
            parts.append(("  paused", "warn"))
        if self.scene.behind >= BEHIND:
            parts.append((f"  collector {self.scene.behind:.0f} s behind", "warn"))
        return tuple(parts)

    def _tick_clock(self, is_changed: bool) -> None:
        """Seconds only while something moves, so that an idle screen sends nothing."""
        self._quiet = 0 if is_changed else self._quiet + 1
        form = " %H:%M:%S" if self._quiet <= QUIET else " %H:%M"
        self.clock.show([((time.strftime(form, time.localtime(self.scene.now())), ""),)])

    def _tiny_lines(self) -> list[Line]:
        total = ages.totals(self.scene.state, self.scene.now(), self.scene.words.values())
        count = total.warn + total.down
        tone = "bad" if total.down else "warn" if total.warn else "ok"
        return [((f"{count} problems: {total.down} down {total.warn} warn", tone),)]
