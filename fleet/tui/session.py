"""Real hosts beside the dashboard: the collector, and every verb that is typed after `:`."""

import asyncio
import shlex
import time
from dataclasses import replace

from fleet.core.errors import DeclinedError, FleetError
from fleet.core.events import Event, HostFailed, Notice
from fleet.core.inventory import Inventory
from fleet.io.door import Question
from fleet.io.runs import carry_out, world
from fleet.io.servers.collect import Collector
from fleet.io.world import World
from fleet.shell import request_of
from fleet.tui.feed import ConfirmRequest, Feed, Reply


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


async def watch(opened: World, feed: Feed, commands: "asyncio.Queue[str]", is_read_only: bool) -> None:
    """Collects and carries out commands on an open world, until cancelled."""
    before, opened.door = opened.door, Screen(feed)
    collector = Collector(opened, feed.put)
    collecting = asyncio.create_task(collector.run())
    runs: set[asyncio.Task[None]] = set()
    try:
        while True:
            task = asyncio.create_task(_run(opened, feed, collector, await commands.get(), is_read_only))
            runs.add(task)
            task.add_done_callback(runs.discard)
    finally:
        opened.door = before
        for task in (collecting, *runs):
            task.cancel()
        await asyncio.gather(collecting, *runs, return_exceptions=True)


async def watch_inventory(
    inventory: Inventory, feed: Feed, commands: "asyncio.Queue[str]", is_read_only: bool
) -> None:
    """As watch, on a world of its own; why there is none is told in the status line."""
    try:
        async with world(inventory, Screen(feed), "tui") as opened:
            await watch(opened, feed, commands, is_read_only)
    except FleetError as error:
        message = str(error.document()["message"])
        feed.put(HostFailed(ts=time.time(), run="", kind=error.kind, message=message, next=error.next))


async def _run(opened: World, feed: Feed, collector: Collector, text: str, is_read_only: bool) -> None:
    """One command line; whatever comes of it goes to the feed."""
    from fleet.cli import parse

    # A run of its own in the record, on the same connections.
    mine = replace(opened, run=opened.random.token(6))
    try:
        name, verb, values = parse(shlex.split(text.removeprefix("fleet ")))
        if verb.level and is_read_only:
            raise DeclinedError(f"{name} changes hosts, and this is read-only")
        request = request_of(name, verb, values, opened.inventory)
        # A person asks: what a refused key or a dead host was left alone for is tried again.
        for host in request.hosts:
            collector.look_again(host)
        results, _ = await carry_out(
            mine, name, verb, request, jobs=values["jobs"] or 32, timeout=values["timeout"]
        )
    except (ValueError, FleetError) as error:
        known = error if isinstance(error, FleetError) else FleetError(f"cannot read that: {error}")
        document = known.document()
        feed.put(
            HostFailed(
                **mine.stamp(known.host),
                kind=known.kind,
                message=str(document["message"]),
                next=known.next,
            )
        )
        return
    for host in (*request.hosts, str(request["name"])):
        collector.look_again(host)
    if verb.lines is not None:
        lines = tuple(verb.lines(request, results))
        if len(lines) > 1 and (not verb.level or request.dry_run):
            feed.answer(Reply(text, lines, from_end=name == "logs"))
        elif lines:  # a change is followed on its own screen
            feed.put(Notice(**mine.stamp(None), message=" ".join(line.strip() for line in lines[:3])))
