"""A table of thousands of rows that repaints only the visible rows that changed."""

from collections.abc import Callable, Hashable, Sequence

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Offset, Region
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from fleet.tui import paint
from fleet.tui.paint import Line
from fleet.tui.widgets.row import Row

CACHE = 4096  # strips kept


class FleetTable(ScrollView, can_focus=True):
    """Rows come from `source(key)`, and only those on the screen are asked for.

    Line 0 is the head. The cursor stays on its key when the order changes.
    """

    DEFAULT_CSS = """
    FleetTable { width: 1fr; height: 1fr; scrollbar-size: 0 0; overflow: hidden hidden; }
    """

    class Moved(Message):
        """The cursor is on another row."""

    class Opened(Message):
        """The row under the cursor was clicked twice."""

    class HeadClicked(Message):
        def __init__(self, x: int) -> None:
            super().__init__()
            self.x = x

    def __init__(self, source: Callable[[str], Row], *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._source = source
        self._keys: Sequence[str] = ()
        self._index: dict[str, int] = {}
        self._rows: dict[str, Row] = {}
        self._cache: dict[tuple[Hashable, int, bool], Strip] = {}
        self._head: Line = ()
        self._at = 0
        self._top = 0
        self.tones = paint.ANSI
        self.most: int | None = None  # rows repainted per tick; None is all

    @property
    def keys(self) -> Sequence[str]:
        return self._keys

    @property
    def cursor(self) -> str | None:
        """The key under the cursor."""
        return self._keys[self._at] if 0 <= self._at < len(self._keys) else None

    @property
    def page(self) -> int:
        """Rows that fit."""
        return max(self.size.height - 1, 1)

    @property
    def top(self) -> int:
        return self._top

    def put(self, keys: Sequence[str]) -> None:
        """Shows these rows in this order; the cursor stays on its row if it is still there."""
        if list(keys) == list(self._keys):
            return
        old = self.cursor
        self._keys = tuple(keys)
        self._index = {key: number for number, key in enumerate(self._keys)}
        self._at = self._index.get(old or "", min(self._at, max(len(self._keys) - 1, 0)))
        self._rows.clear()
        self._into_view()
        self.refresh()
        if self.cursor != old:
            self.post_message(self.Moved())

    def head(self, line: Line) -> None:
        if line != self._head:
            self._head = line
            self.refresh(Region(0, 0, self.size.width, 1))

    def tick(self) -> None:
        """Asks for the visible rows again and repaints those whose version changed."""
        changed: list[Region] = []
        for y in range(1, self.size.height):
            number = self.top + y - 1
            if number >= len(self._keys):
                break
            key = self._keys[number]
            row = self._source(key)
            old = self._rows.get(key)
            if old is not None and old.version == row.version:
                continue
            if self.most is not None and len(changed) >= self.most and number != self._at:
                continue
            self._rows[key] = row
            changed.append(Region(0, y, self.size.width, 1))
        if changed:
            self.refresh(*changed)

    def repaint(self) -> None:
        """Forgets what was drawn: columns, theme or size changed."""
        self._rows.clear()
        self._cache.clear()
        self.refresh()

    def move(self, number: int) -> None:
        """Puts the cursor on a row, by number."""
        number = max(0, min(number, len(self._keys) - 1))
        if number == self._at or not self._keys:
            return
        top, self._at, old = self.top, number, self._at
        self._into_view()
        if self.top == top:
            self.refresh(*(Region(0, n - top + 1, self.size.width, 1) for n in (old, number)))
        else:
            self.refresh()
        self.post_message(self.Moved())

    def step(self, rows: int) -> None:
        self.move(self._at + rows)

    def go(self, key: str) -> None:
        if key in self._index:
            self.move(self._index[key])

    def row_text(self) -> str:
        """The row under the cursor, as text."""
        key = self.cursor
        return paint.plain(self._source(key).parts).strip() if key is not None else ""

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        if y == 0:
            return self._strip(Row(("head", self._head), self._head, "head"), False)
        number = self.top + y - 1
        if number >= len(self._keys):
            return Strip.blank(width, None if self.app.native_ansi_color else self.rich_style)
        key = self._keys[number]
        row = self._rows.get(key)
        if row is None:
            row = self._rows[key] = self._source(key)
        return self._strip(row, number == self._at)

    def _strip(self, row: Row, is_cursor: bool) -> Strip:
        width = self.size.width
        place = (row.version, width, is_cursor)
        strip = self._cache.get(place)
        if strip is None:
            base = Style.null() if self.app.native_ansi_color else self.rich_style
            if is_cursor:
                line: Line = ((paint.plain(row.parts), "cursor"),)
                parts = paint.segments(line, width, self.tones, "cursor")
            else:
                parts = paint.segments(row.parts, width, self.tones, row.tone)
            strip = Strip([Segment(text, base + style if style else base) for text, style, _ in parts], width)
            if len(self._cache) >= CACHE:
                self._cache.clear()
            self._cache[place] = strip
        return strip

    def _into_view(self) -> None:
        top = self.top
        if self._at < top:
            top = self._at
        elif self._at >= top + self.page:
            top = self._at - self.page + 1
        top = max(0, min(top, len(self._keys) - self.page))
        if top != self._top:
            self._top = top
            self.refresh()
        self._place_cursor()

    def _place_cursor(self) -> None:
        if self.has_focus:
            self.app.cursor_position = self.region.offset + Offset(0, self._at - self.top + 1)

    def on_focus(self) -> None:
        self._place_cursor()

    def on_resize(self) -> None:
        self._cache.clear()
        self._into_view()

    def on_click(self, event: events.Click) -> None:
        if event.y == 0:
            self.post_message(self.HeadClicked(event.x))
            return
        number = self.top + event.y - 1
        if number < len(self._keys):
            if number == self._at:
                self.post_message(self.Opened())
            else:
                self.move(number)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self.step(3)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self.step(-3)
