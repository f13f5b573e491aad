"""The box that asks before anything is done. Enter alone never says yes to much."""

from collections.abc import Callable

from rich.style import Style
from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import ModalScreen

from fleet.core.plan import Plan, size_text
from fleet.core.state import State
from fleet.tui.feed import ConfirmRequest
from fleet.tui.paint import Line, Part
from fleet.tui.screens.pane import wrapped
from fleet.tui.widgets.lines import Lines

DEAF = 0.3  # seconds after opening in which keys are ignored: they were meant for something else


class ConfirmBox(ModalScreen[bool]):
    """Shows the plans and waits for `y`, the number of hosts, or a name.

    Args:
        state: for the requests that are in flight.
        monotonic: seconds that never go back.
    """

    DEFAULT_CSS = """
    ConfirmBox { align: center middle; background: ansi_default; }
    ConfirmBox Vertical {
        width: 100%; max-width: 100; height: 100%; max-height: 40; padding: 0 1;
        border: solid ansi_default; scrollbar-size: 0 0; overflow: hidden hidden;
    }
    ConfirmBox.plain Vertical { border: ascii ansi_default; }
    ConfirmBox .plans { height: 1fr; }
    ConfirmBox .answer { height: 3; }
    """

    def __init__(
        self,
        request: ConfirmRequest,
        state: State,
        monotonic: Callable[[], float],
        tones: dict[str, Style],
        is_ascii: bool = False,
    ) -> None:
        super().__init__(classes="plain" if is_ascii else "")
        self.request = request
        self._state = state
        self._monotonic = monotonic
        self._opened = monotonic()
        self._typed = ""
        self._said = ""
        self._plans = Lines(classes="plans")
        self._answer = Lines(classes="answer")
        self._plans.tones = self._answer.tones = tones

    def compose(self) -> ComposeResult:
        with Vertical():
            yield self._plans
            yield self._answer

    def on_mount(self) -> None:
        self.call_after_refresh(self._show)

    def on_resize(self) -> None:
        self.call_after_refresh(self._show)

    @property
    def word(self) -> str:
        """What has to be typed."""
        request = self.request
        if request.level <= 1 and len(request.hosts) <= 1:
            return "y"
        if request.level >= 3 and request.word:
            return request.word
        return str(len(request.hosts))

    def on_key(self, event: events.Key) -> None:
        event.stop()
        event.prevent_default()
        if self._monotonic() - self._opened < DEAF:
            return
        if event.key == "escape":
            self.dismiss(False)
        elif event.key in ("down", "pagedown", "up", "pageup"):
            rows = self._plans.size.height - 1 if "page" in event.key else 1
            self._plans.scroll_lines(self._plans.first + (rows if "down" in event.key else -rows))
        elif self.word == "y":
            if event.character in ("y", "Y"):
                self.dismiss(True)
            elif event.character in ("n", "N", "q") or event.key == "enter":
                self.dismiss(False)
        elif event.key == "enter":
            self._entered()
        elif event.key == "backspace":
            self._typed = self._typed[:-1]
        elif event.is_printable and event.character:
            self._typed += event.character
        self._show()

    def on_paste(self, event: events.Paste) -> None:
        """A yes is typed, not pasted."""
        event.stop()

    def _entered(self) -> None:
        if self._typed == self.word:
            self.dismiss(True)
        elif not self._typed:
            self.dismiss(False)
        else:
            self._said = f"{self._typed!r} is not {self.word}. "
            self._typed = ""

    def _show(self) -> None:
        width = max(self._plans.size.width, 20)
        self._plans.show(plan_lines(self.request, self._state, width))
        if self.word == "y":
            ask: Line = (
                ("y does it", "strong"),
                ("   ", ""),
                ("[ Cancel ]", "cursor"),
                ("  Enter, Esc", "dim"),
            )
        else:
            what = "host names" if self.request.level >= 3 and self.request.word else "number of hosts"
            ask = (
                (f"{self._said}Type {self.word} ({what}) and Enter: ", "strong"),
                (self._typed + "_", ""),
                ("   ", ""),
                ("[ Cancel ]", "" if self._typed else "cursor"),
                ("  Enter, Esc", "dim"),
            )
        self._answer.show([((" ", ""),), ask])


def plan_lines(request: ConfirmRequest, state: State, width: int) -> list[Line]:
    """All that would be done, host by host."""
    hosts = request.hosts
    count = f"{len(hosts)} host{'s' if len(hosts) != 1 else ''}"
    parts: list[Part] = [(f"{request.verb}  level {request.level}, {count}", "strong"), ("", "")]
    for plan in request.plans:
        parts += _plan(plan, state, width)
    return [((text, tone),) for text, tone in parts]


def _plan(plan: Plan, state: State, width: int) -> list[Part]:
    if not plan.steps:
        return [(f"{plan.host}: nothing to do", "dim"), *_notes(plan, width)]
    host = state.hosts.get(plan.host)
    samples = [s.sample for s in host.servers.values() if s.sample is not None] if host is not None else []
    busy = sum(sample.slots_busy or 0 for sample in samples)
    flight = f", {busy} requests in flight" if busy else ""
    moved = sum(step.bytes or 0 for step in plan.steps)
    size = f", {size_text(moved)} to move" if moved else ""
    lines: list[Part] = [(f"{plan.host}: {len(plan.steps)} steps{size}{flight}", "strong")]
    for number, step in enumerate(plan.steps, 1):
        lines.append((f"  {number}. {step.title}", ""))
        if step.outage:
            lines += wrapped(f"     {step.outage}", width - 2, "warn")
    return [*lines, *_notes(plan, width), ("", "")]


def _notes(plan: Plan, width: int) -> list[Part]:
    return [(f"  {text}", tone) for note in plan.notes for text, tone in wrapped(f"- {note}", width - 4)]
