"""What a host still lacks of what the inventory wants: build, models, servers, in one plan."""

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from fleet.builds import plan as builds
from fleet.builds.recipe import fingerprint
from fleet.core.errors import PlanError
from fleet.core.facts import Facts
from fleet.core.flow import Flow, ReadProgram, ReadWeights, Tree, claim, find_model, find_tree
from fleet.core.plan import Artifact, Plan, Step
from fleet.models import plan as models
from fleet.models.layout import layout
from fleet.models.weights import Weights
from fleet.servers import plan as servers
from fleet.servers.capabilities import Capabilities, read
from fleet.servers.companions import Companion, companions, everything, extra
from fleet.servers.flags import check_known
from fleet.servers.settings import Sized
from fleet.servers.shares import Case
from fleet.servers.sizing import size

if TYPE_CHECKING:
    from fleet.core.inventory import Inventory, Server


def converge(
    inventory: "Inventory",
    host: str,
    facts: Facts,
    *,
    rebuild: bool = False,
    prune: bool = False,
    only: Collection[str] = (),
) -> Flow[Plan]:
    """The plan that brings the host to what the inventory says.

    Args:
        rebuild: build again although a finished build is there or cached.
        prune: stop what runs and is not wanted any more.
        only: names of servers; all of the host's where empty.

    Raises:
        PlanError: something wanted cannot be done here; says what and why.
    """
    wanted = inventory.servers_on(host)
    chosen = {name: server for name, server in wanted.items() if not only or name in only}
    steps: list[Step] = []
    notes: list[str] = []
    if not chosen and not facts.instances:
        return Plan(host, (), ("no server of the inventory is wanted here",))
    found = backend = known = None
    files: dict[str, Artifact] = {}
    weights: dict[str, Weights] = {}
    beside: dict[str, tuple[Companion, ...]] = {}
    sized: dict[str, Sized] = {}
    if chosen:
        build, notes, found, backend = yield from build_steps(inventory, host, facts, rebuild=rebuild)
        steps += build
        known = yield from capabilities(host, found, facts)
        if known is not None:
            _check_flags(chosen, known)
        for name in everything(inventory, [server.model for server in wanted.values()]):
            files[name] = yield from find_model(name)
        needed = everything(inventory, [server.model for server in chosen.values()])
        steps += models.steps(facts, tuple(files[name] for name in needed))
        for name in files:
            weights[name] = yield ReadWeights(name)
        number = known.number if known is not None else None
        sized = _sizes(inventory, host, facts, backend, number, weights, chosen)
        beside = {
            server.model: companions(inventory, server.model, files, weights) for server in chosen.values()
        }
    served, said, settings = servers.steps(
        host,
        inventory.hosts[host],
        chosen,
        facts,
        files,
        companions=beside,
        fingerprint=found,
        backend=backend,
        known=known,
        sized=sized,
        private_networks=inventory.private_networks,
        prune=prune,
        undeclared=tuple(one.server for one in facts.instances if one.server not in wanted),
    )
    return Plan(host, (*steps, *served), (*notes, *said), settings)


def _sizes(
    inventory: "Inventory",
    host: str,
    facts: Facts,
    backend: str,
    build: int | None,
    weights: Mapping[str, Weights],
    chosen: "Mapping[str, Server]",
) -> dict[str, Sized]:
    """What each chosen server may take, beside all that are wanted here.

    Raises:
        PlanError: one of them cannot fit.
    """
    cases = {
        name: Case(
            name,
            server,
            layout(weights[server.model].header, weights[server.model].sums),
            extra(inventory, server.model, weights),
        )
        for name, server in inventory.servers_on(host).items()
    }
    return {
        name: size(host, case, [each for each in cases.values() if each is not case], facts, backend, build)
        for name, case in cases.items()
        if name in chosen
    }


def capabilities(host: str, fingerprint: str, facts: Facts) -> Flow[Capabilities | None]:
    """What the build's own llama-server can do; None where the build is not there yet."""
    if not builds.is_there(fingerprint, facts):
        return None
    texts: tuple[str, str] = yield ReadProgram(host, fingerprint)
    return read(*texts)


def _check_flags(chosen: "Mapping[str, Server]", known: Capabilities) -> None:
    """Flags that the build does not know are refused before a server is stopped for them.

    Raises:
        PlanError: names the flag and the nearest ones.
    """
    for name, server in chosen.items():
        for error in check_known(server.args, known):
            raise PlanError(f"server {name}: {error}", next=f"edit [servers.{name}.args] in inventory.toml")


def build_steps(
    inventory: "Inventory", host: str, facts: Facts, *, rebuild: bool = False
) -> Flow[tuple[list[Step], list[str], str, str]]:
    """Steps, notes, fingerprint and backend of the build that the host should have."""
    tree: Tree = yield from find_tree()
    wish = inventory.hosts[host]
    recipe, _ = builds.recipe_for(wish, facts, tree)
    wanted = fingerprint(recipe)
    claimed = None
    # finished binaries are built by nobody: every host gets them from here
    if not tree.assets and (rebuild or not builds.is_there(wanted, facts)):
        claimed = yield from claim(host, wanted, builds.weight(facts), rebuild)
    steps, notes = builds.steps(host, wish, facts, tree, claimed, rebuild=rebuild)
    return list(steps), list(notes) if steps else [], wanted, recipe.backend


def push_steps(inventory: "Inventory", facts: Facts, names: Collection[str]) -> Flow[list[Step]]:
    """Steps that bring the named models to the host, and what is served with them.

    Raises:
        PlanError: a name is not in the inventory, or a model does not fit on the disk.
    """
    files = []
    for name in everything(inventory, tuple(names)):
        if name not in inventory.models:
            known = ", ".join(sorted(inventory.models)) or "none"
            raise PlanError(f"no model called {name!r}", next=f"models of the inventory: {known}")
        found = yield from find_model(name)
        if found.parts:
            yield ReadWeights(name)  # that its files belong together is seen before any of them moves
        files.append(found)
    return list(models.steps(facts, tuple(files)))
