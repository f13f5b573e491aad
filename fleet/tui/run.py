"""The dashboard's door: a terminal, an inventory, the last snapshot; then real hosts."""

import asyncio
import importlib
import os
import sys
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fleet.commands.base import VERBS
from fleet.core.errors import InventoryError
from fleet.core.inventory import Inventory
from fleet.core.snapshot import dump, load
from fleet.core.state import Known, State, beginning
from fleet.io.desk import Desk
from fleet.io.folders import find
from fleet.io.inventory import file as inventory_file
from fleet.tui.feed import Feed
from fleet.tui.launch import make
from fleet.tui.options import Options, check_terminal

if TYPE_CHECKING:
    from fleet.io.world import World
    from fleet.tui.app import FleetApp

SAVED = "snapshot.json"  # in the state folder: what the hosts said last


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
    wanted, typed = values["inventory"], None
    while True:
        try:
            path = inventory_file.find(typed or wanted, os.environ)
        except InventoryError as error:
            if typed is None and (wanted or "FLEET_INVENTORY" in os.environ):
                raise
            choice = first_run(options, error)
        else:
            choice = asyncio.run(_open(inventory_file.load(path), options))
        verb, _, rest = (choice or "").partition(" ")
        if verb == "open":
            typed = rest
            continue
        if verb in ("init", "demo"):
            from fleet.cli import run

            return run([verb])
        return 0


def first_run(options: Options, error: InventoryError) -> str | None:
    """The screen for somebody without an inventory; what they chose."""
    app = make(Feed(), lambda text: None, options=options, why=error.what)
    return app.run(mouse=options.has_mouse)


async def _open(inventory: Inventory, options: Options) -> str | None:
    """Paints what was known last, and only then loads what it takes to ask the hosts."""
    feed = Feed()
    commands: asyncio.Queue[str] = asyncio.Queue()

    async def background() -> None:
        session = await asyncio.to_thread(importlib.import_module, "fleet.tui.session")
        await session.watch_inventory(inventory, feed, commands, options.read_only)

    folders = find()
    known = tuple(_known(inventory))
    state = _snapshot(folders.state / SAVED, known)
    app = _app(inventory, feed, commands, known, options, state, background)
    try:
        return await app.run_async(mouse=options.has_mouse)
    finally:
        Desk(folders.state, os.environ).save(SAVED, dump(app.scene.state))


async def dashboard(opened: "World", banner: str) -> None:
    """The dashboard on a world that is open already, until it is left."""
    from fleet.tui.session import watch

    feed = Feed()
    commands: asyncio.Queue[str] = asyncio.Queue()
    known = tuple(_known(opened.inventory))
    options = Options(banner=banner)

    async def background() -> None:
        await watch(opened, feed, commands, is_read_only=False)

    app = _app(opened.inventory, feed, commands, known, options, beginning(known), background)
    await app.run_async(mouse=options.has_mouse)


def _app(
    inventory: Inventory,
    feed: Feed,
    commands: "asyncio.Queue[str]",
    known: tuple[Known, ...],
    options: Options,
    state: State,
    background: Callable[[], Coroutine[Any, Any, None]],
) -> "FleetApp":
    return make(
        feed,
        commands.put_nowait,
        hosts=known,
        options=options,
        state=state,
        levels={name: verb.level for name, verb in VERBS.all()},
        complete=completer(inventory),
        background=background,
        inventory=Path(inventory.path),
        why=f"{Path(inventory.path).name}: no hosts yet",
        desk=Desk(find().state, os.environ),
    )


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
