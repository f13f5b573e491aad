"""What the keys do. Nothing here touches a host: a key becomes a line as typed after `:`."""

import csv
import dataclasses
import io
import json
import time
from typing import TYPE_CHECKING

from fleet.tui.screens.fleet import FleetView
from fleet.tui.screens.help import HelpBox
from fleet.tui.widgets.table import FleetTable

if TYPE_CHECKING:
    from fleet.tui.app import FleetApp

TWICE = 2.0  # seconds within which a second ctrl+c quits
SLOWEST, FASTEST = 30.0, 0.5  # seconds per tick


class Actions:
    """The half of the app that keys call. Mixed into FleetApp."""

    _been: list[str]
    _place: int
    _interrupted: float = -TWICE

    def go(self: "FleetApp", name: str) -> None:
        """To a view, remembered for [ ] and -."""
        if not hasattr(self, "_been"):
            self._been, self._place = [self.current], 0
        if name != self.current:
            self._been = [*self._been[: self._place + 1], name]
            self._place = len(self._been) - 1
        self.show_view(name)

    def action_show(self: "FleetApp", name: str) -> None:
        if name == "host" and self.current == "fleet":
            self.model.host = self.views["fleet"].table().cursor or self.model.host  # type: ignore[union-attr]
        if self.model.state.hosts:
            self.go(name)

    def action_later(self: "FleetApp", key: str) -> None:
        self.later(key)

    def action_help(self: "FleetApp") -> None:
        view = self.view
        box = HelpBox(
            self.current, self.model.options.ascii, view.foot() if isinstance(view, FleetView) else ""
        )
        self.push_screen(box)
        self.call_after_refresh(self.apply_theme)

    def action_command(self: "FleetApp") -> None:
        self.open_prompt("command")

    def action_filter(self: "FleetApp") -> None:
        self.open_prompt("filter", self.model.filter)

    def action_open(self: "FleetApp") -> None:
        name = self.view.open()
        if name is not None:
            self.go(name)

    def action_back(self: "FleetApp") -> None:
        if self.view.back():
            return
        if self.current in ("host", "deploy"):
            self.go("fleet")
        elif self.model.filter or self.model.only_problems:
            self.model.filter, self.model.only_problems = "", False
            self.draw()

    def action_leave(self: "FleetApp") -> None:
        if self.view.back():
            return
        if self.current in ("host", "deploy"):
            self.go("fleet")
            return
        running = [job for job in self.model.jobs() if job.ended is None]
        if running and self.monotonic() - self._interrupted > TWICE:
            self._interrupted = self.monotonic()
            self.say(f"{running[-1].verb} still runs; q again quits and interrupts it", "warn")
            return
        self.exit()

    def action_interrupt(self: "FleetApp") -> None:
        if self.monotonic() - self._interrupted <= TWICE:
            self.exit()
            return
        self._interrupted = self.monotonic()
        self.say("ctrl+c once more quits", "warn")

    def action_step(self: "FleetApp", rows: int) -> None:
        table = self.view.table()
        if table is not None:
            table.step(rows)
        self.view.scroll_by(rows)

    def action_edge(self: "FleetApp", side: int) -> None:
        table = self.view.table()
        if table is not None:
            table.move(0 if side < 0 else len(table.keys) - 1)

    def action_page(self: "FleetApp", pages: int) -> None:
        table = self.view.table()
        if table is not None:
            table.step(pages * table.page)
        self.view.scroll_by(pages * 10)

    def action_shift(self: "FleetApp", columns: int) -> None:
        self.model.skip = max(0, min(self.model.skip + columns, 18))
        self.draw()

    def action_history(self: "FleetApp", step: int) -> None:
        place = getattr(self, "_place", 0) + step
        been = getattr(self, "_been", [self.current])
        if 0 <= place < len(been):
            self._place = place
            self.show_view(been[place])

    def action_last(self: "FleetApp") -> None:
        been = getattr(self, "_been", [])
        if len(been) > 1 and self._place > 0:
            self.go(been[self._place - 1])

    def action_sort(self: "FleetApp", step: int) -> None:
        view = self.views["fleet"]
        keys = view.sortable() if isinstance(view, FleetView) else []
        if keys:
            place = keys.index(self.model.sort) if self.model.sort in keys else 0
            self.sort_by(keys[(place + step) % len(keys)])

    def sort_by(self: "FleetApp", key: str) -> None:
        self.model.sort = key
        self.model.is_reverse = key not in ("host", "state", "backend", "model")
        self.draw()

    def action_reverse(self: "FleetApp") -> None:
        self.model.is_reverse = not self.model.is_reverse
        self.draw()

    def action_columns(self: "FleetApp") -> None:
        view = self.views["fleet"]
        self.open_prompt("columns", " ".join(view.sortable()) if isinstance(view, FleetView) else "")

    def action_wide(self: "FleetApp") -> None:
        self.model.is_wide = not self.model.is_wide
        self.model.skip = 0
        self.draw()

    def action_mark(self: "FleetApp") -> None:
        table = self.views["fleet"].table()
        if table is not None and table.cursor is not None and self.current == "fleet":
            self.model.marked ^= {table.cursor}
            table.step(1)
            self._say_marked()

    def action_mark_all(self: "FleetApp") -> None:
        self.model.marked |= set(self.model.order)
        self._say_marked()

    def action_unmark(self: "FleetApp") -> None:
        self.model.marked.clear()
        self._say_marked()

    def _say_marked(self: "FleetApp") -> None:
        self.say(f"{len(self.model.marked)} marked")
        self.draw()

    def action_problems(self: "FleetApp") -> None:
        self.model.only_problems = not self.model.only_problems
        self.say("only problems; z shows all" if self.model.only_problems else "all")
        self.draw()

    def action_pause(self: "FleetApp") -> None:
        self.is_paused = not self.is_paused
        self.say("painting is paused; p goes on" if self.is_paused else "painting again")
        self.header.show([self._title()])
        if not self.is_paused:
            self.draw()

    def action_pace(self: "FleetApp", factor: float) -> None:
        self._seconds = min(max(self._seconds * factor, FASTEST), SLOWEST)
        self.timer.stop()
        self.timer = self.set_interval(self._seconds, self.tick)
        self.say(f"painting every {self._seconds:g} s")

    def action_refresh_now(self: "FleetApp") -> None:
        self.tick()
        self.repaint()
        self.screen.refresh()

    def action_ask(self: "FleetApp", verb: str) -> None:
        """A request for what is under the cursor; plans are shown before anything is done."""
        target = self.view.target()
        if target is None:
            self.say(f"{verb}: nothing under the cursor", "warn")
            return
        if verb == "deploy":
            target = target.partition("@")[2] or target
        self.submit(f"{verb} {target}")

    def action_copy(self: "FleetApp", form: str) -> None:
        text = self._row_json() if form == "json" else self._row_text()
        if not text:
            self.say("nothing under the cursor to copy", "warn")
            return
        self.copy_to_clipboard(text)
        try:
            routes = self.desk.copy(text) if self.desk is not None else []
        except OSError as error:
            self.say(f"copied by OSC 52; yank.txt: {error.strerror}", "warn")
            return
        self.say(f"copied {len(text)} characters by {', '.join(['OSC 52', *routes])}")

    def _row_text(self: "FleetApp") -> str:
        table = self.view.table()
        return table.row_text() if table is not None else ""

    def _row_json(self: "FleetApp") -> str:
        table = self.view.table()
        name = self.model.host if self.current == "host" else (table.cursor if table is not None else None)
        host = self.model.state.hosts.get(name or "")
        if host is None:
            return ""
        servers = [s.sample.document() for s in host.servers.values() if s.sample is not None]
        return json.dumps(
            {
                "name": host.name,
                "state": self.model.words.get(host.name),
                "backend": host.backend,
                "seen": host.seen,
                "system": host.sample.document() if host.sample is not None else None,
                "servers": servers,
                "error": dataclasses.asdict(host.error) if host.error is not None else None,
            },
            ensure_ascii=False,
        )

    def action_mouse(self: "FleetApp") -> None:
        driver = self._driver
        turn = {True: "_disable_mouse_support", False: "_enable_mouse_support"}
        is_on = getattr(driver, "_mouse", False)
        if driver is None or not hasattr(driver, turn[is_on]):
            self.say("this terminal has no mouse to switch")
            return
        if is_on:
            driver._disable_mouse_support()  # type: ignore[attr-defined]
            driver._mouse = False
        else:
            driver._mouse = True
            driver._enable_mouse_support()  # type: ignore[attr-defined]
        driver.flush()
        self.say("mouse off: the terminal selects text; m turns it on" if is_on else "mouse on")

    def action_theme(self: "FleetApp") -> None:
        names = self.model.options.themes
        place = names.index(self.theme) if self.theme in names else -1
        self.theme = names[(place + 1) % len(names)]
        self.apply_theme()
        self.say(f"theme {self.theme}")

    def action_export(self: "FleetApp") -> None:
        self.open_prompt("export", "svg")

    def action_pager(self: "FleetApp") -> None:
        if self.desk is None or self.is_headless:
            self.say("no pager here", "warn")
            return
        with self.suspend():
            self.desk.page(self.screen_text())

    def action_editor(self: "FleetApp") -> None:
        if self.desk is None or self.inventory is None or self.is_headless:
            self.say("no inventory file to edit", "warn")
            return
        with self.suspend():
            self.desk.edit(self.inventory)

    def action_choose(self: "FleetApp", word: str) -> None:
        self.exit(word)

    def action_path(self: "FleetApp") -> None:
        self.open_prompt("open")

    def action_hold(self: "FleetApp") -> None:
        self.say("hold: comes later; ctrl+c twice interrupts, deploying again goes on where it stopped")

    def on_fleet_table_opened(self: "FleetApp") -> None:
        self.action_open()

    def on_fleet_table_head_clicked(self: "FleetApp", message: FleetTable.HeadClicked) -> None:
        view = self.view
        key = view.column_at(message.x) if isinstance(view, FleetView) else None
        if key == self.model.sort:
            self.action_reverse()
        elif key is not None:
            self.sort_by(key)

    def screen_text(self: "FleetApp") -> str:
        """What is on the screen, as text."""
        lines = [strip.text.rstrip() for strip in self.screen._compositor.render_strips()]
        return "\n".join(lines) + "\n"

    def export(self: "FleetApp", form: str) -> None:
        """Writes what is shown into the state folder."""
        makers = {
            "svg": lambda: self.export_screenshot(title="fleet"),
            "text": self.screen_text,
            "csv": self._csv,
            "json": self._json,
        }
        if form not in makers:
            self.say(f"cannot export {form!r} -> one of: svg text csv json", "warn")
            return
        if self.desk is None:
            self.say("no folder to export to", "warn")
            return
        stamp = time.strftime("%Y%m%d-%H%M%S", time.localtime(self.model.now()))
        name = f"fleet-{self.current}-{stamp}.{'txt' if form == 'text' else form}"
        try:
            path = self.desk.save(name, makers[form]())
        except OSError as error:
            self.say(f"{name}: {error.strerror}", "bad")
            return
        self.say(f"wrote {path}")

    def _csv(self: "FleetApp") -> str:
        view = self.views["fleet"]
        out = io.StringIO()
        if isinstance(view, FleetView):
            writer = csv.writer(out)
            writer.writerow(view.sortable())
            writer.writerows(view.values())
        return out.getvalue()

    def _json(self: "FleetApp") -> str:
        view = self.views["fleet"]
        if not isinstance(view, FleetView):
            return "{}"
        keys = view.sortable()
        hosts = [dict(zip(keys, values, strict=True)) for values in view.values()]
        return json.dumps({"schema": "fleet.screen/1", "hosts": hosts}, ensure_ascii=False, indent=1)
