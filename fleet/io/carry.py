"""Carries plans out: each step on its host, over lost links, under the host's lock."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from fleet.builds.explain import explain as explain_build
from fleet.core.errors import FleetError, PlanError, StepError, UnreachableError
from fleet.core.events import Notice, Output, StepDone, StepFailed, StepProgress, StepStarted
from fleet.core.flow import Carried
from fleet.core.plan import Artifact, Built, Drained, Fetch, Plan, Put, Ready, Run, Step, Wait, Write
from fleet.core.shell import complaint
from fleet.core.text import safe_line, safe_text
from fleet.io.artifacts import Artifacts
from fleet.io.builds.builders import BuilderLost, Builders
from fleet.io.deliver import Deliveries
from fleet.io.jobs import run_job
from fleet.io.locks import hold
from fleet.io.ports import Transport
from fleet.io.push.pace import Paces
from fleet.io.servers import ready
from fleet.io.shelltext import placed, taken_over, writing
from fleet.io.world import World, is_lost
from fleet.platforms.base import FENCED

Value = TypeVar("Value")
ATTEMPTS = 40  # links that may be lost within one step
LINES_SHOWN = 400  # of a step's output, per step; the rest stays in the job's log on the host


class Carrier:
    """One for a run."""

    def __init__(self, world: World, artifacts: Artifacts, places: asyncio.Semaphore, paces: Paces) -> None:
        self.world = world
        self.artifacts = artifacts
        self.places = places
        self.builders = Builders()
        self.deliveries = Deliveries(world, artifacts, paces)

    async def carry(self, plan: Plan) -> Carried:
        """Every step in order.

        Raises:
            FleetError: a step failed; the steps after it were not begun.
        """
        work = _Work(self, plan)
        try:
            async with self._place(plan), work.lock(plan):
                for number, step in enumerate(plan.steps):
                    try:
                        await work.step(number, step)
                    except FleetError as error:
                        await work.put_back(plan.steps[:number], error)
                        raise
        except BuilderLost as lost:
            self.world.say(Notice(**self.world.stamp(plan.host), message=f"{lost}; looking for another way"))
            return Carried(again=str(lost))
        return Carried()

    async def fetch(self, host: str, fingerprint: str) -> None:
        """A build that a host has, into the cache."""
        wanted = Fetch(Artifact("build", fingerprint, fingerprint, None), f"builds/{fingerprint}")
        transport = await self.world.returning(host)
        await self.artifacts.keep(transport, wanted, self.world.root(host), lambda done, total: None)

    @contextlib.asynccontextmanager
    async def _place(self, plan: Plan) -> AsyncIterator[None]:
        """One of the places for hosts that change; a twin that waits takes none."""
        first = plan.steps[0].action if plan.steps else None
        if isinstance(first, Wait) and isinstance(first.until, Built):
            self.world.say(Notice(**self.world.stamp(plan.host), message=f"waits for {first.until.on}"))
            await self.builders.built(first.until.fingerprint)
        async with self.places:
            yield


class _Work:
    """One plan under way."""

    def __init__(self, carrier: Carrier, plan: Plan) -> None:
        self.carrier = carrier
        self.world = carrier.world
        self.plan = plan
        self.host = plan.host
        self.root = self.world.root(plan.host)
        self.generation = ""
        self.shown = 0
        self.route: str | None = None

    @contextlib.asynccontextmanager
    async def lock(self, plan: Plan) -> AsyncIterator[None]:
        if all(isinstance(step.action, Run) and not step.action.needs_lock for step in plan.steps):
            yield
            return

        async with hold(
            self.host, self.reach, self.root, self.world.owner, self.world.clock, self.tell
        ) as generation:
            self.generation = generation
            yield

    async def reach(self) -> Transport:
        return await self.world.returning(self.host)

    async def step(self, number: int, step: Step) -> None:
        """One step with its events."""
        total, started = len(self.plan.steps), self.world.clock.monotonic()
        self.shown, self.route = 0, None
        self.world.say(
            StepStarted(
                **self.world.stamp(self.host), step=step.title, phase=step.phase, done=number, total=total
            )
        )
        try:
            moved = await self._act(step)
        except FleetError as error:
            error.step = error.step or step.title
            self.world.say(
                StepFailed(
                    **self.world.stamp(self.host),
                    step=step.title,
                    phase=step.phase,
                    done=number,
                    total=total,
                    kind=error.kind,
                    message=error.message,
                    next=error.next,
                )
            )
            raise
        self.world.say(
            StepDone(
                **self.world.stamp(self.host),
                step=step.title,
                phase=step.phase,
                key=step.key,
                done=number + 1,
                total=total,
                seconds=self.world.clock.monotonic() - started,
                bytes=moved,
                route=self.route if step.phase == "push" else None,
            )
        )

    async def put_back(self, done: Sequence[Step], error: FleetError) -> None:
        """Undo what must not stay half done, last first; the error says how it ended."""
        if error.kind in ("lock-lost", "link-lost"):
            return
        for step in reversed(done):
            if not step.undo:
                continue
            try:
                for action in step.undo:
                    await self._act(replace(step, action=action, undo=()))
            except FleetError as second:
                error.what += f"; and what ran before did not come back: {second.what}"
            else:
                error.what += "; what ran before runs again"

    async def _act(self, step: Step) -> int | None:
        match step.action:
            case Run(job=None) as run:
                await self.lasting(lambda transport: self._run(transport, run))
            case Run() as run:
                await self._job(step, run)
            case Put() as put:
                moved, self.route = await self.carrier.deliveries.put(self, put, self._progress(step))
                return moved
            case Write() as write:
                await self.lasting(lambda transport: self._run(transport, Run(writing(write), deadline=60)))
            case Fetch() as fetch:
                return await self._fetch(step, fetch)
            case Wait(until=Built() as until):
                await self.carrier.builders.built(until.fingerprint)
            case Wait(until=Ready() as until):
                await ready.wait_ready(self.world, self.host, until, self.generation, self._progress(step))
            case Wait(until=Drained() as until):
                await ready.wait_drained(self.world, self.host, until)
        return None

    async def _run(self, transport: Transport, run: Run) -> None:
        answer = await transport.run(placed(run.script, self.root, self.generation), deadline=run.deadline)
        text = safe_text(answer.out) + "\n" + safe_text(answer.err)
        for line in safe_text(answer.out).splitlines()[-20:]:
            self._output(safe_line(line))
        if answer.status == FENCED:
            raise taken_over()
        if answer.status:
            what, following = complaint(text)
            last = next((line for line in reversed(text.splitlines()) if line.strip()), "")
            # A program ends with 6 where it refused before it changed anything.
            kind = PlanError if answer.status == 6 else StepError
            raise kind(
                what or f"exit {answer.status}: {safe_line(last, 300)}",
                next=following or f"fleet doctor {self.host}",
            )

    async def _job(self, step: Step, run: Run) -> None:
        ended = await run_job(
            self.reach,
            run,
            self.root,
            self.generation,
            clock=self.world.clock,
            random=self.world.random,
            on_line=self._output,
            on_progress=self._progress(step, unit="files" if step.phase == "build" else "bytes"),
        )
        if ended.exit_code == FENCED:
            raise taken_over()
        if ended.exit_code:
            what, following = explain_build(ended.tail, ended.exit_code, self.world.facts.get(self.host))
            raise StepError(what, next=following)

    async def _fetch(self, step: Step, fetch: Fetch) -> int:
        report = self._progress(step, unit="bytes")
        size = 0

        async def take(transport: Transport) -> None:
            nonlocal size
            size = await self.carrier.artifacts.keep(transport, fetch, self.root, report)

        await self.lasting(take)
        self.carrier.builders.finish(fetch.artifact.id)
        return size

    async def lasting(self, act: Callable[[Transport], Awaitable[Value]]) -> Value:
        """The act, again on a new link when the old one broke; every program is written to be repeated."""
        for _ in range(ATTEMPTS):
            transport = await self.reach()
            try:
                return await act(transport)
            except UnreachableError as error:
                if not is_lost(error):
                    raise
                self.tell("the link broke; going on when it is back")
                await self.world.clock.sleep(1)
        raise UnreachableError(
            f"the link broke {ATTEMPTS} times in one step", host=self.host, next=f"fleet doctor {self.host}"
        )

    def _progress(self, step: Step, unit: str = "bytes") -> Callable[..., None]:
        def report(
            done: float, total: float | None, rate: float | None = None, left: float | None = None
        ) -> None:
            self.world.say(
                StepProgress(
                    **self.world.stamp(self.host),
                    step=step.title,
                    phase=step.phase,
                    done=done,
                    total=total,
                    unit=unit,
                    rate=rate,
                    left=left,
                )
            )

        return report

    def tell(self, message: str) -> None:
        self.world.say(Notice(**self.world.stamp(self.host), message=message))

    def _output(self, line: str) -> None:
        self.shown += 1
        if line and self.shown <= LINES_SHOWN:
            self.world.say(Output(**self.world.stamp(self.host), step="", line=line))
