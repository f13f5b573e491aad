"""Release a host's lock that another controller left behind."""

from typing import TYPE_CHECKING

from fleet.commands.base import Request, Verb, agreed, done_lines, plan_document
from fleet.core.flow import Flow, probe
from fleet.core.plan import Plan, Run, Step
from fleet.platforms.base import program

if TYPE_CHECKING:
    from fleet.core.inventory import Inventory

# Somebody who took the lock meanwhile is left alone: the next generation can be made only once.
RELEASE = """
cd "$FLEET_ROOT/lock" 2>/dev/null || exit 0
next=$((LOCK + 1))
mkdir "lock.$next" 2>/dev/null || {
    echo "fleet: error: the lock changed hands meanwhile"
    echo "fleet: next: the same command shows who has it now"
    exit 1
}
: > "lock.$next/done"
"""


def unlock(request: Request, inventory: "Inventory", host: str) -> Flow[Plan]:
    """Nothing where the lock is free; locks of dead controllers need no hand: they expire."""
    facts = yield from probe(host)
    lock = facts.lock
    if lock is None or lock.is_released:
        plan = Plan(host, (), ("the lock is free",))
    else:
        who = lock.holder or "an unknown controller"
        step = Step(
            title=f"take the lock from {who} (id {lock.owner or 'unknown'})",
            action=Run(program(RELEASE, LOCK=lock.generation), deadline=20, needs_lock=False),
            key=f"unlock:{lock.generation}",
            phase="prepare",
        )
        plan = Plan(
            host, (step,), ("whatever it is doing there is not stopped, but its next write is refused",)
        )
    return (yield from agreed(plan))


verb = Verb(
    help="Take a host's lock away from another controller.",
    level=3,
    flow=unlock,
    document=plan_document,
    lines=done_lines,
    schema="fleet.plan/1",
)
