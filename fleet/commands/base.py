"""What a verb is: one record, read by the shell, the dashboard and completion; and what flows share."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from textwrap import wrap
from typing import TYPE_CHECKING, Any, Literal

from fleet.core.errors import FleetError, PlanError
from fleet.core.facts import Facts
from fleet.core.flow import Flow, carry, confirm, probe
from fleet.core.plan import Plan, Step, count_text
from fleet.core.render import plan_lines
from fleet.core.shelf import Shelf
from fleet.models.routes import routed

if TYPE_CHECKING:
    from fleet.core.inventory import Inventory


@dataclass(frozen=True, slots=True)
class Option:
    """One option or argument of a verb.

    `name` is what is typed: `--follow`, `-n`, or `MODEL` for an argument.
    """

    name: str
    help: str
    kind: Literal["flag", "text", "number", "integer"] = "text"
    default: Any = None
    metavar: str | None = None
    is_many: bool = False  # an argument or option that takes several
    is_required: bool = False

    @property
    def key(self) -> str:
        return self.name.lstrip("-").replace("-", "_").lower()


@dataclass(frozen=True, slots=True)
class Request:
    """A verb with checked arguments, from whichever door."""

    verb: str
    hosts: tuple[str, ...]  # resolved selectors, in order of the inventory
    options: Mapping[str, Any] = field(default_factory=dict)  # by Option.key
    servers: tuple[str, ...] = ()  # named with SERVER@HOST; empty: all of the hosts
    dry_run: bool = False
    reason: str | None = None

    def __getitem__(self, key: str) -> Any:
        return self.options.get(key)


Results = Mapping[str, Any]  # host -> what its flow returned, or the FleetError that ended it


@dataclass(frozen=True, slots=True)
class Verb:
    """One verb.

    Attributes:
        level: 0 read, 1 reversible on one host, 2 service effect, 3 cannot be undone.
        flow: the conversation for one host.
        document: the --json document of all hosts together, without `schema`.
        lines: the same for people; plain text, without colour.
        selects: "hosts" (default all at level 0), "server" (exactly one SERVER[@HOST]),
            "none" (the flow runs once, for the inventory itself).
    """

    help: str
    level: int
    flow: Callable[[Request, "Inventory", str], Flow[Any]]
    document: Callable[[Request, Results], dict[str, Any]] | None = None
    lines: Callable[[Request, Results], Iterable[str]] | None = None
    options: tuple[Option, ...] = ()
    selects: Literal["hosts", "server", "none"] = "hosts"
    schema: str | None = None  # fleet.plan/1
    watches: bool = False  # understands --watch: repeats until interrupted
    failure: Callable[[Any], FleetError | None] | None = None  # a result that is also an error


VERBS: Shelf[Verb] = Shelf("fleet.commands", "verb", Verb)


def agreed(plan: Plan) -> Flow[Plan]:
    """The plan, carried out where somebody says yes to it."""
    if (yield from confirm(plan)):
        yield from carry(plan)
    return plan


def rounds(host: str, planned: Callable[[Facts, bool], Flow[Plan]], most: int, lack: str) -> Flow[Plan]:
    """Look, plan, carry out, and look again until nothing is left to do.

    Args:
        planned: the plan for what the host is; told whether this is the first round.
        most: rounds.
        lack: what it is called when something is left after them.

    Returns:
        Every step that was carried out, over all rounds; none the second time.

    Raises:
        PlanError: something is left.
    """
    done: tuple[Step, ...] = ()
    for number in range(most):
        facts = yield from probe(host)
        plan = yield from routed((yield from planned(facts, number == 0)))
        if not (yield from confirm(plan)):
            return Plan(host, done, plan.notes, plan.settings) if done else plan
        now = plan.now()
        yield from carry(now)
        done += now.steps
    raise PlanError(f"{lack} after {most} rounds", host=host, next=f"fleet doctor {host}")


def split(results: Results) -> tuple[dict[str, Any], dict[str, FleetError]]:
    """What worked and what did not, by host."""
    errors = {host: value for host, value in results.items() if isinstance(value, FleetError)}
    return {host: value for host, value in results.items() if host not in errors}, errors


def plan_document(request: Request, results: Results) -> dict[str, Any]:
    """The `fleet.plan/1` document of verbs that plan: what would be, or was, done."""

    def one(host: str, result: Plan | FleetError) -> dict[str, Any]:
        if isinstance(result, FleetError):
            return {"name": host, "steps": [], "notes": [], "error": result.document()}
        steps = [step.document() for step in result.steps]
        why = {name: [one.document() for one in each] for name, each in result.settings.items()}
        settings = {"settings": why} if request["explain"] else {}
        return {"name": host, "steps": steps, "notes": list(result.notes), **settings, "error": None}

    return {"hosts": [one(host, result) for host, result in results.items()]}


WIDTH = 80  # columns
GLUE = "\xa0"  # a space at which no line ends
SELECTOR = "hosts: NAME, gpu-*, @TAG, backend:cuda, ^NAME for not that one, all; or a server"
LIMIT_RATE = Option(
    "--limit-rate",
    "bytes a second that leave this machine, shared equally by the hosts: 50M, 48MiB/s, 400Mbit/s",
    metavar="RATE",
)
EXPLAIN = Option("--explain", "print each setting of the servers with its reason and source", "flag")


def explained(request: Request, results: Results) -> Iterable[str]:
    """Each setting of each server, why it is so and what that stands on; where it was asked for."""
    if not request["explain"]:
        return
    for host, plan in split(results)[0].items():
        for server, choices in plan.settings.items():
            yield f"{server}@{host}"
            for one in choices:
                value = "" if one.value is True else " left out" if one.value is None else f" {one.value}"
                yield from _wrapped(f"--{one.name}{value}: {one.reason} ", f"[{one.source}]")


def _wrapped(text: str, source: str) -> Iterable[str]:
    """A setting in lines of at most 80 columns; its source stays in one piece."""
    whole = f"{text} {source.replace(' ', GLUE)}"
    for line in wrap(
        whole,
        WIDTH,
        initial_indent="  ",
        subsequent_indent=" " * 6,
        break_on_hyphens=False,
        break_long_words=False,
    ):
        yield line.replace(GLUE, " ")


def done_lines(request: Request, results: Results) -> Iterable[str]:
    """A line for each host that a verb changed, or left as it was."""
    yield from explained(request, results)
    plans = split(results)[0]
    if request.dry_run and any(plan.steps for plan in plans.values()):
        yield from plan_lines(plans.values())
        yield "nothing done (--dry-run)"
        return
    for host, plan in plans.items():
        if plan.steps:
            yield f"{host}: done, {count_text(len(plan.steps), 'step')}"
        else:
            yield f"{host}: nothing to do"
            yield from (f"  - {note}" for note in plan.notes)
