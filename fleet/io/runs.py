"""One run of one verb, from a checked request to results and an exit code."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from fleet.commands.base import Request, Verb
from fleet.core.errors import INTERRUPTED, FleetError, exit_code
from fleet.core.events import Connected, LinkLost, RunEnded, RunStarted
from fleet.core.inventory import Inventory
from fleet.io.cache import CAP, Cache
from fleet.io.clock import SystemClock, SystemRandom
from fleet.io.door import Door
from fleet.io.engine import Engine
from fleet.io.folders import find
from fleet.io.journal import Journal
from fleet.io.link import Link
from fleet.io.links import links
from fleet.io.locks import Owner
from fleet.io.ports import Folders
from fleet.io.world import World, actor


@contextlib.asynccontextmanager
async def world(
    inventory: Inventory, door: Door, verb: str, folders: Folders | None = None
) -> AsyncIterator[World]:
    """Everything that runs need, opened once and closed at the end."""
    places: Folders = folders or find()
    clock, random = SystemClock(), SystemRandom()
    run = random.token(6)
    journal = Journal(places.state / "fleet.db")
    journal.trim(clock.now())

    away: set[str] = set()
    began: dict[str, float] = {}  # host -> monotonic seconds at which connecting to it began

    def changed(link: Link) -> None:
        if link.state == "connecting":
            began.setdefault(link.name, clock.monotonic())
        elif link.state == "up":
            away.discard(link.name)
            seconds = clock.monotonic() - began.pop(link.name, clock.monotonic())
            opened.say(Connected(ts=clock.now(), run=run, host=link.name, seconds=seconds))
        elif link.state == "down" and link.was_up and link.error is not None and link.name not in away:
            away.add(link.name)  # each attempt that fails after it is not another loss
            opened.say(LinkLost(ts=clock.now(), run=run, host=link.name, message=link.error.what))

    opened = World(
        inventory=inventory,
        folders=places,
        clock=clock,
        random=random,
        links=links(inventory.hosts, places, clock=clock, random=random, on_change=changed),
        journal=journal,
        cache=Cache(places.cache, inventory.cache_max or CAP),
        door=door,
        owner=Owner(places.state, run, verb),
        run=run,
    )
    opened.owner.sweep(clock.now())
    try:
        yield opened
    finally:
        await opened.close()


async def carry_out(
    opened: World,
    name: str,
    verb: Verb,
    request: Request,
    *,
    jobs: int = 32,
    timeout: float | None = None,
) -> tuple[dict[str, Any], int]:
    """Run the verb on the request's hosts.

    Returns: results by host, and the exit code of TUI.md section 4.
    """
    started = opened.clock.monotonic()
    opened.say(
        RunStarted(
            ts=opened.clock.now(),
            run=opened.run,
            verb=name,
            hosts=request.hosts,
            actor=actor(),
            reason=request.reason,
        )
    )

    def ended(code: int) -> int:
        seconds = opened.clock.monotonic() - started
        opened.say(RunEnded(ts=opened.clock.now(), run=opened.run, exit_code=code, seconds=seconds))
        return code

    try:
        results = await Engine(opened, name, verb, request, jobs, timeout).run()
    except asyncio.CancelledError:
        ended(INTERRUPTED)
        raise
    errors = [error for error in (failed(verb, result) for result in results.values()) if error is not None]
    return results, ended(exit_code(errors, len(results) - len(errors)))


def failed(verb: Verb, result: Any) -> FleetError | None:
    """The error that a result is or carries."""
    if isinstance(result, FleetError):
        return result
    return verb.failure(result) if verb.failure is not None else None
