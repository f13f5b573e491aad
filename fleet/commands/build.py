"""Build llama.cpp for hosts, or bring them a finished build of an equal host."""

from typing import TYPE_CHECKING

from fleet.commands.base import Option, Request, Verb, done_lines, plan_document, rounds
from fleet.core.facts import Facts
from fleet.core.flow import Flow
from fleet.core.plan import Plan
from fleet.servers.converge import build_steps

if TYPE_CHECKING:
    from fleet.core.inventory import Inventory

ROUNDS = 3


def build(request: Request, inventory: "Inventory", host: str) -> Flow[Plan]:
    """As deploy, for the build alone; servers are not touched."""

    def planned(facts: Facts, is_first: bool) -> Flow[Plan]:
        rebuild = bool(request["rebuild"]) and is_first
        steps, notes, _, _ = yield from build_steps(inventory, host, facts, rebuild=rebuild)
        return Plan(host, tuple(steps), tuple(notes))

    return (yield from rounds(host, planned, ROUNDS, "still no build"))


verb = Verb(
    help="Build llama.cpp for hosts; equal hosts share one build.",
    level=1,
    flow=build,
    document=plan_document,
    lines=done_lines,
    schema="fleet.plan/1",
    options=(Option("--rebuild", "build again, whatever is there or in the cache", "flag"),),
)
