"""Bring hosts to what the inventory says."""

from typing import TYPE_CHECKING

from fleet.commands.base import Option, Request, Verb, done_lines, plan_document
from fleet.core.errors import PlanError
from fleet.core.flow import Flow, carry, confirm, probe
from fleet.core.plan import Plan
from fleet.servers.converge import converge, merged

if TYPE_CHECKING:
    from fleet.core.inventory import Inventory

ROUNDS = 4


def deploy(request: Request, inventory: "Inventory", host: str) -> Flow[Plan]:
    """Probe, plan, carry out, and look again until nothing is left to do.

    Returns: every step that was carried out, over all rounds; none the second time.

    Raises:
        UnreachableError: the host did not answer; the other hosts go on.
        PlanError: it still differs after four rounds.
    """
    done: Plan | None = None
    for number in range(ROUNDS):
        facts = yield from probe(host)
        plan = yield from converge(
            inventory,
            host,
            facts,
            rebuild=bool(request["rebuild"]) and number == 0,
            prune=bool(request["prune"]),
            only=request.servers,
        )
        if not (yield from confirm(plan)):
            return plan if done is None else merged(done, Plan(host, (), plan.notes))
        yield from carry(plan)
        done = merged(done, plan)
    raise PlanError(f"still not as wanted after {ROUNDS} rounds", host=host, next=f"fleet doctor {host}")


verb = Verb(
    help="Build, push and start what the inventory wants; a second run does nothing.",
    level=2,
    flow=deploy,
    document=plan_document,
    lines=done_lines,
    schema="fleet.plan/1",
    options=(
        Option("--prune", "stop and remove servers that are not in the inventory any more", "flag"),
        Option("--rebuild", "build again, whatever is there or in the cache", "flag"),
    ),
)
