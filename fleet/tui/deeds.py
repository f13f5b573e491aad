"""What leaves the dashboard without touching a host: copies, exports, pager, editor, looks."""

import csv
import dataclasses
import io
import json
import time

from fleet.tui.moves import Moves


class Deeds(Moves):
    """The layer of keys that write to the operator's own machine or terminal."""

    def action_copy(self, form: str) -> None:
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

    def _row_text(self) -> str:
        table = self.view.table()
        return table.row_text() if table is not None else ""

    def _row_json(self) -> str:
        table = self.view.table()
        name = self.scene.host if self.current == "host" else (table.cursor if table is not None else None)
        host = self.scene.state.hosts.get(name or "")
        if host is None:
            return ""
        servers = [s.sample.document() for s in host.servers.values() if s.sample is not None]
        return json.dumps(
            {
                "name": host.name,
                "state": self.scene.words.get(host.name),
                "backend": host.backend,
                "seen": host.seen,
                "system": host.sample.document() if host.sample is not None else None,
                "servers": servers,
                "error": dataclasses.asdict(host.error) if host.error is not None else None,
            },
            ensure_ascii=False,
        )

    def action_mouse(self) -> None:
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

    def action_theme(self) -> None:
        names = self.scene.options.themes
        place = names.index(self.theme) if self.theme in names else -1
        self.theme = names[(place + 1) % len(names)]
        self.apply_theme()
        self.say(f"theme {self.theme}")

    def action_export(self) -> None:
        self.open_prompt("export", "svg")

    def action_pager(self) -> None:
        if self.desk is None or self.is_headless:
            self.say("no pager here", "warn")
            return
        with self.suspend():
            self.desk.page(self.screen_text())

    def action_editor(self) -> None:
        if self.desk is None or self.inventory is None or self.is_headless:
            self.say("no inventory file to edit", "warn")
            return
        with self.suspend():
            self.desk.edit(self.inventory)

    def screen_text(self) -> str:
        """What is on the screen, as text."""
        lines = [strip.text.rstrip() for strip in self.screen._compositor.render_strips()]
        return "\n".join(lines) + "\n"

    def export(self, form: str) -> None:
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
        stamp = time.strftime("%Y%m%d-%H%M%S", time.localtime(self.scene.now()))
        name = f"fleet-{self.current}-{stamp}.{'txt' if form == 'text' else form}"
        try:
            path = self.desk.save(name, makers[form]())
        except OSError as error:
            self.say(f"{name}: {error.strerror}", "bad")
            return
        self.say(f"wrote {path}")

    def _csv(self) -> str:
        out = io.StringIO()
        writer = csv.writer(out)
        writer.writerow(self.fleet_view.sortable())
        writer.writerows(self.fleet_view.values())
        return out.getvalue()

    def _json(self) -> str:
        keys = self.fleet_view.sortable()
        hosts = [dict(zip(keys, values, strict=True)) for values in self.fleet_view.values()]
        return json.dumps({"schema": "fleet.screen/1", "hosts": hosts}, ensure_ascii=False, indent=1)
