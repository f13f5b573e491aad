"""Drives flows, one for each host, side by side, and answers what they ask."""

import asyncio
from collections.abc import Mapping
from typing import Any

from fleet.commands.base import Request, Verb
from fleet.core.bundle import Bundle, Bundled, ReadRecords
from fleet.core.choices import ListFiles
from fleet.core.conversion import AskState, HeldModel, ReadOrigin, ReadText
from fleet.core.edits import RenewModel
from fleet.core.errors import DeadlineError, FleetError
from fleet.core.events import HostDone, HostFailed
from fleet.core.flow import (
    AskOracle,
    Carry,
    Claim,
    Confirm,
    FindModel,
    FindTree,
    LastMeasured,
    Look,
    Need,
    Now,
    Print,
    Probe,
    ReadLine,
    ReadProgram,
    ReadWeights,
    Say,
    Tail,
)
from fleet.core.routes import FindRoutes, Route
from fleet.core.stock import CheckCached, Pull, ReadHeld, ReadStock, Survey
from fleet.core.talks import Complete, Forward
from fleet.io import report, talk
from fleet.io.agreement import Agreement
from fleet.io.artifacts import Artifacts
from fleet.io.builds.claims import Claims
from fleet.io.carry import Carrier
from fleet.io.crash import bug
from fleet.io.gather import Gather
from fleet.io.hubs import offers
from fleet.io.inventory import onboard
from fleet.io.models import headers, origins
from fleet.io.models.stock import Stock
from fleet.io.push.pace import Paces, limit
from fleet.io.servers.looks import look
from fleet.io.servers.programs import said
from fleet.io.world import World


class Engine:
    """One run of one verb.

    Args:
        world: what it may touch.
        name: the verb as it is typed.
        jobs: hosts that are changed at the same time.
        timeout: seconds for each host, None for no limit beyond those of the steps.
    """

    def __init__(
        self,
        world: World,
        name: str,
        verb: Verb,
        request: Request,
        jobs: int = 32,
        timeout: float | None = None,
    ) -> None:
        self.world = world
        self.name = name
        self.verb = verb
        self.request = request
        self.timeout = timeout
        self.artifacts = Artifacts(world)
        self.stock = Stock(world, self.artifacts)
        hosts = request.hosts or ("",)
        paces = Paces(world.clock, limit(request["limit_rate"]), len(hosts))
        self.carrier = Carrier(world, self.artifacts, asyncio.Semaphore(jobs), paces)
        self.hosts = hosts
        self.claims = Claims(world, self.carrier.builders, hosts, self.carrier.fetch)
        self.agreement = Agreement(world, name, verb.level, hosts, request.dry_run)
        self.crowds = self.carrier.deliveries.crowds
        self.routes: Gather[FindRoutes, Mapping[str, Route]] = Gather(hosts, self.crowds.settle)
        self.bundles: Gather[Bundle, Bundled] = Gather(hosts, lambda parts: report.write(world, parts))
        self._changed: set[str] = set()

    async def run(self) -> dict[str, Any]:
        """Results by host: what the flow returned, or the FleetError that ended it."""
        async with asyncio.TaskGroup() as group:
            tasks = {host: group.create_task(self._guard(host)) for host in self.hosts}
        return {host: task.result() for host, task in tasks.items()}

    async def _guard(self, host: str) -> Any:
        """A flow's end, whatever it is: one bad host never silences the others."""
        try:
            async with asyncio.timeout(self.timeout):
                result = await self._drive(host)
        except FleetError as error:
            return self._failed(host, error.at(host) if host else error)
        except TimeoutError as error:
            if self.timeout is None:
                return self._failed(host, bug(error, host or None, self.world.folders.state))
            return self._failed(
                host,
                DeadlineError(f"not done after {self.timeout:g} s", host=host, next="a larger --timeout"),
            )
        except Exception as error:  # noqa: BLE001 the one guard: a mistake of ours stays with its host
            return self._failed(host, bug(error, host or None, self.world.folders.state))
        finally:
            self.claims.leave(host)
            self.routes.leave(host)
            self.agreement.leave(host)
            self.bundles.leave(host)
            self.carrier.builders.abandon(host)
            self.crowds.leave(host)
        if host:
            self.world.say(HostDone(**self.world.stamp(host), changed=host in self._changed))
        return result

    def _failed(self, host: str, error: FleetError) -> FleetError:
        self.world.say(
            HostFailed(
                **self.world.stamp(host or error.host),
                kind=error.kind,
                message=error.message,
                next=error.next,
            )
        )
        return error

    async def _drive(self, host: str) -> Any:
        flow = self.verb.flow(self.request, self.world.inventory, host)
        answer: Any = None
        problem: FleetError | None = None
        try:
            while True:
                try:
                    need = flow.throw(problem) if problem else flow.send(answer)
                except StopIteration as stop:
                    return stop.value
                answer, problem = None, None
                try:
                    answer = await self._answer(host, need)
                except FleetError as error:
                    problem = error.at(host) if host else error
        finally:
            flow.close()

    async def _answer(self, host: str, need: Need) -> Any:
        world = self.world
        match need:
            case Probe(name):
                return await world.probe(name)
            case FindTree():
                return await self.artifacts.tree()
            case FindModel(name):
                return await self.artifacts.model(name)
            case RenewModel(name):
                return await self.artifacts.renew(name)
            case FindRoutes():
                self.claims.leave(host)
                return await self.crowds.routes(host, need, self.routes)
            case Claim():
                return await self.claims.ask(host, need)
            case Confirm(plan):
                self.claims.leave(host)
                self.routes.leave(host)
                self.crowds.expect(host, plan)
                return await self.agreement.ask(host, plan)
            case Carry(plan):
                self._changed.add(host)
                return await self.carrier.carry(plan)
            case Look(name, facts, seconds):
                return await look(world, name, facts, seconds)
            case LastMeasured(name):
                return world.journal.measured(name), world.journal.last_seen(name), world.clock.now()
            case ReadProgram(name, fingerprint):
                return await said(world, name, fingerprint)
            case ReadWeights(model):
                return await headers.weights(world, self.artifacts, model)
            case ListFiles(model):
                return await offers.files(world, self.artifacts, model)
            case AskOracle():
                return await headers.oracle(world, need)
            case Say(event):
                return world.say(event)
            case Print(text, end):
                return world.door.print(text, end)
            case Now():
                return world.clock.now(), world.run
            case ReadLine(prompt):
                return await world.door.read_line(prompt)
            case Tail():
                return await talk.tail(world, need)
            case Complete():
                return await talk.complete(world, need)
            case Forward():
                return await talk.forward(world, need)
            case ReadRecords():
                return await report.read(world, need)
            case ReadOrigin() | ReadText() | AskState() | HeldModel():
                return await origins.answer(world, self.artifacts, need)
            case Bundle():
                return await self.bundles.ask(host, need)
            case ReadStock() | Pull() | CheckCached() | Survey() | ReadHeld():
                return await self.stock.answer(need)
            case _:
                return await onboard.answer(need, world)
