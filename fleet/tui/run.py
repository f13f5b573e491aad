"""The dashboard on real hosts: the collector and every verb beside it, in one event loop."""

import asyncio
import os
import shlex
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from fleet.commands.base import VERBS
from fleet.core.errors import DeclinedError, FleetError, InventoryError
from fleet.core.events import Event, HostFailed, Notice
from fleet.core.inventory import Inventory
from fleet.core.snapshot import dump, load
from fleet.core.state import Known, State, beginning
from fleet.io import inventory_file
from fleet.io.collect import Collector
from fleet.io.desk import Desk
from fleet.io.door import Question
from fleet.io.runs import carry_out, world
from fleet.io.world import World
from fleet.tui.feed import ConfirmRequest, Feed
from fleet.tui.launch import make
from fleet.tui.options import Options, check_terminal

SAVED = "snapshot.json"  # in the state folder: what the hosts said last


class Screen:
    """The dashboard as a door: events go to its feed, questions to its confirmation box."""

    def __init__(self, feed: Feed) -> None:
        self.feed = feed

    def say(self, event: Event) -> None:
        self.feed.put(event)

    async def confirm(self, question: Question) -> bool:
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        word = question.plans[0].host if question.level >= 3 else None
        self.feed.ask(ConfirmRequest(question.verb, question.level, question.plans, answer, word))
        if not await answer:
            raise DeclinedError("declined; nothing was changed")
        return True

    async def ask(self, question: str, expected: str) -> bool:
        raise DeclinedError(f"this asks: {question.strip()}", next="run it at a shell")

    async def read_line(self, prompt: str) -> str | None:
        return None

    def print(self, text: str, end: str = "\n") -> None:
        """Results come as lines when the verb has ended."""


class Runner:
    """Takes what is typed after `:` and runs it beside the screen."""

    def __init__(self, opened: World, feed: Feed, collector: Collector, is_read_only: bool) -> None:
        self.world = opened
        self.feed = feed
        self.collector = collector
        self.is_read_only = is_read_only
        self._runs: set[asyncio.Task[None]] = set()

    def submit(self, text: str) -> None:
        task = asyncio.get_running_loop().create_task(self._run(text))
        self._runs.add(task)
        task.add_done_callback(self._runs.discard)

    async def close(self) -> None:
        for task in self._runs:
            task.cancel()
        await asyncio.gather(*self._runs, return_exceptions=True)

    async def _run(self, text: str) -> None:
        from fleet.cli import parse
        from fleet.shell import request_of

        try:
            name, verb, values = parse(shlex.split(text.removeprefix("fleet ")))
            if verb.level and self.is_read_only:
                raise DeclinedError(f"{name} changes hosts, and this is read-only")
            request = request_of(name, verb, values, self.world.inventory)
            # A run of its own in the record, on the same connections.
            results, _ = await carry_out(
                replace(self.world, run=self.world.random.token(6)),
                name,
                verb,
                request,
                jobs=values["jobs"] or 32,
                timeout=values["timeout"],
            )
        except ValueError as error:
            self._fail(FleetError(f"cannot read that: {error}"))
            return
        except FleetError as error:
            self._fail(error)
            return
        for host in request.hosts:
            self.collector.look_again(host)
        if verb.lines is not None:
            for line in verb.lines(request, results):
                self.feed.put(Notice(**self.world.stamp(None), message=line))

    def _fail(self, error: FleetError) -> None:
        document = error.document()
        self.feed.put(
            HostFailed(
                **self.world.stamp(error.host),
                kind=error.kind,
                message=str(document["message"]),
                next=error.next,
            )
        )


def open_dashboard(values: Mapping[str, Any]) -> int:
    """`fleet tui`.

    Raises:
        UsageError: there is no terminal to draw on.
    """
    check_terminal(sys.stdin.isatty(), sys.stdout.isatty(), os.environ)
    options = Options(
        ascii=bool(values["ascii"]),
        slow=bool(values["slow"]),
        mouse=not values["no_mouse"],
        read_only=bool(values["read_only"]) or os.environ.get("FLEET_READ_ONLY") == "1",
    )
    wanted = values["inventory"]
    while True:
        try:
            inventory = inventory_file.load(inventory_file.find(wanted, os.environ))
        except InventoryError as error:
            if wanted:
                raise
            choice = first_run(options, error)
        else:
            choice = asyncio.run(_open(inventory, options))
        verb, _, rest = (choice or "").partition(" ")
        if verb == "open":
            wanted = rest
            continue
        if verb in ("init", "demo"):
            from fleet.cli import run

            return run([verb])
        return 0


def first_run(options: Options, error: InventoryError) -> str | None:
    """The screen for somebody without an inventory; what they chose."""
    app = make(Feed(), lambda text: None, options=options, looked_in=(error.what,))
    return app.run(mouse=options.has_mouse)


async def _open(inventory: Inventory, options: Options) -> str | None:
    screen = Screen(Feed())
    async with world(inventory, screen, "tui") as opened:
        return await dashboard(opened, options=options)


async def dashboard(
    opened: World, *, banner: str | None = None, options: Options | None = None
) -> str | None:
    """Runs the dashboard on an open world until it is left."""
    feed = Feed()
    before, opened.door = opened.door, Screen(feed)
    known = tuple(_known(opened.inventory))
    saved = opened.folders.state / SAVED
    collector = Collector(opened, feed.put)
    options = options or Options()
    if banner is not None:
        options = Options(
            ascii=options.ascii,
            slow=options.slow,
            mouse=options.mouse,
            read_only=options.read_only,
            banner=banner,
        )
    runner = Runner(opened, feed, collector, options.read_only)
    app = make(
        feed,
        runner.submit,
        hosts=known,
        options=options,
        state=None if banner else _snapshot(saved, known),
        levels={name: verb.level for name, verb in VERBS.all()},
        complete=completer(opened.inventory),
        background=collector.run,
        inventory=Path(opened.inventory.path),
        desk=Desk(opened.folders.state, os.environ),
    )
    try:
        return await app.run_async(mouse=options.has_mouse)
    finally:
        opened.door = before
        await runner.close()
        if not banner:
            Desk(opened.folders.state, os.environ).save(SAVED, dump(app.model.state))


def completer(inventory: Inventory) -> Any:
    """Candidates for the last word: verbs first, then hosts, servers and options."""

    def complete(line: str) -> list[tuple[str, str]]:
        words = line.split(" ")
        if len(words) == 1:
            return [(name, verb.help) for name, verb in VERBS.all() if name.startswith(words[0])]
        tags = sorted({f"@{tag}" for host in inventory.hosts.values() for tag in host.tags})
        names = [*inventory.hosts, *inventory.servers, *tags, "all"]
        found = [(name, "") for name in names if name.startswith(words[-1])]
        if words[-1].startswith("-") and words[0] in VERBS.names:
            found += [
                (one.name, one.help) for one in VERBS.take(words[0]).options if one.name.startswith(words[-1])
            ]
        return found

    return complete


def _known(inventory: Inventory) -> list[Known]:
    return [
        Known(name, host.tags, host.part_time, host.backend, tuple(inventory.servers_on(name)))
        for name, host in inventory.hosts.items()
    ]


def _snapshot(path: Path, known: tuple[Known, ...]) -> State:
    try:
        return load(path.read_text(), known)
    except OSError:
        return beginning(known)
