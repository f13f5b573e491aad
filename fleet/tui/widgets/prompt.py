"""The line where things are typed: commands, filters, a choice."""

from collections.abc import Callable, Sequence

from textual import events
from textual.message import Message
from textual.widgets import Input

from fleet.core.text import safe_line

HISTORY = 200  # lines kept
WANTED = {
    "command": ": a verb and its hosts, as in the shell",
    "filter": "/ regular expression, !not, state:down, @tag",
    "columns": "columns, in this order",
    "export": "svg, text, csv or json",
    "open": "path of an inventory",
}


class Prompt(Input):
    """An input of one line with history and completion.

    `mode` says what is being typed: command, filter, columns, export, open.

    Args:
        complete: what the last word of a command may become, with help.
        entered: takes mode and text at Enter, and closes this line.
        left: the same at Esc.
    """

    DEFAULT_CSS = """
    Prompt { height: 1; border: none; padding: 0; background: ansi_default; display: none; }
    Prompt:focus { border: none; background-tint: ansi_default 0%; }
    """

    class Typed(Message):
        """The text changed."""

        def __init__(self, mode: str, text: str) -> None:
            super().__init__()
            self.mode = mode
            self.text = text

    class Candidates(Message):
        """Several completions; nothing more can be filled in without a choice."""

        def __init__(self, found: Sequence[tuple[str, str]]) -> None:
            super().__init__()
            self.found = found

    def __init__(
        self,
        complete: Callable[[str], Sequence[tuple[str, str]]],
        entered: Callable[[str, str], None],
        left: Callable[[str, str], None],
    ) -> None:
        super().__init__(id="prompt", select_on_focus=False, compact=True)
        self.cursor_blink = False
        self.mode = "command"
        self._complete = complete
        # Called, not posted: a slow link brings keys in bursts, and the one behind Enter
        # must find this line closed.
        self._entered = entered
        self._left = left
        self._history: list[str] = []
        self._at = 0

    def ask(self, mode: str, text: str = "") -> None:
        """Opens for a kind of text, with some already typed."""
        self.mode = mode
        self.display = True
        self.placeholder = WANTED.get(mode, "")
        self.value = text
        self.cursor_position = len(text)
        self._at = len(self._history)
        self.screen.set_focus(self)  # at once: the next key is already meant for it

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        self.post_message(self.Typed(self.mode, event.value))

    async def _on_key(self, event: events.Key) -> None:
        if not self.display:  # it was on its way here when the line closed
            event.stop()
            event.prevent_default()
            self.app.post_message(events.Key(event.key, event.character))
            return
        if event.key in ("enter", "escape", "up", "down", "tab"):
            event.stop()
            event.prevent_default()
            self._act(event.key)
            return
        await super()._on_key(event)

    def _on_paste(self, event: events.Paste) -> None:
        """Only the first line of what is pasted, harmless; never run by itself."""
        event.stop()
        event.prevent_default()
        first = event.text.splitlines()[0] if event.text else ""
        self.insert_text_at_cursor(safe_line(first))

    def _act(self, key: str) -> None:
        text = self.value.strip()
        if key == "enter":
            if self.mode == "command" and text and self._history[-1:] != [text]:
                self._history = [*self._history[-HISTORY + 1 :], text]
            self._entered(self.mode, text)
        elif key == "escape":
            self._left(self.mode, text)
        elif key == "tab":
            self._fill_in()
        elif self.mode == "command" and self._history:
            self._at = max(0, min(len(self._history), self._at + (1 if key == "down" else -1)))
            self.value = self._history[self._at] if self._at < len(self._history) else ""
            self.cursor_position = len(self.value)

    def _fill_in(self) -> None:
        if self.mode != "command":
            return
        found = self._complete(self.value)
        if not found:
            return
        word = self.value.rsplit(" ", 1)[-1]
        common = found[0][0]
        for text, _ in found[1:]:
            while not text.startswith(common):
                common = common[:-1]
        if len(found) == 1:
            common += " "
        if len(common) > len(word):
            self.value = self.value[: len(self.value) - len(word)] + common
            self.cursor_position = len(self.value)
        if len(found) > 1:
            self.post_message(self.Candidates(found))
