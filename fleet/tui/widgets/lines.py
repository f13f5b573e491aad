"""A block of styled lines that repaints only those that changed."""

from collections.abc import Iterable

from rich.segment import Segment
from rich.style import Style
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from fleet.tui import paint
from fleet.tui.paint import Line


class Lines(Widget):
    """Lines of (text, tone) parts, cut to the width, never wrapped."""

    DEFAULT_CSS = "Lines { width: 1fr; height: 1; scrollbar-size: 0 0; overflow: hidden hidden; }"

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._lines: tuple[Line, ...] = ()
        self._strips: dict[int, Strip] = {}
        self._first = 0
        self.tones = paint.ANSI

    @property
    def lines(self) -> tuple[Line, ...]:
        return self._lines

    @property
    def text(self) -> str:
        return "\n".join(paint.plain(line) for line in self._lines)

    def show(self, lines: Iterable[Line]) -> None:
        """Replaces the lines; nothing is painted where they are the same."""
        new = tuple(lines)
        old = self._lines
        if new == old:
            return
        self._lines = new
        height = self.size.height
        changed: list[Region] = []
        for number in range(max(len(new), len(old))):
            if number < len(new) and number < len(old) and new[number] == old[number]:
                continue
            self._strips.pop(number, None)
            if 0 <= number - self._first < height:
                changed.append(Region(0, number - self._first, self.size.width, 1))
        if changed:
            self.refresh(*changed)

    def scroll_lines(self, first: int) -> None:
        """Which line is at the top."""
        first = max(0, min(first, len(self._lines) - self.size.height))
        if first != self._first:
            self._first = first
            self.refresh()

    @property
    def first(self) -> int:
        return self._first

    def repaint(self) -> None:
        """Forgets what was drawn: the theme or the size changed."""
        self._strips.clear()
        self.refresh()

    def on_resize(self) -> None:
        self._strips.clear()

    def render_line(self, y: int) -> Strip:
        number = y + self._first
        width = self.size.width
        strip = self._strips.get(number)
        if strip is None or strip.cell_length != width:
            line = self._lines[number] if number < len(self._lines) else ()
            base = Style.null() if self.app.native_ansi_color else self.rich_style
            parts = paint.segments(line, width, self.tones)
            strip = Strip([Segment(text, base + style if style else base) for text, style, _ in parts], width)
            self._strips[number] = strip
        return strip
