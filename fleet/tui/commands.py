"""What is typed: the command line, filters and choices, and what comes of them."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from textual import on

from fleet.tui import columns, filters
from fleet.tui.frame import Frame
from fleet.tui.keys import LATER
from fleet.tui.paint import clean
from fleet.tui.widgets.prompt import Prompt

Found = Sequence[tuple[str, str]]


class Commands(Frame):
    """The layer that reads text."""

    complete: Callable[[str], Found] | None = None
    send: Callable[[str], None]

    def go(self, name: str) -> None:
        """To a view, remembered."""
        self.show_view(name)

    def export(self, form: str) -> None:
        """Writes what is shown into a file."""

    def candidates(self, text: str) -> Found:
        """What the last word may become, with help."""
        if self.complete is not None:
            return self.complete(text)
        word = text.rsplit(" ", 1)[-1]
        if " " not in text.lstrip():
            return [
                (verb, f"level {level}") for verb, level in self.scene.levels.items() if verb.startswith(word)
            ]
        return [(name, "host") for name in self.scene.state.hosts if name.startswith(word)]

    def submit(self, text: str) -> None:
        """Runs a line as typed; `.` is what is under the cursor, `%` what is marked."""
        text = self._expanded(text.removeprefix("fleet ").strip())
        if not text:
            return
        verb = text.split()[0]
        if verb in ("q", "quit", "exit"):
            self.exit()
            return
        if self.scene.options.read_only and self.scene.levels.get(verb, 0) > 0:
            self.say(f"read-only: {verb} would change something", "warn")
            return
        self.say(f"> {text}")
        self.send(text)

    def open_prompt(self, mode: str, text: str = "") -> None:
        self.prompt.ask(mode, text)
        self.status.display = False
        self.show_hints(mode)

    def close_prompt(self) -> None:
        self.prompt.display = False
        self.status.display = True
        table = self.view.table()
        self.screen_stack[0].set_focus(table if table is not None else self.view)
        self.show_hints(self.current)

    @on(Prompt.Typed)
    def _typed(self, message: Prompt.Typed) -> None:
        if message.mode == "filter" and self.prompt.display:
            self._filter(message.text)

    def left(self, mode: str, text: str) -> None:
        if mode == "filter":
            self._filter("")
        self.close_prompt()

    def entered(self, mode: str, text: str) -> None:
        self.close_prompt()
        match mode:
            case "command":
                self.submit(text)
            case "filter":
                self._filter(text)
            case "columns":
                self._choose_columns(text)
            case "export":
                self.export(text)
            case "open":
                if text:
                    self.exit(f"open {Path(text).expanduser()}")

    @on(Prompt.Candidates)
    def _candidates(self, message: Prompt.Candidates) -> None:
        shown = "  ".join(f"{clean(word)}" for word, _ in message.found[:12])
        help_text = clean(message.found[0][1]) if message.found else ""
        self.show_hints("", ((f" {shown}", "key"), (f"   {help_text}", "dim")))

    def _filter(self, text: str) -> None:
        self.scene.filter = text
        _, problem = filters.matcher(text)
        if problem:
            self.show_hints("", ((f" {problem}", "warn"),))
        elif self.prompt.display:
            self.show_hints("filter")
        self.draw()

    def _choose_columns(self, text: str) -> None:
        wanted = tuple(text.replace(",", " ").split())
        unknown = [key for key in wanted if key not in columns.BY_KEY]
        if unknown:
            self.say(f"no column called {unknown[0]} -> one of: {' '.join(columns.BY_KEY)}", "warn")
            return
        self.scene.wanted = ("host", *(key for key in wanted if key != "host")) if wanted else ()
        self.draw()

    def _expanded(self, text: str) -> str:
        here = self.view.target()
        marked = ",".join(name for name in self.scene.order if name in self.scene.marked)
        words = re.split(r"(\s+)", text)
        named = {".": here or ".", "%": marked or "%"}
        return "".join(named.get(word, word) for word in words)

    def later(self, key: str) -> None:
        name, word, meanwhile = LATER[key]
        self.say(f"{name}: comes with the {word} screen; meanwhile: {meanwhile}")
