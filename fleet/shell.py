"""A verb typed at a shell: inventory, hosts, run, results, exit code."""

import asyncio
import contextlib
import json
import os
import re
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from fleet.commands.base import Request, Verb
from fleet.core import targets
from fleet.core.errors import INTERRUPTED, FleetError, InventoryError, PlanError
from fleet.core.inventory import Inventory
from fleet.io.console import Console
from fleet.io.inventory import file as inventory_file
from fleet.io.runs import carry_out, world

PERCENT = re.compile(r"\d%")
AGE = re.compile(r"\b\d+[smhd]\b")  # it changes with every look, and says nothing new


def invoke(name: str, verb: Verb, values: Mapping[str, Any]) -> int:
    """Run a verb with the values of its click parameters. Returns the exit code."""
    console = Console(
        mode="json" if values["json"] else "jsonl" if values["jsonl"] else "lines",
        yes=bool(values["yes"]),
        max_hosts=values["max_hosts"],
        confirm_name=values["confirm"],
        is_verbose=bool(values["verbose"]),
        is_live=not values["plain"] and sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb",
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
    before: set[str] = set()
    while True:
        results, _ = await carry_out(opened, name, verb, request)
        if console.mode == "json":
            print(json.dumps(_document(verb, request, results)), file=console.out, flush=True)
        elif verb.lines is not None:
            at = time.strftime("%H:%M:%S", time.localtime(opened.clock.now()))
            lines = {essence(line): line for line in verb.lines(request, results)}
            for short, line in lines.items():
                if short not in before:
                    print(f"{at}  {line}", file=console.out, flush=True)
            before = set(lines)
        await opened.clock.sleep(every)


def essence(line: str) -> str:
    """What of a line is news when it changes: no widths of columns, no ages, no single percents."""
    return PERCENT.sub("%", AGE.sub("", " ".join(line.split())))


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
    """The request that a command line means.

    Raises:
        InventoryError: there are no hosts.
        UsageError: hosts or servers that do not exist.
    """
    options = {option.key: values[option.key] for option in verb.options}
    hosts: tuple[str, ...] = ()
    servers: tuple[str, ...] = ()
    if verb.selects == "hosts":
        items = (*values.get("selector", ()), *values["host"])
        hosts, servers = targets.hosts(items, inventory, is_all_meant=not verb.level)
    elif verb.selects == "server":
        hosts, servers = targets.server(str(values["target"]), values["host"], inventory)
    return Request(
        verb=name,
        hosts=hosts,
        options=options,
        servers=servers,
        dry_run=bool(values["dry_run"]),
        reason=values["reason"],
    )


@contextlib.contextmanager
def _asyncio_debug_off() -> Iterator[None]:
    """A closed terminal must not end in a traceback of the event loop's shutdown."""
    try:
        yield
    except BrokenPipeError:
        sys.stderr.close()
        raise
