"""What lies on hosts and is used by nothing; removed when asked."""

from typing import TYPE_CHECKING

from fleet.builds.tools import is_stale
from fleet.commands.base import Request, Verb, agreed, done_lines, plan_document
from fleet.core.facts import Facts, Part
from fleet.core.flow import Flow, probe
from fleet.core.plan import Plan, Run, Step, size_text
from fleet.models.splits import set_id
from fleet.platforms.base import program
from fleet.servers.companions import everything

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
t="$FLEET_ROOT/trash/$NAME.$$"
mkdir -p "$FLEET_ROOT/trash" && chmod u+w "$d" && mv "$d" "$t" || exit 1
# folders alone: a file may have another name elsewhere, which keeps its mode
find "$t" -type d -exec chmod u+w {} + && rm -rf "$t"
"""


def gc(request: Request, inventory: "Inventory", host: str) -> Flow[Plan]:
    """Builds, models, parts and old tools that no release of a server and no wish in the inventory needs."""
    facts = yield from probe(host)
    used = facts.used
    wanted = _wanted(inventory, host)
    newest = facts.builds[-1].fingerprint if facts.builds and not used else None
    steps = [
        *(
            _remove("builds", build.fingerprint, None)
            for build in facts.builds
            if build.fingerprint not in used and build.fingerprint != newest
        ),
        *(_remove("models", one.sha256, one.size) for one in facts.models if one.sha256 not in used | wanted),
        *(_remove("models/sets", one.id, None) for one in facts.sets if one.id not in used | wanted),
        *(_remove("parts", f"{part.sha256}.part", part.size) for part in _stale(facts, wanted)),
        *(_remove("tools", folder, None) for folder in _old_tools(facts)),
    ]
    return (yield from agreed(Plan(host, tuple(steps))))


def _wanted(inventory: "Inventory", host: str) -> set[str]:
    """Hashes of the models of the host's servers and of what is served with them."""
    names = everything(inventory, [one.model for one in inventory.servers_on(host).values()])
    found: set[str] = set()
    for model in (inventory.models[name] for name in names if name in inventory.models):
        found |= {model.sha256} if model.sha256 is not None else set()
        found |= {*model.parts, set_id(model.parts)} if model.parts else set()
    return found


def _stale(facts: Facts, wanted: set[str]) -> list[Part]:
    return [part for part in facts.parts if part.sha256 not in wanted]


def _old_tools(facts: Facts) -> list[str]:
    """Folders of tools that fleet brought in a version that it brings no more."""
    below = f"{facts.root}/tools/"
    paths = [tool.path.removeprefix(below) for tool in facts.tools.values() if tool.path.startswith(below)]
    return sorted({folder for folder in (path.split("/")[0] for path in paths) if is_stale(folder)})


def _remove(kind: str, name: str, size: int | None) -> Step:
    held = f" ({size_text(size)})" if size else ""
    return Step(
        title=f"remove {kind}/{name[:16]}{held}",
        action=Run(program(REMOVE, KIND=kind, NAME=name), deadline=120),
        key=f"gc:{kind}/{name}",
        phase="prepare",
    )


verb = Verb(
    help="Remove builds, models and parts that nothing uses; --dry-run shows them.",
    level=2,
    flow=gc,
    document=plan_document,
    lines=done_lines,
    schema="fleet.plan/1",
)
