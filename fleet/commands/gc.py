"""What lies on hosts and is used by nothing; removed when asked."""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from fleet.builds.tools import is_stale
from fleet.commands.base import Request, Verb, agreed, done_lines, plan_document
from fleet.core.conversion import AskState
from fleet.core.facts import Facts
from fleet.core.flow import Flow, probe
from fleet.core.plan import Plan, Run, Step, size_text
from fleet.core.stock import ReadStock, Stocked
from fleet.models import leftovers
from fleet.models.keeping import Wanted, spare, spare_sets, stale, wanted
from fleet.platforms.base import program

if TYPE_CHECKING:
    from fleet.core.inventory import Inventory

# Two steps, as everything that vanishes: aside by rename under the lock, then deleted.
# The name is a plain one (ids are hex); nothing outside the root can be meant by it.
REMOVE = """
fence
case $NAME in */* | .* | '' | *[!0-9a-z.-]*) echo "fleet: error: refusing the name $NAME"; exit 1 ;; esac
d="$FLEET_ROOT/$KIND/$NAME"
for f in "$FLEET_ROOT/$KIND" "$FLEET_ROOT/trash" "$d"; do
    [ -L "$f" ] && { echo "fleet: error: $f is a link"; exit 1; }
done
[ -e "$d" ] || exit 0
[ -d "$d" ] || { rm -f "$d" "$d.writer"; exit; } # who may write a part (peer_file.py)
t="$FLEET_ROOT/trash/$NAME.$$"
# on a disk without a free inode it becomes the trash itself, which takes none
mkdir -p "$FLEET_ROOT/trash" || t="$FLEET_ROOT/trash"
{ [ -w "$d" ] || chmod u+w "$d"; } && mv "$d" "$t" || exit 1
# not the mode of files: a model that was adopted by hard link is another program's file too
find "$t" -type d -exec chmod u+w {} + && rm -rf "$t"
"""
# What was put aside by somebody who was then cut off.
EMPTY = """
fence
[ ! -L "$FLEET_ROOT/trash" ] || { echo "fleet: error: $FLEET_ROOT/trash is a link"; exit 1; }
cd "$FLEET_ROOT/trash" || exit 0
find . -type d -exec chmod u+w {} + && rm -rf ./*
"""
# Goes before it: a conversion that began after the plan was made keeps what it has.
UNUSED = """
for job in "$FLEET_ROOT"/jobs/$JOBS; do
    [ -f "$job/pid" ] || continue
    read -r pid start boot < "$job/pid"
    if is_alive "$pid" "$start" "$boot"; then
        echo "fleet: error: ${job##*/} runs there now, which needs $KIND/$NAME"
        echo "fleet: next: the same command, once it is over"
        exit 1
    fi
done
"""


def gc(request: Request, inventory: "Inventory", host: str) -> Flow[Plan]:
    """Builds, models, parts and old tools that no release of a server and no wish in the inventory needs."""
    facts = yield from probe(host)
    steps, told = yield from stored(inventory, facts)
    return (yield from agreed(Plan(host, (*_builds(facts), *steps, *_tools(facts)), told)))


def stored(inventory: "Inventory", facts: Facts) -> Flow[tuple[tuple[Step, ...], tuple[str, ...]]]:
    """What may go of models, and of the conversions that made some; and why other things stay."""
    stocked: Stocked = yield ReadStock()
    wish = wanted(inventory, facts.host, stocked)
    said: str = yield AskState(facts.host, leftovers.script())
    left = leftovers.read(said)
    held = {one.sha256 for one in facts.models} - set(spare(facts, wish))
    steps = (*_weights(facts, wish), *map(_leftover, leftovers.spare(left, facts.jobs, held)), *_trash(said))
    return steps, (*_unknown(wish), *leftovers.notes(left, facts.jobs))


def _weights(facts: Facts, wish: Wanted) -> Iterator[Step]:
    """Models and parts that nothing needs, and models that were put aside as damaged."""
    sizes = {one.sha256: one.size for one in facts.models}
    for sha256 in spare(facts, wish):
        yield remove("models", sha256, sizes[sha256])
    for folder in spare_sets(facts, wish):
        yield remove("models/sets", folder, None)
    for part in stale(facts, wish):
        yield remove("parts", f"{part.sha256}.part", part.size)
    for one in facts.damaged:
        yield remove("damaged", one.sha256, one.size)


def _leftover(found: leftovers.Spare) -> Step:
    """The step that takes away what a conversion left."""
    one = found.left
    jobs = f"convert-{one.name}-*" if one.folder == "conversions" else "convert*"
    step = remove(one.folder, one.name, one.size, jobs)
    return replace(step, title=f"{step.title}: {found.why}")


def _trash(said: str) -> Iterator[Step]:
    size = leftovers.trash(said)
    if size is not None:
        title = f"empty the trash ({size_text(size)}) that was left by a removal that was cut off"
        yield Step(title, Run(program(EMPTY), deadline=120), "gc:trash", "prepare")


def _unknown(wish: Wanted) -> tuple[str, ...]:
    """Why models are left alone that may be needed by nobody."""
    if not wish.unknown:
        return ()
    names = ", ".join(wish.unknown)
    return (f"models and parts stay: nobody knows the sha256 of {names} yet; fleet models pull {names}",)


def _builds(facts: Facts) -> Iterator[Step]:
    newest = facts.builds[-1].fingerprint if facts.builds and not facts.used else None
    for build in facts.builds:
        if build.fingerprint not in facts.used and build.fingerprint != newest:
            yield remove("builds", build.fingerprint, None)


def _tools(facts: Facts) -> Iterator[Step]:
    """Folders of tools that fleet brought in a version that it brings no more."""
    below = f"{facts.root}/tools/"
    paths = [tool.path.removeprefix(below) for tool in facts.tools.values() if tool.path.startswith(below)]
    for folder in sorted({folder for folder in (path.split("/")[0] for path in paths) if is_stale(folder)}):
        yield remove("tools", folder, None)


def remove(kind: str, name: str, size: int | None, jobs: str = "") -> Step:
    """The step that takes one folder or file below the root away.

    Args:
        jobs: pattern of those that need it while they run.
    """
    held = f" ({size_text(size)})" if size else ""
    return Step(
        title=f"remove {kind}/{name[:16]}{held}",
        action=Run(program((UNUSED if jobs else "") + REMOVE, KIND=kind, NAME=name, JOBS=jobs), deadline=120),
        key=f"gc:{kind}/{name}",
        phase="prepare",
    )


verb = Verb(
    help="Remove builds, models, parts and left conversions that nothing uses; --dry-run shows them.",
    level=2,
    flow=gc,
    document=plan_document,
    lines=done_lines,
    schema="fleet.plan/1",
)
