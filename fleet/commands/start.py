"""Start servers that are deployed; clears a hold."""

from typing import TYPE_CHECKING

from fleet.commands.base import Request, Verb, agreed, done_lines, plan_document
from fleet.core.flow import Flow, probe
from fleet.core.plan import Plan
from fleet.servers import by_hand

if TYPE_CHECKING:
    from fleet.core.inventory import Inventory


def start(request: Request, inventory: "Inventory", host: str) -> Flow[Plan]:
    """Servers that do not run are started; a hold on them is cleared."""
    facts = yield from probe(host)
    steps, notes = by_hand.start(host, facts, request.servers)
    return (yield from agreed(Plan(host, steps, notes)))


verb = Verb(
    help="Start servers; clears what stop has held.",
    level=1,
    flow=start,
    document=plan_document,
    lines=done_lines,
    schema="fleet.plan/1",
)
