"""What is shown where there is no inventory, or none of its hosts."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType

from fleet.tui.keys import LOCAL
from fleet.tui.paint import Line
from fleet.tui.scene import Scene
from fleet.tui.screens.base import View, bindings
from fleet.tui.widgets.lines import Lines

COMMANDS = {"i": "fleet init", "D": "fleet demo", "o": "open PATH"}


class FirstRunView(View, can_focus=True):
    BINDINGS: ClassVar[list[BindingType]] = bindings("first_run")

    def __init__(self, scene: Scene, why: str) -> None:
        super().__init__(scene, id="first_run")
        self._why = why
        self._lines = Lines(classes="fill")

    def compose(self) -> ComposeResult:
        yield self._lines

    def title(self) -> Line:
        return ((" fleet", "strong"), (f"  {self._why}", ""))

    def draw(self) -> None:
        lines: list[Line] = [((" ", ""),)]
        for key in LOCAL["first_run"]:
            lines.append(
                ((f"   {key.shown}  ", "key"), (f"{COMMANDS[key.shown]:<16}", "strong"), (key.help, ""))
            )
        self._lines.show(lines)
