"""Flows side by side: one question for all, one build for twins, and no host silences another."""

import shutil
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from fleet.builds.plan import build_artifact
from fleet.commands.base import Request, Verb
from fleet.core.errors import DeclinedError, FleetError, PlanError, StepError
from fleet.core.events import Event, StepDone
from fleet.core.flow import Claim, Claimed, carry, claim, confirm, probe
from fleet.core.inventory import Host, Inventory
from fleet.core.plan import Built, Fetch, Plan, Put, Run, Step, Wait
from fleet.io.door import Question
from fleet.io.folders import SystemFolders
from fleet.io.runs import carry_out, world
from fleet.platforms.base import program

PRINT = "0123456789abcdef"
NAMES = ("h1", "h2", "h3")


@dataclass
class Person:
    """A door behind which somebody agrees, or not."""

    answer: bool | FleetError = True
    asked: list[Question] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)

    def say(self, event: Event) -> None:
        self.events.append(event)

    async def confirm(self, question: Question) -> bool:
        self.asked.append(question)
        if isinstance(self.answer, FleetError):
            raise self.answer
        return self.answer

    async def ask(self, question: str, expected: str) -> bool:
        return True

    async def read_line(self, prompt: str) -> str | None:
        return None

    def print(self, text: str, end: str = "\n") -> None:
        """Nothing is read."""

    def done(self) -> list[tuple[str | None, str]]:
        """(host, kind of the step) of all steps that ended well."""
        return [
            (event.host, event.key.partition(":")[0]) for event in self.events if isinstance(event, StepDone)
        ]


Flow = Callable[[Request, Inventory, str], Generator[Any, Any, Any]]


class Site:
    """This machine as three hosts, each with a root of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        hosts = {name: Host(transport="local", root=str(folder / name)) for name in NAMES}
        self.inventory = Inventory(hosts=hosts, path=str(folder / "inventory.toml"))
        self.folders = SystemFolders(folder / "state", folder / "cache", folder / "config")
        for one in (self.folders.state, self.folders.cache, self.folders.config):
            one.mkdir()

    async def run(
        self, person: Person, flow: Flow, level: int = 1, **more: Any
    ) -> tuple[dict[str, Any], int]:
        request = Request("test", NAMES, dry_run=more.pop("dry_run", False))
        async with world(self.inventory, person, "test", self.folders) as opened:
            return await carry_out(opened, "test", Verb("a test", level, flow), request, **more)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def step(kind: str, script: str = ":", **more: Any) -> Step:
    return Step(kind, Run(program(script), 20.0, **more), f"{kind}:x", "prepare")


def once(*steps: Step) -> Flow:
    def flow(request: Request, inventory: Inventory, host: str) -> Generator[Any, Any, Any]:
        plan = Plan(host, steps)
        if (yield from confirm(plan)):
            yield from carry(plan)
        return plan

    return flow


async def test_what_breaks_on_one_host_stays_there_a_mistake_of_ours_too(site: Site):
    def flow(request: Request, inventory: Inventory, host: str) -> Generator[Any, Any, Any]:
        facts = yield from probe(host)
        if host == "h1":
            raise StepError("broken", next="mend it")
        if host == "h2":
            raise ZeroDivisionError("ours")
        return facts.root

    person = Person()
    results, code = await site.run(person, flow, 0)
    assert code == 1 or code == 3
    assert (results["h1"].host, results["h1"].kind) == ("h1", "step")
    assert results["h2"].kind == "bug"
    assert (site.folder / "state" / "crash.txt").exists()
    assert results["h3"] == str(site.folder / "h3")
    assert [e.event for e in person.events if e.host == "h1"][-1] == "host_failed"
    assert [e.event for e in person.events if e.host == "h3"][-1] == "host_done"


async def test_all_hosts_are_one_question_and_those_with_nothing_to_do_are_not_in_it(site: Site):
    def flow(request: Request, inventory: Inventory, host: str) -> Generator[Any, Any, Any]:
        return (
            yield from once(*([] if host == "h2" else [step("mark", 'echo x > "$FLEET_ROOT/mark"')]))(
                request, inventory, host
            )
        )

    person = Person()
    _, code = await site.run(person, flow)
    assert code == 0
    (question,) = person.asked
    assert [plan.host for plan in question.plans] == ["h1", "h3"]
    assert question.level == 2  # several hosts
    assert [(site.folder / name / "mark").exists() for name in NAMES] == [True, False, True]


async def test_declined_is_exit_7_for_all_and_each_error_has_its_own_host(site: Site):
    person = Person(DeclinedError("declined; nothing was changed"))
    results, code = await site.run(person, once(step("mark", 'echo x > "$FLEET_ROOT/mark"')))
    assert code == 7
    assert [results[name].host for name in NAMES] == list(NAMES)
    assert not any((site.folder / name).exists() for name in NAMES)


async def test_a_dry_run_asks_nobody_and_carries_nothing(site: Site):
    person = Person()
    results, code = await site.run(person, once(step("mark")), dry_run=True)
    assert (code, person.asked, person.done()) == (0, [], [])
    assert len(results["h1"].steps) == 1


async def test_a_verb_that_only_looks_cannot_change_a_host(site: Site):
    results, code = await site.run(Person(), once(step("mark")), 0)
    assert code == 6
    assert isinstance(results["h1"], PlanError)


async def test_a_later_round_asks_again_only_for_what_was_not_agreed_to(site: Site):
    def flow(request: Request, inventory: Inventory, host: str) -> Generator[Any, Any, Any]:
        for kinds in (["a", "b"], ["b"], ["b", "c"]):
            plan = Plan(host, tuple(step(kind) for kind in kinds))
            assert (yield from confirm(plan))
            yield from carry(plan)

    person = Person()
    assert (await site.run(person, flow))[1] == 0
    assert [(len(q.plans), q.is_repeat) for q in person.asked] == [
        (3, False),
        (1, True),
        (1, True),
        (1, True),
    ]
    assert sum(event.event == "confirmed" for event in person.events) == 9


async def test_a_host_that_takes_too_long_is_alone_with_that(site: Site):
    def flow(request: Request, inventory: Inventory, host: str) -> Generator[Any, Any, Any]:
        script = program("sleep 600" if host == "h2" else ":")
        slow = Step("slow", Run(script, 600.0), "slow:x", "prepare")
        yield from once(slow)(request, inventory, host)

    results, code = await site.run(Person(), flow, timeout=20.0)
    assert code == 3
    assert results["h2"].exit_code == 5
    assert results["h1"] is None
    locks = site.folder / "h2" / "lock"
    assert (locks / "lock.1" / "done").exists()


async def test_steps_after_a_failed_one_are_not_begun_and_the_lock_is_given_back(site: Site):
    person = Person()
    bad = step("bad", "echo 'fleet: error: no room'; echo 'fleet: next: make room'; exit 1")
    results, code = await site.run(person, once(step("good"), bad, step("never")))
    assert code == 1
    assert [kind for host, kind in person.done() if host == "h1"] == ["good"]
    assert (results["h1"].what, results["h1"].next, results["h1"].step) == ("no room", "make room", "bad")
    assert (site.folder / "h1" / "lock" / "lock.1" / "done").exists()


def twin(build: str) -> Flow:
    """A host that wants a build: it makes it, or gets it from whoever did."""

    def flow(request: Request, inventory: Inventory, host: str) -> Generator[Any, Any, Any]:
        for _ in range(4):
            facts = yield from probe(host)
            path = Path(facts.root) / "builds" / PRINT / "BUILD.json"
            packed = Path(facts.root) / "parts" / f"build-{PRINT}.tar.gz"
            if path.exists() or packed.exists():
                return host
            claimed: Claimed = yield from claim(host, PRINT, {"h1": 1.0, "h2": 8.0, "h3": 2.0}[host])
            plan = Plan(host, steps(claimed, build.replace("HOST", host)))
            if not (yield from confirm(plan)):
                return host
            yield from carry(plan)
        raise PlanError("never there")

    return flow


def steps(claimed: Claimed, build: str) -> tuple[Step, ...]:
    artifact = build_artifact(PRINT, "a build", claimed.size)
    got = Step("send", Put(artifact, f"parts/build-{PRINT}.tar.gz"), "build:x", "build")
    match claimed.by:
        case "us":
            make = Step("make", Run(program(build), 20.0, "job"), "build:x", "build")
            return make, Step("fetch", Fetch(artifact, f"builds/{PRINT}"), "fetch:x", "build")
        case "twin":
            return Step("wait", Wait(Built(PRINT, str(claimed.builder))), "wait:x", "build"), got
        case _:
            return (got,)


MAKE = f"""
d="$FLEET_ROOT/builds/{PRINT}"
mkdir -p "$d/bin" && echo server > "$d/bin/llama-server" && echo '{{}}' > "$d/BUILD.json"
"""


@pytest.mark.parametrize("jobs", [32, 1])
async def test_of_three_twins_the_strongest_builds_and_with_a_warm_cache_none(site: Site, jobs: int):
    person = Person()
    _, code = await site.run(person, twin(MAKE), jobs=jobs)
    assert code == 0, person.events
    assert sorted(person.done()) == [
        ("h1", "build"), ("h1", "wait"), ("h2", "build"), ("h2", "fetch"), ("h3", "build"), ("h3", "wait"),
    ]  # fmt: skip
    for name in NAMES:
        shutil.rmtree(site.folder / name)
    again = Person()
    assert (await site.run(again, twin("exit 9"), jobs=jobs))[1] == 0
    assert sorted(again.done()) == [(name, "build") for name in NAMES]


async def test_a_build_that_an_earlier_run_left_on_one_host_is_fetched_and_not_made_again(site: Site):
    first = Person()
    await site.run(first, twin(MAKE))
    shutil.rmtree(site.folder / "cache")
    (site.folder / "cache").mkdir()
    for name in ("h1", "h3"):
        shutil.rmtree(site.folder / name)

    def flow(request: Request, inventory: Inventory, host: str) -> Generator[Any, Any, Any]:
        facts = yield from probe(host)
        if host == "h2":  # it has the build, and its BUILD.json says so
            assert [one.fingerprint for one in facts.builds] == [PRINT]
            return host
        return (yield from twin("exit 9")(request, inventory, host))

    person = Person()
    assert (await site.run(person, flow))[1] == 0, person.events
    assert sorted(person.done()) == [("h1", "build"), ("h1", "wait"), ("h3", "build"), ("h3", "wait")]


async def test_when_the_builder_fails_another_twin_builds(site: Site):
    person = Person()
    results, code = await site.run(person, twin(f"[ HOST = h2 ] && exit 3\n{MAKE}"))
    assert code == 3
    assert isinstance(results["h2"], StepError)
    assert (results["h1"], results["h3"]) == ("h1", "h3")
    assert [kind for host, kind in person.done()].count("fetch") == 1


async def test_a_claim_is_not_waited_for_by_hosts_that_need_no_build(site: Site):
    def flow(request: Request, inventory: Inventory, host: str) -> Generator[Any, Any, Any]:
        if host == "h1":
            return (yield Claim(host, PRINT, 1.0))
        return (yield from confirm(Plan(host, ())))

    results, code = await site.run(Person(), flow)
    assert (code, results) == (0, {"h1": Claimed("us"), "h2": False, "h3": False})
