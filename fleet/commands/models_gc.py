"""The part of gc that is about models: those that nothing needs, parts, and what was put aside as damaged."""

from typing import TYPE_CHECKING

from fleet.commands.base import Request, Verb, agreed, done_lines, plan_document
from fleet.commands.gc import notes, weights
from fleet.core.flow import Flow, probe
from fleet.core.plan import Plan
from fleet.core.stock import ReadStock, Stocked
from fleet.models.keeping import wanted

if TYPE_CHECKING:
    from fleet.core.inventory import Inventory


def flow(request: Request, inventory: "Inventory", host: str) -> Flow[Plan]:
    """What gc would remove of models, and nothing else."""
    facts = yield from probe(host)
    stocked: Stocked = yield ReadStock()
    wish = wanted(inventory, host, stocked)
    return (yield from agreed(Plan(host, tuple(weights(facts, wish)), notes(wish))))


verb = Verb(
    help="Remove models and parts that nothing uses; gc does that and builds too.",
    level=2,
    flow=flow,
    document=plan_document,
    lines=done_lines,
    schema="fleet.plan/1",
)
