"""The part of gc that is about models: those that nothing needs, parts, damaged ones, left conversions."""

from typing import TYPE_CHECKING

from fleet.commands.base import Request, Verb, agreed, done_lines, plan_document
from fleet.commands.gc import stored
from fleet.core.flow import Flow, probe
from fleet.core.plan import Plan

if TYPE_CHECKING:
    from fleet.core.inventory import Inventory


def flow(request: Request, inventory: "Inventory", host: str) -> Flow[Plan]:
    """What gc would remove of models, and nothing else."""
    facts = yield from probe(host)
    steps, notes = yield from stored(inventory, facts)
    return (yield from agreed(Plan(host, steps, notes)))


verb = Verb(
    help="Remove models, parts and left conversions that nothing uses; gc does builds too.",
    level=2,
    flow=flow,
    document=plan_document,
    lines=done_lines,
    schema="fleet.plan/1",
)
