"""Screen 2: one host with its servers and what happened on it."""

import time

from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widget import Widget

from fleet.core import ages
from fleet.core.state import HostState, ServerState
from fleet.tui.columns import BY_KEY
from fleet.tui.paint import Line, Part, fit
from fleet.tui.rows import host_row, share
from fleet.tui.scene import Scene
from fleet.tui.screens.base import View
from fleet.tui.screens.pane import event_text, server_speed
from fleet.tui.text import (
    UNKNOWN,
    age_text,
    gauge,
    gib_text,
    percent_text,
    rate_text,
    span_text,
    spark,
    state_text,
    tone_of,
)
from fleet.tui.widgets.lines import Lines
from fleet.tui.widgets.row import Row
from fleet.tui.widgets.table import FleetTable

SERVERS = (
    *(("SERVER", 12, "left"), ("STATE", 11, "left"), ("MODEL", 20, "left"), ("GEN t/s", 7, "right")),
    *(("SLOTS", 5, "right"), ("Q", 2, "right"), ("UP", 6, "right"), ("RESTARTS", 8, "right")),
)


class HostView(View):
    DEFAULT_CSS = """
    HostView .facts { height: 7; }
    HostView FleetTable { height: 4; }
    """

    def __init__(self, scene: Scene) -> None:
        super().__init__(scene, id="host")
        self._facts = Lines(classes="facts")
        self._table = FleetTable(self._row)
        self._events = Lines(classes="fill")

    def compose(self) -> ComposeResult:
        with Vertical(classes="column"):
            yield self._facts
            yield self._table
            yield self._events

    @property
    def host(self) -> HostState | None:
        return self.scene.state.hosts.get(self.scene.host or "")

    def table(self) -> FleetTable:
        return self._table

    def target(self) -> str | None:
        host = self.host
        if host is None:
            return None
        return f"{self._table.cursor}@{host.name}" if self._table.cursor else host.name

    def title(self) -> Line:
        host, scene = self.host, self.scene
        if host is None:
            return ((" Fleet > no host chosen", "strong"),)
        word = scene.words.get(host.name, "unknown")
        about = "  ".join(text for text in (host.platform, host.backend, " ".join(host.tags)) if text)
        return (
            (" Fleet > ", ""),
            (host.name, "strong"),
            ("  ", ""),
            (state_text(word, scene.options.ascii), tone_of(word)),
            (f"  {about}  AGE {age_text(ages.host_age(host, scene.now()))}", ""),
        )

    def draw(self) -> None:
        host = self.host
        if host is None:
            self._facts.show([(("", ""),), ((" No host. Press 1 and Enter on one.", ""),)])
            self._table.put(())
            self._events.show(())
            return
        facts = self._fact_lines(host)
        _set_height(self._facts, len(facts) + 1)
        self._facts.show(facts)
        names = tuple(dict.fromkeys((*host.servers, *host.declared)))
        _set_height(self._table, min(max(len(names), 1) + 1, max(self.size.height - len(facts) - 3, 2)) + 1)
        title = " " + " ".join(fit(name, width, align) for name, width, align in SERVERS)
        self._table.head(((title, "head"),))
        self._table.put(names)
        self._table.tick()
        self._events.show(self._event_lines(host))

    def _fact_lines(self, host: HostState) -> list[Line]:
        scene, sample = self.scene, host.sample
        now = scene.now()
        row = host_row(host, [BY_KEY[key] for key in ("gen", "pp", "slots", "q", "kv")], scene.moment, False)
        gen, pp, slots, q, kv = row.parts[0][0].split()[:5] if row.parts else [UNKNOWN] * 5
        measured = [s.measured for s in host.servers.values() if s.measured is not None]
        ttft = next((f"{m.ttft * 1000:.0f} ms" for m in measured if m.ttft is not None), UNKNOWN)
        width = max(min(self.size.width - 24, 120), 10)
        cells = host.history.cells(width, now)
        known = [cell for cell in cells if cell is not None]
        lines: list[Line] = [
            ((f" GEN {gen} t/s  PP {pp}  TTFT {ttft}  SLOTS {slots}  Q {q}  KV {kv}% (/slots)", ""),),
            (
                (" GEN  ", "head"),
                (spark(cells, scene.options.ascii), "ok"),
                (f"  max {rate_text(max(known))}" if known else "  no samples yet", ""),
            ),
        ]
        if sample is None:
            return [*lines, ((" no measurement of the system yet", "dim"),), *_error(host)]
        memory = share(sample.memory_used, sample.memory_total)
        used = f" {gib_text(sample.memory_used)}/{gib_text(sample.memory_total)} GiB"
        swap: Part = (f"  SWAP {gib_text(sample.swap_used)}", "warn" if sample.swap_in else "")
        disk = f"  DISK {gib_text(sample.disk_free)} GiB free  CPU {percent_text(sample.load)}%"
        lines.append(((" RAM  ", "head"), (gauge(memory, 12) + used, ""), swap, (disk, "")))
        if sample.gpu_load is None and sample.gpu_memory_total is None:
            lines.append(((" GPU  ", "head"), ("n/a", "dim")))
        else:
            memory = share(sample.gpu_memory_used, sample.gpu_memory_total)
            used = f" {gib_text(sample.gpu_memory_used)}/{gib_text(sample.gpu_memory_total)} GiB"
            heat = UNKNOWN if sample.gpu_temperature is None else f"{sample.gpu_temperature:.0f}C"
            power = UNKNOWN if sample.gpu_power is None else f"{sample.gpu_power:.0f}W"
            text = f"{gauge(memory, 12)}{used}  GPU {percent_text(sample.gpu_load)}% {heat} {power}"
            lines.append(((" VRAM ", "head"), (text, "")))
        return [*lines, *_error(host)]

    def _row(self, key: str) -> Row:
        host, scene = self.host, self.scene
        server = host.servers.get(key, ServerState()) if host is not None else ServerState()
        fresh = ages.freshness(host, scene.now(), scene.state.interval) if host is not None else ages.NEVER
        word = ages.server_word(server, fresh, scene.now())
        sample = server.sample
        speed = server_speed(host, key, scene) if host is not None and key in host.servers else UNKNOWN
        slots = (
            UNKNOWN
            if sample is None or sample.slots_total is None
            else _slots(sample.slots_busy, sample.slots_total)
        )
        texts = (
            *(
                key,
                state_text(word, scene.options.ascii),
                (sample.model if sample else None) or "-",
                speed,
                slots,
            ),
            UNKNOWN if sample is None or sample.deferred is None else str(sample.deferred),
            UNKNOWN if sample is None else span_text(sample.since),
            UNKNOWN if sample is None or sample.restarts is None else str(sample.restarts),
        )
        reason = f"  {sample.reason}" if sample is not None and sample.reason else ""
        cells = [fit(text, width, align) for text, (_, width, align) in zip(texts, SERVERS, strict=True)]
        line: Line = (
            (f" {cells[0]} ", ""),
            (cells[1], tone_of(word)),
            (" " + " ".join(cells[2:]) + reason, ""),
        )
        return Row(line, line)

    def _event_lines(self, host: HostState) -> list[Line]:
        lines: list[Line] = [((" EVENTS", "head"),)]
        for event in reversed(host.log):
            tone = "bad" if event.event in ("step_failed", "host_failed", "link_lost") else ""
            at = time.strftime("%H:%M:%S", time.localtime(event.ts))
            lines.append(((f" {at}  ", "dim"), (event_text(event), tone)))
        if not host.log:
            lines.append(((" nothing happened yet", "dim"),))
        return lines


def _set_height(widget: Widget, lines: int) -> None:
    height = widget.styles.height
    if height is None or height.value != lines:
        widget.styles.height = lines


def _slots(busy: int | None, total: int) -> str:
    return f"{'?' if busy is None else busy}/{total}"


def _error(host: HostState) -> list[Line]:
    if host.error is None:
        return []
    after: Line = ((f"       -> next: {host.error.next}", "key"),) if host.error.next else ()
    return [((f" {host.error.kind}: {host.error.message}", "bad"),), after]
