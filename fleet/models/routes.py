"""Where each host gets a model from: where it is published, else other hosts that have it or get it too, else
the controller."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from fleet.core.facts import Facts
from fleet.core.inventory_checks import in_networks
from fleet.core.plan import Plan, Put, count_text
from fleet.core.routes import FindRoutes, Route

if TYPE_CHECKING:
    from fleet.core.flow import Flow
    from fleet.core.inventory import Inventory

CONTROLLER = "from here"


def can_share(inventory: "Inventory", host: str, facts: Facts) -> bool:
    """Whether a host that may can give chunks of a model to others and take them: it needs python3."""
    return "python3" in facts.tools and may_share(inventory, host)


def may_share(inventory: "Inventory", host: str) -> bool:
    """Whether a host may give chunks of a model to others and take them from there.

    It needs an address in `private_networks`: what goes between hosts is not encrypted. An address
    that is a name, or stands in an ssh_config, is judged on the host itself. A host whose line has a
    limit of its own is brought everything from here, at that limit.
    """
    wish = inventory.hosts.get(host)
    if wish is None or wish.transport != "ssh":
        return False
    if not inventory.private_networks or wish.limit_rate is not None or wish.quiet_hours is not None:
        return False
    return wish.address is None or in_networks(wish.address, inventory.private_networks) is not False


def choose(
    host: str, having: Collection[str], getting: Collection[str], sharing: Collection[str]
) -> tuple[str, str]:
    """Kind and text of the route of one model to one host.

    Args:
        having: hosts that have it.
        getting: hosts that get it in this run, this one included.
        sharing: hosts that can share.
    """
    if host not in sharing:
        return "controller", CONTROLLER
    givers = sorted(set(having) & set(sharing))
    together = set(getting) & set(sharing)
    if givers:
        more = f" and {count_text(len(givers) - 1, 'other host')}" if len(givers) > 1 else ""
        return "peer", f"from {givers[0]}{more}, else {CONTROLLER}"
    if len(together) > 1:
        return "peer", f"{CONTROLLER} and shared among {len(together)} hosts"
    return "controller", CONTROLLER


def routed(plan: Plan) -> "Flow[Plan]":
    """The plan, with where each of its models comes from and how long that takes where it is known."""
    models = tuple(
        step.action.artifact.id
        for step in plan.steps
        if isinstance(step.action, Put) and step.action.artifact.kind == "model"
    )
    if not models:
        return plan
    found: Mapping[str, Route] = yield FindRoutes(plan.host, models)
    steps, notes = [], list(plan.notes)
    for step in plan.steps:
        route = found.get(step.action.artifact.id) if isinstance(step.action, Put) else None
        if route is not None:
            seconds = step.bytes / route.rate if step.bytes and route.rate else step.seconds
            step = replace(step, way=route.text, seconds=seconds)
            if route.note is not None and isinstance(step.action, Put):
                notes.append(f"{step.action.artifact.name} is not pulled by the host: {route.note}")
        steps.append(step)
    return replace(plan, steps=tuple(steps), notes=tuple(notes))
