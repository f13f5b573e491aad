"""Screen 3: what is being changed, one line per host, one column per phase."""

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Vertical

from fleet.core.jobs import PHASES, Job, JobRow, Phase, finished, percent
from fleet.core.plan import size_text
from fleet.tui.columns import PANE_FROM
from fleet.tui.paint import Line, Part, fit
from fleet.tui.scene import Scene
from fleet.tui.screens.base import View, bindings
from fleet.tui.screens.pane import wrapped
from fleet.tui.text import clock_text, short_text, span_text
from fleet.tui.widgets.lines import Lines
from fleet.tui.widgets.row import Row
from fleet.tui.widgets.table import FleetTable

WIDTHS = {"probe": 6, "build": 10, "push": 15, "verify": 6, "stop": 5, "start": 5, "health": 7}
RESULT = 8
SIDE = 44
RESULTS = {"wait": "", "run": "...", "done": "done", "same": "no change", "failed": "failed"}
TONES = {"done": "ok", "same": "ok", "failed": "bad"}


class DeployView(View):
    BINDINGS: ClassVar[list[BindingType]] = bindings("deploy")
    DEFAULT_CSS = """
    DeployView FleetTable { height: 1fr; }
    DeployView .log { height: 5; }
    DeployView .pane { width: 44; }
    """

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene, id="deploy")
        self._table = FleetTable(self._row)
        self._log = Lines(classes="log")
        self._detail = Lines(classes="fill")
        self._detail.display = False
        self._pane = Lines(classes="pane")

    def compose(self) -> ComposeResult:
        with Vertical(classes="column"):
            yield self._table
            yield self._detail
            yield self._log
        yield self._pane

    def table(self) -> FleetTable:
        return self._table

    def target(self) -> str | None:
        return self._table.cursor

    def open(self) -> str | None:
        self._switch(is_detail=True)
        return None

    def back(self) -> bool:
        was = bool(self._detail.display)
        self._switch(is_detail=False)
        return was

    def scroll_by(self, lines: int) -> None:
        if self._detail.display:
            self._detail.scroll_lines(self._detail.first + lines)

    def title(self) -> Line:
        job = self.scene.job()
        if job is None:
            return ((" Deploy", "strong"), ("  nothing is being changed", ""))
        until = job.ended if job.ended is not None else self.scene.now()
        who = f"  by {job.actor}" if job.actor else ""
        why = f" ({job.reason})" if job.reason else ""
        end = "" if job.exit_code is None else f"  exit {job.exit_code}"
        hosts = f"{len(job.hosts)} host{'s' if len(job.hosts) != 1 else ''}"
        return (
            (" Deploy ", ""),
            (f"{job.verb} {job.run[:8]}", "strong"),
            (f"  {hosts}  {finished(job)}/{len(job.hosts)} done  {clock_text(until - job.started)}", ""),
            (end, "bad" if job.exit_code else "ok"),
            (who + why, ""),
        )

    def draw(self) -> None:
        job = self.scene.job()
        has_side = self.app.size.width >= PANE_FROM
        if bool(self._pane.display) != has_side:
            self._pane.display = has_side
        if job is None:
            self._table.head(((" No deploy yet. `:deploy HOST` or d on a host makes a plan and asks.", ""),))
            self._table.put(())
            self._log.show(())
            return
        titles = " ".join(fit(name.upper(), width) for name, width in WIDTHS.items())
        self._table.head(((f" {fit('HOST', self._host_width())} {titles} RESULT", "head"),))
        keys = [h for h in job.hosts if not self.scene.only_problems or _failed(job, h)]
        if tuple(self._table.keys) != tuple(keys):
            self._table.put(keys)
        self._table.tick()
        self._draw_log(job)

    def _host_width(self) -> int:
        room = self.app.size.width - (SIDE if self.app.size.width >= PANE_FROM else 0)
        spare = room - sum(WIDTHS.values()) - len(WIDTHS) - RESULT - 3
        job = self.scene.job()
        longest = max((len(host) for host in job.hosts), default=8) if job is not None else 8
        return max(min(longest, spare), 7)

    def _row(self, key: str) -> Row:
        job = self.scene.job()
        row = (job.rows.get(key) if job is not None else None) or JobRow(key)
        parts: list[Part] = [(f" {fit(key, self._host_width())} ", "")]
        for name in PHASES:
            text, tone = _phase(name, row.phases.get(name), row)
            parts += [(fit(text, WIDTHS[name]), tone), (" ", "")]
        parts.append((RESULTS[row.result], TONES.get(row.result, "")))
        line = tuple(parts)
        return Row(line, line)

    def _draw_log(self, job: Job) -> None:
        row = job.rows.get(self._table.cursor or "")
        recent = [
            ((f" {host} ", "dim"), (line, ""))
            for host, other in job.rows.items()
            for line in other.lines[-4:]
        ]
        errors: list[Line] = []
        for host, other in job.rows.items():
            if other.error is not None:
                after = f" -> next: {other.error.next}" if other.error.next else ""
                errors.append(((f" {host}: {other.error.message}", "bad"), (after, "key")))
        lines: list[Line] = [((" LOG", "head"),), *recent[-4:][len(errors[-4:]) :], *errors[-4:]]
        self._log.show(lines)
        if row is None:
            return
        if self._detail.display:
            self._detail.show(((text, tone),) for text, tone in _details(row, self._detail.size.width - 2))
        if self._pane.display:
            rule = "| " if self.scene.options.ascii else "│ "
            side = _details(row, SIDE - 3)
            side += [("", "")] * (self._pane.size.height - len(side))
            self._pane.show(((rule, "dim"), (text, tone)) for text, tone in side)

    def _switch(self, is_detail: bool) -> None:
        self._detail.display = is_detail
        self._table.styles.height = 3 if is_detail else "1fr"
        self.call_after_refresh(self.draw)


def _failed(job: Job, host: str) -> bool:
    row = job.rows.get(host)
    return row is not None and row.result == "failed"


def _phase(name: str, phase: Phase | None, row: JobRow) -> tuple[str, str]:
    """A phase in its column."""
    if phase is None:
        return ("-", "dim")
    if phase.state == "wait":
        return ("queued" if row.result == "run" else "wait", "dim")
    if phase.state == "failed":
        return ("failed", "bad")
    if phase.state == "ok":
        extra = short_text(phase.bytes) if phase.bytes else ""
        if not extra and phase.seconds is not None and phase.seconds >= 10:
            extra = span_text(phase.seconds)
        return (f"ok {extra}".strip(), "ok")
    done = percent(phase)
    if done is None:
        return ("...", "key")
    parts = [f"{done}%"]
    if phase.unit == "bytes" and phase.rate:
        parts.append(f"{short_text(phase.rate)}/s")
    if phase.left is not None:
        parts.append(span_text(phase.left))
    text = " ".join(parts)
    return (text if len(text) <= WIDTHS[name] else parts[0], "key")


def _details(row: JobRow, width: int) -> list[Part]:
    """The plan of a host, what is said of it, and its output."""
    lines: list[Part] = [(f"PLAN {row.host}  {row.done}/{row.total} steps", "head")]
    for number, step in enumerate(row.steps):
        mark = "ok" if number < row.done else ">>" if row.step == step else "  "
        lines.append((f"{mark} {step}", "strong" if mark == ">>" else ""))
    for note in row.notes:
        lines += wrapped(f"- {note}", width)
    if row.error is not None:
        lines += wrapped(row.error.message, width, "bad")
        lines += wrapped(f"-> next: {row.error.next}" if row.error.next else "", width, "key")
    moved = sum(phase.bytes or 0 for phase in row.phases.values())
    if moved:
        lines.append((f"moved {size_text(moved)}", "dim"))
    return [*lines, ("--- output", "dim"), *((line, "") for line in row.lines[-40:])]
