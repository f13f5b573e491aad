"""What the keys do. Nothing here touches a host: a key becomes a line as typed after `:`."""

from fleet.tui.commands import Commands
from fleet.tui.screens.help import HelpBox
from fleet.tui.widgets.table import FleetTable

TWICE = 2.0  # seconds within which a second ctrl+c quits
SLOWEST, FASTEST = 30.0, 0.5  # seconds per tick


class Moves(Commands):
    """The layer of keys that choose what is looked at, and ask for changes."""

    _been: tuple[str, ...] = ()
    _place = 0
    _interrupted = -TWICE

    def go(self, name: str) -> None:
        """To a view, remembered for [ ] and -."""
        self._been = self._been or (self.current,)
        if name != self.current:
            self._been = (*self._been[: self._place + 1], name)
            self._place = len(self._been) - 1
        self.show_view(name)

    def action_show(self, name: str) -> None:
        if name == "host" and self.current == "fleet":
            self.scene.host = self.fleet_view.table().cursor or self.scene.host
        if self.scene.state.hosts:
            self.go(name)

    def action_later(self, key: str) -> None:
        self.later(key)

    def action_help(self) -> None:
        note = self.fleet_view.foot() if self.current == "fleet" else ""
        self.push_screen(HelpBox(self.current, self.tones, self.scene.options.ascii, note))

    def action_command(self) -> None:
        self.open_prompt("command")

    def action_filter(self) -> None:
        self.open_prompt("filter", self.scene.filter)

    def action_open(self) -> None:
        name = self.view.open()
        if name is not None:
            self.go(name)

    def action_out(self) -> None:
        if self.view.back():
            return
        if self.current in ("host", "deploy"):
            self.go("fleet")
        elif self.scene.filter or self.scene.only_problems:
            self.scene.filter, self.scene.only_problems = "", False
            self.draw()

    def action_leave(self) -> None:
        if self.view.back():
            return
        if self.current in ("host", "deploy"):
            self.go("fleet")
            return
        running = [job for job in self.scene.jobs() if job.ended is None]
        if running and self.monotonic() - self._interrupted > TWICE:
            self._interrupted = self.monotonic()
            self.say(f"{running[-1].verb} still runs; q again quits and interrupts it", "warn")
            return
        self.exit()

    def action_interrupt(self) -> None:
        if self.monotonic() - self._interrupted <= TWICE:
            self.exit()
            return
        self._interrupted = self.monotonic()
        self.say("ctrl+c once more quits", "warn")

    def action_step(self, rows: int) -> None:
        table = self.view.table()
        if table is not None:
            table.step(rows)
        self.view.scroll_by(rows)

    def action_edge(self, side: int) -> None:
        table = self.view.table()
        if table is not None:
            table.move(0 if side < 0 else len(table.keys) - 1)

    def action_page(self, pages: int) -> None:
        table = self.view.table()
        if table is not None:
            table.step(pages * table.page)
        self.view.scroll_by(pages * 10)

    def action_shift(self, columns: int) -> None:
        self.scene.skip = max(0, min(self.scene.skip + columns, 18))
        self.draw()

    def action_history(self, step: int) -> None:
        place = self._place + step
        if 0 <= place < len(self._been):
            self._place = place
            self.show_view(self._been[place])

    def action_last(self) -> None:
        if self._place > 0:
            self.go(self._been[self._place - 1])

    def action_sort(self, step: int) -> None:
        keys = self.fleet_view.sortable()
        if keys:
            place = keys.index(self.scene.sort) if self.scene.sort in keys else 0
            self.sort_by(keys[(place + step) % len(keys)])

    def sort_by(self, key: str) -> None:
        self.scene.sort = key
        self.scene.is_reverse = key not in ("host", "state", "backend", "model")
        self.draw()

    def action_reverse(self) -> None:
        self.scene.is_reverse = not self.scene.is_reverse
        self.draw()

    def action_columns(self) -> None:
        self.open_prompt("columns", " ".join(self.fleet_view.sortable()))

    def action_wide(self) -> None:
        self.scene.is_wide = not self.scene.is_wide
        self.scene.skip = 0
        self.draw()

    def action_mark(self) -> None:
        table = self.fleet_view.table()
        if table.cursor is not None and self.current == "fleet":
            self.scene.marked ^= {table.cursor}
            table.step(1)
            self._say_marked()

    def action_mark_all(self) -> None:
        self.scene.marked |= set(self.scene.order)
        self._say_marked()

    def action_unmark(self) -> None:
        self.scene.marked.clear()
        self._say_marked()

    def _say_marked(self) -> None:
        self.say(f"{len(self.scene.marked)} marked")
        self.draw()

    def action_problems(self) -> None:
        self.scene.only_problems = not self.scene.only_problems
        self.say("only problems; z shows all" if self.scene.only_problems else "all")
        self.draw()

    def action_pause(self) -> None:
        self.is_paused = not self.is_paused
        self.say("painting is paused; p goes on" if self.is_paused else "painting again")
        self.header.show([self._title()])
        if not self.is_paused:
            self.draw()

    def action_pace(self, factor: float) -> None:
        self.seconds = min(max(self.seconds * factor, FASTEST), SLOWEST)
        if self.timer is not None:
            self.timer.stop()
        self.timer = self.set_interval(self.seconds, self.tick)
        self.say(f"painting every {self.seconds:g} s")

    def action_refresh_now(self) -> None:
        self.tick()
        self.repaint()
        self.screen.refresh()

    def action_ask(self, verb: str) -> None:
        """A request for what is under the cursor; plans are shown before anything is done."""
        target = self.view.target()
        if target is None:
            self.say(f"{verb}: nothing under the cursor", "warn")
            return
        if verb == "deploy":
            target = target.partition("@")[2] or target
        self.submit(f"{verb} {target}")

    def action_choose(self, word: str) -> None:
        self.exit(word)

    def action_path(self) -> None:
        self.open_prompt("open")

    def action_hold(self) -> None:
        self.say("hold: comes later; ctrl+c twice interrupts, deploying again goes on where it stopped")

    def on_fleet_table_opened(self) -> None:
        self.action_open()

    def on_fleet_table_head_clicked(self, message: FleetTable.HeadClicked) -> None:
        key = self.fleet_view.column_at(message.x) if self.current == "fleet" else None
        if key == self.scene.sort:
            self.action_reverse()
        elif key is not None:
            self.sort_by(key)
