"""Hugging Face folders to GGUF files of the wanted quantisations, measured, on the host best suited."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fleet.builds import plan as builds
from fleet.builds.recipe import CONVERTING
from fleet.commands.base import Option, Request, Verb
from fleet.commands.converting.finish import NOWHERE, advice, bring, listed
from fleet.commands.converting.shown import Done, document, lines
from fleet.core import targets
from fleet.core.conversion import AskState, Origin, ReadOrigin, ReadText
from fleet.core.errors import FleetError, PlanError, UsageError
from fleet.core.facts import Facts
from fleet.core.flow import Flow, Tree, carry, claim, confirm, find_tree, probe
from fleet.core.names import nearest
from fleet.core.plan import Artifact, Plan, Put, Step, size_text
from fleet.models import convert, converter, workplace
from fleet.models.convert import Job, State
from fleet.models.outcome import Made
from fleet.models.workplace import Candidate, Needs

if TYPE_CHECKING:
    from fleet.core.inventory import Inventory

ROUNDS = 3
SOURCE = 'source = "git:https://github.com/ggml-org/llama.cpp"'


@dataclass(frozen=True, slots=True)
class _Look:
    """A host as it is now."""

    facts: Facts
    said: str  # what it has of conversions

    def state(self, job: Job) -> State:
        return convert.read_state(self.said, job.id)

    def has(self, name: str) -> bool:
        return f"converter {name}" in self.said.splitlines()


def flow(request: Request, inventory: "Inventory", host: str) -> Flow[Done]:
    """Sizes, host and plan first; then rounds until every file is made, measured and where it is wanted.

    Raises:
        UsageError: no such type, host or source.
        PlanError: nothing to convert, or no host with room; says which and how much.
    """
    pushed = _targets(str(request["push"]), inventory) if request["push"] else ()
    tree = yield from find_tree()
    jobs = yield from _jobs(request, tree)
    where, looks, note = yield from _where(request, inventory, tree, jobs)
    look, done = looks[where], False
    for _ in range(ROUNDS):
        plan = yield from _plan(inventory, where, look, tree, jobs, (note, *_notes(jobs, pushed)), done)
        if not (yield from confirm(plan)):
            break
        done = True
        yield from carry(plan)
        look = yield from _look(where, jobs)
    made = tuple(_made(job, look.state(job)) for job in jobs)
    if not request.dry_run and all(one.results for one in made):
        paths = yield from bring(where, pushed, made)
        made = tuple(one.at(paths) for one in made)
        if all(result.sha256 in paths for one in made for result in one.results):
            told = yield from advice(inventory, tuple(dict.fromkeys((where, *pushed))), made, paths)
            known = (yield from listed(inventory, made, paths)) if request["add"] else NOWHERE
            return Done(where, plan, made, told, known)
    return Done(where, plan, made, ())


def _jobs(request: Request, tree: Tree) -> Flow[tuple[Job, ...]]:
    types = convert.wanted_types(str(request["to"]), bool(request["imatrix"]))
    outtype = str(request["outtype"])
    if outtype not in convert.OUTTYPES:
        near = ", ".join(nearest(outtype, convert.OUTTYPES))
        raise UsageError(f"no --outtype called {outtype[:40]!r}", next=f"one of: {near}")
    texts: list[Artifact | None] = []
    for name in ("imatrix", "check"):
        text: Artifact | None = (yield ReadText(str(request[name]))) if request[name] else None
        texts.append(text)
    found = []
    for source in dict.fromkeys(request["source"]):
        origin: Origin = yield ReadOrigin(str(source), bool(request["renew"]), not request.dry_run)
        if tree.assets and not origin.is_gguf:
            raise PlanError(
                "a release of finished binaries brings no converter",
                next=f"{SOURCE} under [llama_cpp], or convert a GGUF of F16",
            )
        found.append(Job(origin, types, outtype, texts[0], texts[1], tree.id))
    return tuple(found)


def _targets(text: str, inventory: "Inventory") -> tuple[str, ...]:
    return targets.hosts((text,), inventory, is_all_meant=False)[0]


def _look(host: str, jobs: tuple[Job, ...]) -> Flow[_Look]:
    facts = yield from probe(host)
    said: str = yield AskState(host, convert.state_script(jobs))
    return _Look(facts, said)


def _where(
    request: Request, inventory: "Inventory", tree: Tree, jobs: tuple[Job, ...]
) -> Flow[tuple[str, Mapping[str, _Look], str]]:
    """The host, what all of them look like, and why it is this one."""
    names = _targets(str(request["on"]), inventory) if request["on"] else tuple(inventory.hosts)
    looks: dict[str, _Look] = {}
    errors: dict[str, FleetError] = {}
    found: dict[str, Candidate] = {}
    for name in names:
        try:
            looks[name] = yield from _look(name, jobs)
            found[name] = _candidate(inventory, name, looks[name], tree, jobs)
        except FleetError as error:
            errors[name] = error
    if len(names) == 1 and errors:
        raise next(iter(errors.values()))
    where, why = workplace.choose(found, errors)
    return where, looks, why


def _candidate(
    inventory: "Inventory", name: str, look: _Look, tree: Tree, jobs: tuple[Job, ...]
) -> Candidate:
    states = [(job, look.state(job)) for job in jobs]
    needs_python = _needs_python(states)
    disk = sum(convert.disk(job, state) for job, state in states)
    lack = None
    if needs_python:
        try:
            made = converter.environment(name, look.facts, look.said, inventory.converter_index)
            disk += 0 if look.has(made.id) else (made.size or 0) * 2 + converter.UNPACKED
        except PlanError as error:
            lack = error.what
    return Candidate(
        look.facts,
        Needs(disk, max(convert.memory(job) for job in jobs), needs_python),
        any(state.files or state.results for _, state in states),
        lack,
        builds.is_there(builds.wanted(inventory.hosts[name], look.facts, tree, CONVERTING), look.facts),
    )


def _needs_python(states: Iterable[tuple[Job, State]]) -> bool:
    return any(
        not job.origin.is_gguf and state.lacks(job.types) and "base.gguf" not in state.files
        for job, state in states
    )


def _plan(
    inventory: "Inventory",
    host: str,
    look: _Look,
    tree: Tree,
    jobs: tuple[Job, ...],
    notes: tuple[str, ...],
    is_later: bool,
) -> Flow[Plan]:
    """What is left to do there."""
    states = [(job, look.state(job)) for job in jobs]
    if not any(state.lacks(job.types) for job, state in states):
        return Plan(host, ())
    if is_later:
        left = ", ".join(
            f"{job.origin.name} {one}" for job, state in states for one in state.lacks(job.types)
        )
        raise PlanError(f"still not made: {left}", host=host, next=f"fleet doctor {host}")
    wish, facts = inventory.hosts[host], look.facts
    build = builds.wanted(wish, facts, tree, CONVERTING)
    claimed = None
    if not builds.is_there(build, facts):
        claimed = yield from claim("", build, builds.weight(facts))
    made, said = builds.steps(host, wish, facts, tree, claimed, more=CONVERTING)
    steps = list(made)
    environment = ""
    if _needs_python(states):
        env = converter.environment(host, facts, look.said, inventory.converter_index)
        environment = env.id
        if not (look.has(env.id) and look.has(f"tree-{tree.id}")):
            if tree.id not in facts.sources and not any(step.key == f"source:{tree.id}" for step in steps):
                put = Put(tree.artifact, f"sources/{tree.id}.tar.gz")
                title = f"send the source of llama.cpp {tree.name}"
                steps.append(Step(title, put, f"source:{tree.id}", "build", tree.artifact.size))
            steps += converter.steps(env, tree.id)
            notes = (*notes, _download(env))
    for job, state in states:
        steps += convert.steps(job, state, build, environment)
    return Plan(host, tuple(steps), notes + said)


def _download(env: converter.Environment) -> str:
    size = f"about {size_text(env.size)}" if env.size else "nobody measured how much for this system"
    return f"the converter's Python packages are fetched once by this machine ({size}) and sent to the host"


def _notes(jobs: tuple[Job, ...], pushed: tuple[str, ...]) -> tuple[str, ...]:
    """What will come out, before anything runs."""
    found = []
    for job in jobs:
        origin = job.origin
        sizes = ", ".join(f"{one} about {size_text(convert.predicted(origin, one))}" for one in job.types)
        found.append(
            f"{origin.name}: {origin.architecture or 'unknown architecture'}, "
            f"{(origin.matrices + origin.vectors) / 1e9:.2f} billion weights as {origin.dtype}, "
            f"{size_text(origin.size)} from {origin.place}; "
            f"base about {size_text(convert.base_size(job))}; {sizes}"
        )
    whither = f" and to {', '.join(pushed)}" if pushed else ""
    return (*found, f"what is made comes into this machine's cache{whither}")


def _made(job: Job, state: State) -> Made:
    results = tuple(one for one in state.results if one.type in job.types)
    return Made(job, () if state.lacks(job.types) else results, state.said)


verb = Verb(
    help="Convert Hugging Face folders to GGUF, quantise, measure the loss, and push.",
    level=1,
    flow=flow,
    document=document,
    lines=lines,
    options=(
        Option(
            "SOURCE",
            "hf:OWNER/REPO, file:FOLDER, or file:FILE.gguf of 16 bits",
            is_required=True,
            is_many=True,
        ),
        Option("--to", "types, as llama-quantize names them", default="Q4_K_M,Q5_K_M,Q8_0", metavar="TYPES"),
        Option("--on", "the host that does it; else the one best suited", metavar="HOST"),
        Option(
            "--imatrix",
            "text like what it will be asked, for an importance matrix",
            metavar="TEXTFILE",
        ),
        Option("--check", "text that the loss is measured on; not that of --imatrix", metavar="TEXTFILE"),
        Option("--outtype", "of the base: auto, f16 or bf16", default="auto", metavar="TYPE"),
        Option("--renew", "take what an hf: repository holds today, instead of what fleet.lock pins", "flag"),
        Option("--add", "write the results into the inventory, as models", "flag"),
        Option("--push", "hosts that get the results", metavar="SELECTOR"),
    ),
    selects="none",
    schema="fleet.conversion/1",
)
