"""What a command answered, where that is more than the status line holds."""

from rich.style import Style
from textual import events
from textual.app import ComposeResult
from textual.screen import ModalScreen

from fleet.tui.feed import Reply
from fleet.tui.paint import Line
from fleet.tui.widgets.lines import Lines

CLOSING = ("escape", "q", "enter")
FAR = 1 << 30  # lines: farther than any end


class ReplyBox(ModalScreen[None]):
    """The lines of a reply, over the whole screen, until it is closed."""

    DEFAULT_CSS = """
    ReplyBox { background: ansi_default; }
    ReplyBox .body { height: 1fr; }
    ReplyBox .head { height: 1; }
    """

    def __init__(self, reply: Reply, tones: dict[str, Style]) -> None:
        super().__init__()
        self.reply = reply
        self._head = Lines(classes="head")
        self._body = Lines(classes="body")
        self._head.tones = self._body.tones = tones

    def compose(self) -> ComposeResult:
        yield self._head
        yield self._body

    def on_mount(self) -> None:
        self.call_after_refresh(self._show)

    def on_resize(self) -> None:
        self.call_after_refresh(self._show)

    def _show(self) -> None:
        count = len(self.reply.lines)
        head: Line = (
            (f" {self.reply.title}", "strong"),
            (f"    {count} lines    j k g G PgUp PgDn    Esc closes", "dim"),
        )
        self._head.show([head])
        width = max(self._body.size.width - 2, 20)
        parts = [line[at : at + width] for line in self.reply.lines for at in range(0, len(line) or 1, width)]
        self._body.show([((f" {part}", ""),) for part in parts])
        if self.reply.from_end:
            self._body.scroll_lines(FAR)

    def on_key(self, event: events.Key) -> None:
        event.stop()
        event.prevent_default()
        if event.key in CLOSING:
            self.dismiss()
            return
        page = max(self._body.size.height - 1, 1)
        moves = {"down": 1, "j": 1, "up": -1, "k": -1, "pagedown": page, "space": page, "pageup": -page}
        moves |= {"g": -FAR, "home": -FAR, "G": FAR, "end": FAR}
        self._body.scroll_lines(self._body.first + moves.get(event.key, 0))
