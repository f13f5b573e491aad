"""Say that a model stays on hosts although no server uses it; or that it need not any more."""

from typing import TYPE_CHECKING

from fleet.commands.base import Option, Request, Verb, agreed, done_lines, plan_document
from fleet.core.flow import Flow, probe
from fleet.core.plan import Plan, Run, Step
from fleet.core.stock import ReadStock, Stocked
from fleet.models.keeping import meant
from fleet.platforms.base import program

if TYPE_CHECKING:
    from fleet.core.inventory import Inventory

KEEP = """
fence
[ ! -L "$FLEET_ROOT/keep" ] || { echo "fleet: error: $FLEET_ROOT/keep is a link"; exit 1; }
mkdir -p "$FLEET_ROOT/keep" && : >"$FLEET_ROOT/keep/$SHA256"
"""
FORGET = """
fence
rm -f "$FLEET_ROOT/keep/$SHA256"
"""


def flow(request: Request, inventory: "Inventory", host: str) -> Flow[Plan]:
    """The host with or without the mark that gc reads.

    Raises:
        UsageError: no such model.
    """
    facts = yield from probe(host)
    stocked: Stocked = yield ReadStock()
    held = [one.sha256 for one in facts.models]
    sha256 = meant(str(request["model"]), stocked, [*held, *facts.kept])
    is_off = bool(request["off"])
    steps: tuple[Step, ...] = ()
    if (sha256 in facts.kept) is is_off:
        title = f"{'do not keep' if is_off else 'keep'} model {request['model']}"
        script = program(FORGET if is_off else KEEP, SHA256=sha256)
        steps = (Step(title, Run(script, deadline=60), f"keep:{sha256}:{is_off}", "prepare"),)
    notes = () if sha256 in held else ("it is not there yet; it stays once it is",)
    return (yield from agreed(Plan(host, steps, () if is_off else notes)))


verb = Verb(
    help="Keep a model on hosts although no server uses it; --off ends that.",
    level=1,
    flow=flow,
    document=plan_document,
    lines=done_lines,
    schema="fleet.plan/1",
    options=(
        Option("MODEL", "its name in the inventory, or how its sha256 begins", is_required=True),
        Option("--off", "gc may remove it again", "flag"),
    ),
)
