"""Build llama.cpp for hosts, or bring them a finished build of an equal host."""

from typing import TYPE_CHECKING

from fleet.commands.base import Option, Request, Verb, done_lines, plan_document
from fleet.core.errors import PlanError
from fleet.core.flow import Flow, carry, confirm, probe
from fleet.core.plan import Plan
from fleet.servers.converge import build_steps, merged

if TYPE_CHECKING:
    from fleet.core.inventory import Inventory

ROUNDS = 3


def build(request: Request, inventory: "Inventory", host: str) -> Flow[Plan]:
    """As deploy, for the build alone; servers are not touched."""
    done: Plan | None = None
    for number in range(ROUNDS):
        facts = yield from probe(host)
        rebuild = bool(request["rebuild"]) and number == 0
        steps, notes, _, _ = yield from build_steps(inventory, host, facts, rebuild=rebuild)
        plan = Plan(host, tuple(steps), tuple(notes))
        if not (yield from confirm(plan)):
            return plan if done is None else merged(done, Plan(host, (), plan.notes))
        yield from carry(plan)
        done = merged(done, plan)
    raise PlanError(f"still no build after {ROUNDS} rounds", host=host, next=f"fleet doctor {host}")


verb = Verb(
    help="Build llama.cpp for hosts; equal hosts share one build.",
    level=1,
    flow=build,
    document=plan_document,
    lines=done_lines,
    schema="fleet.plan/1",
    options=(Option("--rebuild", "build again, whatever is there or in the cache", "flag"),),
)
