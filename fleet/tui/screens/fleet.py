"""Screen 1: all hosts, one line each."""

from collections.abc import Sequence

from textual import on
from textual.app import ComposeResult

from fleet.core import ages
from fleet.tui import columns
from fleet.tui.columns import Column
from fleet.tui.paint import Line, Part, fit
from fleet.tui.rows import host_cells, host_row
from fleet.tui.scene import Scene
from fleet.tui.screens.base import View
from fleet.tui.screens.pane import host_pane
from fleet.tui.text import number_text, rate_text
from fleet.tui.widgets.lines import Lines
from fleet.tui.widgets.row import Row
from fleet.tui.widgets.table import FleetTable

SLOW_ROWS = 12  # repainted per tick on a slow line


class FleetView(View):
    def __init__(self, scene: Scene) -> None:
        super().__init__(scene, id="fleet")
        self._columns: Sequence[Column] = ()
        self._laid: tuple[object, ...] = ()
        self._table = FleetTable(self._row)
        self._pane = Lines(classes="pane")
        self._table.most = SLOW_ROWS if scene.options.slow else None

    def compose(self) -> ComposeResult:
        yield self._table
        yield self._pane

    def table(self) -> FleetTable:
        return self._table

    def target(self) -> str | None:
        marked = [name for name in self.scene.order if name in self.scene.marked]
        return ",".join(marked) or self._table.cursor

    def open(self) -> str | None:
        self.scene.host = self._table.cursor
        return "host" if self.scene.host is not None else None

    def title(self) -> Line:
        scene = self.scene
        total = ages.totals(scene.state, scene.now(), scene.words.values())
        down: Part = (f" {total.down} down", "bad" if total.down else "")
        warn: Part = (f" {total.warn} warn", "warn" if total.warn else "")
        if self.app.size.width < columns.LIST_BELOW:
            return ((f" {total.ok} ok", ""), warn, down)
        rest = f" {total.rest} off" if total.rest else ""
        steady = scene.steady
        speed = rate_text(steady.value("", "gen", total.generation, 0.5)).replace(".0", "")
        queue = "" if total.queued is None else f"  q {total.queued}"
        parts: list[Part] = [(" fleet", "strong"), (f"  {total.hosts} hosts  {total.ok} ok", ""), warn, down]
        parts.append((f"{rest}  gen {speed} t/s over {total.base}/{total.hosts}", ""))
        if self.app.size.width >= 110 and total.prompt is not None:
            parts.append((f"  pp {number_text(steady.value('', 'pp', total.prompt, 10.0) or 0.0)}", ""))
        parts.append((queue, ""))
        return tuple(parts)

    def draw(self) -> None:
        self._lay_out()
        if tuple(self._table.keys) != self.scene.order:
            self._table.put(self.scene.order)
        self._table.tick()
        if self._pane.display:
            self._draw_pane()

    def sortable(self) -> list[str]:
        """Keys of the columns that are shown."""
        return [column.key for column in self._columns]

    def column_at(self, x: int) -> str | None:
        return columns.at(self._columns, x)

    def values(self) -> list[list[str]]:
        """All rows as they are shown, one text per column."""
        moment, hosts = self.scene.moment, self.scene.state.hosts
        return [
            [text.strip() for text in host_cells(hosts[n], self._columns, moment)] for n in self.scene.order
        ]

    def foot(self) -> str:
        """What is shown of what there is."""
        scene, table = self.scene, self._table
        first = table.top + 1 if table.keys else 0
        last = min(table.top + table.page, len(table.keys))
        arrow = "desc" if scene.is_reverse else "asc"
        return (
            f"rows {first}-{last} of {len(table.keys)}   cols {len(self._columns)} of {len(columns.HOST)}   "
            f"sort {scene.sort} {arrow}   filter {scene.filter or 'none'}   marked {len(scene.marked)}"
        )

    def _row(self, key: str) -> Row:
        host = self.scene.state.hosts[key]
        return host_row(host, self._columns, self.scene.moment, key in self.scene.marked)

    def _lay_out(self) -> None:
        scene = self.scene
        width = self.app.size.width
        has_pane = width >= columns.PANE_FROM and not scene.is_wide
        if bool(self._pane.display) != has_pane:
            self._pane.display = has_pane
        wide = tuple(columns.BY_KEY) if scene.is_wide else scene.wanted
        table_width = width - (columns.PANE if has_pane else 0)
        laid = (table_width, len(scene.state.hosts), wide, scene.skip, scene.sort, scene.is_reverse)
        if laid == self._laid:
            return
        self._laid = laid
        if scene.options.slow and not wide:
            wide = tuple(key for key in columns.choose(table_width) if key != "history")
        self._columns = columns.layout(table_width, scene.state.hosts, wide, scene.skip)
        self._table.head(columns.head(self._columns, scene.sort, scene.is_reverse, scene.options.ascii))
        self._table.repaint()

    def _draw_pane(self) -> None:
        host = self.scene.state.hosts.get(self._table.cursor or "")
        rule = "|" if self.scene.options.ascii else "│"
        lines = host_pane(host, self.scene) if host is not None else []
        lines += [("", "")] * (self._pane.size.height - len(lines))
        width = columns.PANE - 2
        self._pane.show(((f"{rule} ", "dim"), (fit(text, width), tone)) for text, tone in lines)

    @on(FleetTable.Moved)
    def _moved(self) -> None:
        if self._pane.display:
            self._draw_pane()
