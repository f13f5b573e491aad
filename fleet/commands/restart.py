"""Restart servers: drain, stop, start, prove."""

from typing import TYPE_CHECKING

from fleet.commands.base import Request, Verb, agreed, done_lines, plan_document
from fleet.core.flow import Flow, probe
from fleet.core.plan import Plan
from fleet.servers import by_hand

if TYPE_CHECKING:
    from fleet.core.inventory import Inventory


def restart(request: Request, inventory: "Inventory", host: str) -> Flow[Plan]:
    """Each server is drained, stopped, started and proven again, once."""
    facts = yield from probe(host)
    steps, notes = by_hand.restart(host, facts, request.servers)
    return (yield from agreed(Plan(host, steps, notes)))


verb = Verb(
    help="Drain, stop and start servers again.",
    level=1,
    flow=restart,
    document=plan_document,
    lines=done_lines,
    schema="fleet.plan/1",
)
