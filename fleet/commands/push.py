"""Bring models to hosts, verified, without starting anything."""

from typing import TYPE_CHECKING

from fleet.commands.base import LIMIT_RATE, Option, Request, Verb, done_lines, plan_document, rounds
from fleet.core.facts import Facts
from fleet.core.flow import Flow
from fleet.core.plan import Plan
from fleet.servers.converge import push_steps

if TYPE_CHECKING:
    from fleet.core.inventory import Inventory

ROUNDS = 3


def push(request: Request, inventory: "Inventory", host: str) -> Flow[Plan]:
    """The named models, or all that the host's servers need, under their hashes on the host."""
    names = tuple(request["model"] or ()) or tuple(
        dict.fromkeys(server.model for server in inventory.servers_on(host).values())
    )

    def planned(facts: Facts, is_first: bool) -> Flow[Plan]:
        steps = yield from push_steps(inventory, facts, names)
        return Plan(host, tuple(steps), () if names else ("no server here needs a model",))

    return (yield from rounds(host, planned, ROUNDS, "still not there"))


verb = Verb(
    help="Push models to hosts; goes on where it stopped, and verifies.",
    level=1,
    flow=push,
    document=plan_document,
    lines=done_lines,
    schema="fleet.plan/1",
    options=(
        Option(
            "--model",
            "a model of the inventory, may be repeated; without it all that the host's servers need",
            is_many=True,
        ),
        LIMIT_RATE,
    ),
)
