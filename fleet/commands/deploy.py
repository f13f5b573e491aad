"""Bring hosts to what the inventory says."""

from typing import TYPE_CHECKING

from fleet.commands.base import EXPLAIN, LIMIT_RATE, Option, Request, Verb, done_lines, plan_document, rounds
from fleet.core.facts import Facts
from fleet.core.flow import Flow
from fleet.core.plan import Plan
from fleet.servers.converge import converge

if TYPE_CHECKING:
    from fleet.core.inventory import Inventory

ROUNDS = 4


def deploy(request: Request, inventory: "Inventory", host: str) -> Flow[Plan]:
    """Build, models and servers as wanted, in as many rounds as it takes.

    Raises:
        UnreachableError: the host did not answer; the other hosts go on.
        PlanError: it still differs after four rounds.
    """

    def planned(facts: Facts, is_first: bool) -> Flow[Plan]:
        return converge(
            inventory,
            host,
            facts,
            rebuild=bool(request["rebuild"]) and is_first,
            prune=bool(request["prune"]),
            only=request.servers,
        )

    return (yield from rounds(host, planned, ROUNDS, "still not as wanted"))


verb = Verb(
    help="Build, push and start what the inventory wants; a second run does nothing.",
    level=2,
    flow=deploy,
    document=plan_document,
    lines=done_lines,
    schema="fleet.plan/1",
    options=(
        Option("--prune", "stop and remove servers that are not in the inventory any more", "flag"),
        EXPLAIN,
        LIMIT_RATE,
        Option("--rebuild", "build again, whatever is there or in the cache", "flag"),
    ),
)
