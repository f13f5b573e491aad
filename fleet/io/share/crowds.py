"""Which hosts of a run bring a model to each other, and what each may do for that."""

from collections.abc import Iterator, Mapping

from fleet.core.events import Notice
from fleet.core.plan import Plan, Put, size_text
from fleet.core.routes import FindRoutes, Route
from fleet.io.gather import Gather
from fleet.io.ports import Transport
from fleet.io.pull.pulls import Pulls
from fleet.io.push.file import Share, Sharing
from fleet.io.share import elsewhere
from fleet.io.share.crowd import Crowd, Lender, Wish
from fleet.io.world import World
from fleet.models import routes

LENDERS = 8  # hosts that had a model before and are asked for it


class Crowds:
    """One for a run: a crowd for each model that several hosts want, or that one has and others want."""

    def __init__(self, world: World, pulls: Pulls) -> None:
        self.world = world
        self.pulls = pulls
        self._wanted: dict[str, set[str]] = {}  # sha256 -> hosts with a plan to get it
        self._routed: set[str] = set()
        self._crowds: dict[str, Crowd] = {}

    def expect(self, host: str, plan: Plan) -> None:
        """The host is about to want what its plan brings; in later rounds it is answered by itself."""
        self._routed.add(host)
        for step in plan.steps:
            if isinstance(step.action, Put) and step.action.artifact.kind == "model":
                self._wanted.setdefault(step.action.artifact.id, set())
                if self.pulls.of(host, step.action.artifact.id) is None:
                    self.join(host, step.action.artifact.id)

    def join(self, host: str, sha256: str) -> None:
        """The host does not fetch the model by itself, or not any more."""
        self._wanted.setdefault(sha256, set()).add(host)

    def leave(self, host: str) -> None:
        """The host's flow ended."""
        for hosts in self._wanted.values():
            hosts.discard(host)

    async def routes(
        self, host: str, need: FindRoutes, gathered: Gather[FindRoutes, Mapping[str, Route]]
    ) -> Mapping[str, Route]:
        """Where the models come from; the first time, all hosts are answered together."""
        if host in self._routed:
            return (await self.settle({host: need}))[host]
        self._routed.add(host)
        return await gathered.ask(host, need)

    async def settle(self, asked: Mapping[str, FindRoutes]) -> Mapping[str, Mapping[str, Route]]:
        await self.pulls.find(asked)
        getting = {sha256: set(hosts) for sha256, hosts in self._wanted.items()}
        for host, need in asked.items():
            for sha256 in need.models:
                together = getting.setdefault(sha256, set())
                if self.pulls.of(host, sha256) is None:
                    together.add(host)
        await elsewhere.look(self.world, [one for one in getting if getting[one]], asked)
        sharing = {host for host in self.world.facts if self._can(host)}
        return {
            host: {sha256: self._route(host, sha256, getting[sha256], sharing) for sha256 in need.models}
            for host, need in asked.items()
        }

    def _route(self, host: str, sha256: str, getting: set[str], sharing: set[str]) -> Route:
        having = {
            other
            for other, facts in self.world.facts.items()
            if other not in getting and any(one.sha256 == sha256 for one in facts.models)
        }
        pulled = self.pulls.route(host, sha256)
        if pulled is not None:
            return pulled
        kind, text = routes.choose(host, having, getting, sharing)
        return Route(kind, text, self.world.journal.rate(host, kind), self.pulls.note(host, sha256))

    def share(self, host: str, put: Put, transport: Transport) -> Share | None:
        """How the host gets the model together with others; None: the controller alone brings it."""
        sha256 = put.artifact.id
        others = any(self._can(other) for other in self._wanted.get(sha256, ()) if other != host)
        if put.artifact.kind != "model" or not self._can(host):
            return None
        if not others and sha256 not in self._crowds and not any(self._lenders(put, host)):
            return None

        async def share(told: Sharing) -> None:
            if sha256 not in self._crowds:
                self._crowds[sha256] = self._crowd(host, put, told)
            others = 0

            def came(count: int) -> None:
                nonlocal others
                others += count
                told.came(count)

            wish = Wish(self._lender(host, put), transport, told, came)
            await self._crowds[sha256].share(wish)
            if others:
                self._tell(host, f"{size_text(others)} of {put.artifact.name} came from other hosts")

        return share

    def _crowd(self, host: str, put: Put, told: Sharing) -> Crowd:
        return Crowd(
            told.part.wanted,
            self.world.inventory.private_networks,
            clock=self.world.clock,
            random=self.world.random,
            tell=self._tell,
            lenders=list(self._lenders(put, host))[:LENDERS],
        )

    def _lenders(self, put: Put, wanting: str) -> Iterator[Lender]:
        wanted = self._wanted.get(put.artifact.id, ())
        for host, facts in self.world.facts.items():
            has = any(one.sha256 == put.artifact.id for one in facts.models)
            if has and host != wanting and host not in wanted and self._can(host):
                yield self._lender(host, put)

    def _lender(self, host: str, put: Put) -> Lender:
        python = self.world.facts[host].tools["python3"].path
        return Lender(host, lambda: self.world.transport(host), python, f"{self.world.root(host)}/{put.to}")

    def _can(self, host: str) -> bool:
        facts = self.world.facts.get(host)
        return facts is not None and routes.can_share(self.world.inventory, host, facts)

    def _tell(self, host: str, text: str) -> None:
        self.world.say(Notice(**self.world.stamp(host), message=text))
