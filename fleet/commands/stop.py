"""Stop servers and hold them stopped."""

from typing import TYPE_CHECKING

from fleet.commands.base import Request, Verb, agreed, done_lines, plan_document
from fleet.core.flow import Flow, probe
from fleet.core.plan import Plan
from fleet.servers import by_hand

if TYPE_CHECKING:
    from fleet.core.inventory import Inventory


def stop(request: Request, inventory: "Inventory", host: str) -> Flow[Plan]:
    """Running servers are drained, stopped and held: deploy keeps them so until start."""
    facts = yield from probe(host)
    steps, notes = by_hand.stop(host, facts, request.servers, reason=request.reason)
    return (yield from agreed(Plan(host, steps, notes)))


verb = Verb(
    help="Drain and stop servers, and keep them stopped until start.",
    level=2,
    flow=stop,
    document=plan_document,
    lines=done_lines,
    schema="fleet.plan/1",
)
