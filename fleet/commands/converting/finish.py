"""After a conversion: its files where they are wanted, and which of them to serve on each host."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fleet.core.conversion import HeldModel
from fleet.core.edits import AddModel, EditInventory
from fleet.core.facts import Facts
from fleet.core.flow import Flow, ReadWeights, carry, confirm, probe
from fleet.core.plan import Artifact, Fetch, Plan, Step
from fleet.core.render import rate_text
from fleet.models import plan as models
from fleet.models.judge import judge, likely
from fleet.models.layout import layout
from fleet.models.outcome import Judged, Made, best, loss, name
from fleet.models.weights import Weights
from fleet.models.wish import Wish

if TYPE_CHECKING:
    from fleet.core.inventory import Inventory

CONTEXT = 8192  # tokens that a type must leave room for, to be advised


def bring(where: str, pushed: tuple[str, ...], made: Iterable[Made]) -> Flow[dict[str, str]]:
    """Every result into this machine's cache, from there to where it is wanted; covered by the first yes.

    Returns:
        Their paths here by sha256; without those that nobody wanted fetched.
    """
    facts: dict[str, Facts] = {}
    for host in pushed:
        facts[host] = yield from probe(host)
    fetched: list[Step] = []
    wanted: list[tuple[str, Artifact]] = []
    for one in made:
        key = f"convert:{one.job.id}"
        for result in one.results:
            artifact = Artifact("model", result.sha256, f"{one.job.origin.name} {result.type}", result.size)
            wanted.append((key, artifact))
            held: str | None = yield HeldModel(result.sha256)
            if held is None:
                fetch = Fetch(artifact, models.path(artifact))
                fetched.append(Step(f"fetch {artifact.name}", fetch, key, "push", result.size))
    plans = [Plan(where, tuple(fetched))]
    for host in pushed:
        steps = []
        for key, artifact in wanted:
            steps += [replace(step, key=key) for step in models.steps(facts[host], [artifact])]
        plans.append(Plan(host, tuple(steps)))
    for plan in plans:
        if plan.steps and (yield from confirm(plan)):
            yield from carry(plan)
    paths: dict[str, str] = {}
    for _, artifact in wanted:
        found: str | None = yield HeldModel(artifact.id)
        if found is not None:
            paths[artifact.id] = found
    return paths


@dataclass(frozen=True, slots=True)
class Listed:
    """Names of the results in the inventory."""

    added: tuple[str, ...] = ()
    there: tuple[str, ...] = ()  # with these very bytes, before this run
    taken: tuple[str, ...] = ()  # by other bytes, which stay

    @property
    def all(self) -> frozenset[str]:
        """Those that the inventory has now."""
        return frozenset((*self.added, *self.there))


NOWHERE = Listed()


def listed(inventory: "Inventory", made: Iterable[Made], paths: Mapping[str, str]) -> Flow[Listed]:
    """Every result as a model of the inventory; what has its name already is left as it is."""
    added: list[str] = []
    there: list[str] = []
    taken: list[str] = []
    known = {model: wish.sha256 for model, wish in inventory.models.items()}
    for one in made:
        for result in one.results:
            model = name(one.job.origin.name, result.type)
            if model not in known:
                keys = {"source": f"file:{paths[result.sha256]}", "sha256": result.sha256}
                yield EditInventory(AddModel(model, keys))
                added.append(model)
                known[model] = result.sha256
            else:
                (there if known[model] == result.sha256 else taken).append(model)
    return Listed(tuple(added), tuple(there), tuple(taken))


def advice(
    inventory: "Inventory", hosts: Iterable[str], made: Iterable[Made], paths: Mapping[str, str]
) -> Flow[tuple[str, ...]]:
    """For each host and model the type to serve there: by fit, speed and loss."""
    found = []
    for host in hosts:
        facts = yield from probe(host)
        backend, _ = likely(inventory.hosts[host], facts)
        for one in made:
            judged = []
            for result in one.results:
                weights: Weights = yield ReadWeights(paths[result.sha256])
                model = layout(weights.header, weights.sums)
                fit = judge(facts, backend, model, Wish(context=CONTEXT, cache_ram=0))
                tps = fit.speed.tps if fit.speed else None
                lost = loss(one.measured(result), result.type)
                judged.append(Judged(result, fit.verdict == "fits", tps, lost))
            choice = best(judged)
            of = one.job.origin.name
            if choice is None:
                found.append(f"{of} on {host}: no type of these fits with {CONTEXT} tokens of context")
                continue
            speed = f", about {rate_text(choice.tps)} tokens/s" if choice.tps else ", speed unknown"
            found.append(f"{of} on {host}: {choice.result.type}, which loses least of what fits{speed}")
    return tuple(found)
