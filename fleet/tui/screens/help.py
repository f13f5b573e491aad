"""The overlay that explains the screen, the keys, the glyphs and the numbers."""

from rich.style import Style
from textual import events
from textual.app import ComposeResult
from textual.screen import ModalScreen

from fleet.tui.keys import GLOBAL, HINTS, LOCAL
from fleet.tui.paint import Line, fit
from fleet.tui.text import GLYPHS
from fleet.tui.widgets.lines import Lines

METRICS = (
    ("GEN t/s", "tokens generated per second: what /slots counted between two looks"),
    ("PP t/s", "prompt tokens processed per second, cached ones not counted"),
    ("TTFT", "first content minus request sent, of traffic through fleet"),
    ("SLOTS", "busy / total places for conversations"),
    ("Q", "requests that wait for a slot"),
    ("KV%", "tokens held / context, from /slots"),
    ("MEM, RAM", "memory used; RAM in GiB"),
    ("VRAM", "GPU memory used, all processes; n/a without GPU"),
    ("HISTORY", "GEN over the last minute; a gap is a time without samples"),
    ("AGE", "seconds since the last good sample"),
    ("~6.2", "aging; dim is stale and in no total; -- is unknown"),
)


class HelpBox(ModalScreen[None]):
    """Keys of the screen beneath, everywhere keys, glyphs, metrics. `/` searches."""

    DEFAULT_CSS = """
    HelpBox { background: ansi_default; }
    HelpBox Lines { height: 1fr; }
    """

    def __init__(self, screen: str, tones: dict[str, Style], is_ascii: bool, note: str = "") -> None:
        super().__init__()
        self._about = screen
        self._ascii = is_ascii
        self._note = note
        self._search: str | None = None
        self._lines = Lines()
        self._lines.tones = tones

    def compose(self) -> ComposeResult:
        yield self._lines

    def on_mount(self) -> None:
        self.call_after_refresh(self._show)

    def on_resize(self) -> None:
        self.call_after_refresh(self._show)

    def on_key(self, event: events.Key) -> None:
        event.stop()
        event.prevent_default()
        if self._search is not None and event.key not in ("up", "down", "pageup", "pagedown"):
            self._type(event)
        elif event.key in ("escape", "q", "question_mark", "f1", "enter"):
            self.dismiss()
        elif event.key == "slash":
            self._search = ""
        else:
            page = self._lines.size.height - 1
            move = {"down": 1, "j": 1, "up": -1, "k": -1, "pagedown": page, "pageup": -page, "space": page}
            self._lines.scroll_lines(self._lines.first + move.get(event.key, 0))
        self._show()

    def _type(self, event: events.Key) -> None:
        assert self._search is not None
        if event.key in ("escape", "enter"):
            self._search = None if event.key == "escape" else self._search
            if event.key == "enter":
                self._search = self._search or None
        elif event.key == "backspace":
            self._search = self._search[:-1]
        elif event.is_printable and event.character:
            self._search += event.character
        self._lines.scroll_lines(0)

    def _show(self) -> None:
        search = self._search
        width = self._lines.size.width
        title = f" Help: {self._about.replace('_', ' ').capitalize()}"
        typed = "/ search" if search is None else f"/{search}_"
        lines: list[Line] = [((title, "strong"), (f"    {typed}    Esc closes", "dim"))]
        if self._note:
            lines.append(((f" {self._note}", "dim"),))
        body = self._columns(width) if search is None and width >= 110 else self._sections(width)
        if search:
            body = [line for line in body if search.lower() in "".join(t for t, _ in line).lower()]
        self._lines.show([*lines, *body])

    def _sections(self, width: int) -> list[Line]:
        lines = _titled("THIS SCREEN", self._here(), width)
        lines += _titled("EVERYWHERE", [(key.shown, key.help) for key in GLOBAL], width)
        return [*lines, *_titled("GLYPHS", self._glyphs(), width), *_titled("METRICS", METRICS, width)]

    def _columns(self, width: int) -> list[Line]:
        half = width // 2
        left = _titled("THIS SCREEN", self._here(), half)
        left += _titled("EVERYWHERE", [(key.shown, key.help) for key in GLOBAL], half)
        right = [*_titled("METRICS", METRICS, half), *_titled("GLYPHS", self._glyphs(), half)]
        height = max(len(left), len(right))
        blank: Line = ((" " * half, ""),)
        left += [blank] * (height - len(left))
        right += [()] * (height - len(right))
        return [(*one, *other) for one, other in zip(left, right, strict=True)]

    def _here(self) -> list[tuple[str, str]]:
        local = [(key.shown, key.help) for key in LOCAL.get(self._about, ())]
        return local + list(HINTS.get(self._about, ()))

    def _glyphs(self) -> list[tuple[str, str]]:
        by_glyph: dict[str, list[str]] = {}
        for word, glyphs in GLYPHS.items():
            by_glyph.setdefault(glyphs[self._ascii], []).append(word)
        return [(glyph, ", ".join(words)) for glyph, words in by_glyph.items()]


def _titled(
    title: str, entries: list[tuple[str, str]] | tuple[tuple[str, str], ...], width: int
) -> list[Line]:
    lines: list[Line] = [((fit(f" {title}", width), "head"),)]
    return lines + [
        ((" " + fit(key, 9), "key"), (fit(" " + text, max(width - 10, 1)), "")) for key, text in entries
    ]
