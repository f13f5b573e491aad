"""Take a model off a host."""

from typing import TYPE_CHECKING

from fleet.commands.base import Option, Request, Verb, agreed, done_lines, plan_document
from fleet.commands.gc import remove
from fleet.core.errors import PlanError
from fleet.core.facts import Facts
from fleet.core.flow import Flow, probe
from fleet.core.plan import Plan
from fleet.core.stock import ReadStock, Stocked
from fleet.models.keeping import meant, users, wanted

if TYPE_CHECKING:
    from fleet.core.inventory import Inventory


def flow(request: Request, inventory: "Inventory", host: str) -> Flow[Plan]:
    """The host without the model, its part, and its damaged copy.

    Raises:
        UsageError: no such model.
        PlanError: something needs it there; names it.
    """
    facts = yield from probe(host)
    stocked: Stocked = yield ReadStock()
    name = str(request["model"])
    held = [one.sha256 for one in (*facts.models, *facts.damaged)]
    sha256 = meant(name, stocked, [*held, *(one.sha256 for one in facts.parts)])
    steps = [
        *(remove("models", sha256, one.size) for one in facts.models if one.sha256 == sha256),
        *(remove("parts", f"{sha256}.part", one.size) for one in facts.parts if one.sha256 == sha256),
        *(remove("damaged", sha256, one.size) for one in facts.damaged if one.sha256 == sha256),
    ]
    if any(one.sha256 == sha256 for one in facts.models):
        wants = wanted(inventory, host, stocked).servers.get(sha256, ())
        _check(host, name, sha256, facts, users(facts, stocked, sha256), wants, bool(request["force"]))
    return (yield from agreed(Plan(host, tuple(steps), () if steps else (f"{name} is not there",))))


def _check(
    host: str,
    name: str,
    sha256: str,
    facts: Facts,
    running: tuple[str, ...],
    wants: tuple[str, ...],
    is_forced: bool,
) -> None:
    """Refuses what a server needs; only what needs it on paper gives way to --force."""
    alive = [one.server for one in facts.instances if one.server in running and one.state != "stopped"]
    if alive:
        raise PlanError(
            f"{', '.join(alive)} runs from {name}", host=host, next=f"fleet stop {alive[0]}@{host}"
        )
    if is_forced:
        return
    forced = f"fleet models rm {name} {host} --force"
    if wants:
        raise PlanError(f"the inventory wants {name} here, for {', '.join(wants)}", host=host, next=forced)
    if sha256 in facts.used:
        raise PlanError(
            f"a release of {', '.join(running) or 'a server'} here is made of {name}", host=host, next=forced
        )
    if sha256 in facts.kept:
        raise PlanError(f"{name} is kept here", host=host, next=f"fleet models keep {name} {host} --off")


verb = Verb(
    help="Take a model off a host; refused where a server needs it.",
    level=3,
    flow=flow,
    document=plan_document,
    lines=done_lines,
    schema="fleet.plan/1",
    options=(
        Option("MODEL", "its name in the inventory, or how its sha256 begins", is_required=True),
        Option("--force", "although the inventory, a release or a person wants it there", "flag"),
    ),
)
