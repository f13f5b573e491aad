"""A verb typed at a shell: inventory, hosts, run, results, exit code."""

import asyncio
import contextlib
import json
import os
import re
import signal
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from fleet.commands.base import Request, Verb
from fleet.core.errors import INTERRUPTED, FleetError, InventoryError, PlanError, UsageError
from fleet.core.inventory import Inventory
from fleet.core.names import nearest
from fleet.core.selectors import select, split_server
from fleet.io import inventory_file
from fleet.io.console import Console
from fleet.io.runs import carry_out, world

AGE = re.compile(r"\b\d+[smhd]\b")  # it changes with every look, and says nothing new
COMMON = frozenset(
    [
        "inventory",
        "host",
        "json",
        "jsonl",
        "plain",
        "verbose",
        "yes",
        "max_hosts",
        "confirm",
        "dry_run",
        "jobs",
        "timeout",
        "reason",
        "read_only",
        "selector",
        "target",
        "watch",
        "every",
    ]
)


def invoke(name: str, verb: Verb, values: Mapping[str, Any]) -> int:
    """Run a verb with the values of its click parameters. Returns the exit code."""
    console = Console(
        mode="json" if values["json"] else "jsonl" if values["jsonl"] else "lines",
        yes=bool(values["yes"]),
        max_hosts=values["max_hosts"],
        confirm_name=values["confirm"],
        is_verbose=bool(values["verbose"]),
    )
    try:
        if verb.level and (values["read_only"] or os.environ.get("FLEET_READ_ONLY") == "1"):
            raise PlanError(
                f"{name} changes hosts, and this is read-only", next="drop --read-only and FLEET_READ_ONLY"
            )
        inventory = _inventory(values, is_needed=verb.selects != "none")
        request = request_of(name, verb, values, inventory)
        with _asyncio_debug_off():
            return asyncio.run(_run(console, name, verb, request, inventory, values))
    except FleetError as error:
        if console.mode == "json":  # whoever reads the document learns why there are no hosts in it
            print(json.dumps({"schema": verb.schema, "hosts": [], "error": error.document()}))
        raise


async def _run(
    console: Console, name: str, verb: Verb, request: Request, inventory: Inventory, values: Mapping[str, Any]
) -> int:
    task = asyncio.current_task()
    assert task is not None
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, task.cancel)
    try:
        async with world(inventory, console, name) as opened:
            if values.get("watch"):
                return await _watch(console, opened, name, verb, request, float(values["every"]))
            results, code = await carry_out(
                opened, name, verb, request, jobs=values["jobs"] or 32, timeout=values["timeout"]
            )
            _print(console, verb, request, results)
            return code
    except asyncio.CancelledError:
        console.interrupted()
        return INTERRUPTED


async def _watch(console: Console, opened: Any, name: str, verb: Verb, request: Request, every: float) -> int:
    """The same look again and again; only lines that changed are printed."""
    before: dict[str, tuple[str, ...]] = {}
    while True:
        results, _ = await carry_out(opened, name, verb, request)
        if console.mode == "json":
            print(json.dumps(_document(verb, request, results)), file=console.out, flush=True)
        elif verb.lines is not None:
            for host, result in results.items():
                lines = tuple(verb.lines(request, {host: result}))
                essence = tuple(AGE.sub("", line) for line in lines)
                if before.get(host) != essence:
                    shown = lines if not before else lines[1:]
                    before[host] = essence
                    print("\n".join(shown), file=console.out, flush=True)
        await opened.clock.sleep(every)


def _print(console: Console, verb: Verb, request: Request, results: Mapping[str, Any]) -> None:
    if console.mode == "json":
        print(json.dumps(_document(verb, request, results), ensure_ascii=False), file=console.out, flush=True)
    elif console.mode == "lines" and verb.lines is not None:
        for line in verb.lines(request, results):
            print(line, file=console.out)
        console.out.flush()


def _document(verb: Verb, request: Request, results: Mapping[str, Any]) -> dict[str, Any]:
    body = verb.document(request, results) if verb.document is not None else {}
    return {"schema": verb.schema} | body


def _inventory(values: Mapping[str, Any], is_needed: bool) -> Inventory:
    try:
        path = inventory_file.find(values["inventory"], os.environ)
    except InventoryError:
        if is_needed or values["inventory"]:
            raise
        return Inventory(path=str(Path("inventory.toml").absolute()))
    return inventory_file.load(path)


def request_of(name: str, verb: Verb, values: Mapping[str, Any], inventory: Inventory) -> Request:
    options = {key: value for key, value in values.items() if key not in COMMON}
    hosts: tuple[str, ...] = ()
    servers: tuple[str, ...] = ()
    if verb.selects == "hosts":
        hosts, servers = _hosts(verb, (*values.get("selector", ()), *values["host"]), inventory)
    elif verb.selects == "server":
        hosts, servers = _server(str(values["target"]), tuple(values["host"]), inventory)
    return Request(
        verb=name,
        hosts=hosts,
        options=options,
        servers=servers,
        dry_run=bool(values["dry_run"]),
        reason=values["reason"],
    )


def _hosts(
    verb: Verb, items: tuple[str, ...], inventory: Inventory
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Hosts that were meant, and servers that were named with SERVER@HOST or alone."""
    if not inventory.hosts:
        raise InventoryError(f"{inventory.path}: no hosts yet", next="fleet host add NAME ADDRESS")
    if not items:
        if verb.level:
            raise UsageError("which hosts?", next="name them, or all")
        return tuple(inventory.hosts), ()
    tags = {name: host.tags for name, host in inventory.hosts.items()}
    models = {
        name: tuple(one.model for one in inventory.servers_on(name).values()) for name in inventory.hosts
    }
    backends = {name: host.backend for name, host in inventory.hosts.items() if host.backend}
    plain: list[str] = []
    places: dict[str, list[str]] = {}  # server -> hosts it was named with
    for item in items:
        server, at, _ = item.partition("@")
        if at and server:
            server, host = split_server(item)
            _known_server(server, inventory)
            places.setdefault(server, []).append(str(host))
        elif item in inventory.servers and item not in inventory.hosts:
            places.setdefault(item, []).extend(
                name for name in inventory.hosts if item in inventory.servers_on(name)
            )
        else:
            plain.append(item)
    if not places:
        return select(plain, tags, models=models, backends=backends), ()
    everywhere = dict.fromkeys(host for hosts in places.values() for host in hosts)
    if plain or any(set(hosts) != set(everywhere) for hosts in places.values()):
        # One run means the same servers on each of its hosts.
        raise UsageError(
            "servers of different hosts, or servers and whole hosts, in one command",
            next="one command for each",
        )
    return select(list(everywhere), tags), tuple(places)


def _server(
    target: str, hosts: tuple[str, ...], inventory: Inventory
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The one host, and the server, of SERVER, SERVER@HOST or HOST."""
    if target in inventory.hosts and "@" not in target:
        return (target,), ()
    server, host = split_server(target)
    _known_server(server, inventory)
    places = [name for name in inventory.hosts if server in inventory.servers_on(name)]
    if host is None and hosts:
        host = hosts[0]
    if host is None:
        if not places:
            raise UsageError(f"{server} is on no host", next=f'set on = ["HOST"] in [servers.{server}]')
        if len(places) != 1:
            raise UsageError(
                f"{server} runs on {len(places)} hosts",
                next="one of: " + ", ".join(f"{server}@{one}" for one in places),
            )
        host = places[0]
    if host not in inventory.hosts:
        raise UsageError(
            f"no host called {host!r}", next=f"one of: {', '.join(nearest(host, inventory.hosts))}"
        )
    return (host,), (server,)


def _known_server(server: str, inventory: Inventory) -> None:
    if server not in inventory.servers:
        known = [*inventory.servers, *inventory.hosts]
        raise UsageError(f"no server called {server!r}", next=f"one of: {', '.join(nearest(server, known))}")


@contextlib.contextmanager
def _asyncio_debug_off() -> Iterator[None]:
    """A closed terminal must not end in a traceback of the event loop's shutdown."""
    try:
        yield
    except BrokenPipeError:
        sys.stderr.close()
        raise
