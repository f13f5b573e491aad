"""Which host builds what the hosts of a run need, and who gets it from elsewhere."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping

from fleet.core.flow import Claim, Claimed
from fleet.core.plan import Artifact
from fleet.io.builds.builders import Builders
from fleet.io.gather import Gather
from fleet.io.world import World


class Claims:
    """Settled once for all hosts, so that equal ones share one build.

    Args:
        hosts: those who may ask.
        fetch: brings a build from the host that has it to the controller's cache.
    """

    def __init__(
        self,
        world: World,
        builders: Builders,
        hosts: Iterable[str],
        fetch: Callable[[str, str], Awaitable[None]],
    ) -> None:
        self._world, self._builders, self._fetch = world, builders, fetch
        self._first: Gather[Claim, Claimed] = Gather(hosts, self._settle)
        self._asked: set[str] = set()

    async def ask(self, host: str, claim: Claim) -> Claimed:
        """Where the build comes from. Who asks once more, after a build failed, waits for nobody."""
        if host in self._asked:
            return await self._settle_one(claim)
        self._asked.add(host)
        return await self._first.ask(host, claim)

    def leave(self, host: str) -> None:
        """The host will not ask."""
        self._first.leave(host)

    async def _settle(self, claims: Mapping[str, Claim]) -> Mapping[str, Claimed]:
        heaviest_first = sorted(claims.values(), key=lambda claim: (-claim.weight, claim.host))
        return {claim.host: await self._settle_one(claim) for claim in heaviest_first}

    async def _settle_one(self, claim: Claim) -> Claimed:
        wanted = Artifact("build", claim.fingerprint, claim.fingerprint, None)
        cached = None if claim.rebuild else await asyncio.to_thread(self._world.cache.path, wanted)
        if cached is not None:
            return Claimed("cache", size=cached.stat().st_size)
        builder = self._builders.of(claim.fingerprint)
        if builder is not None and builder != claim.host:
            return Claimed("twin", builder=builder)
        holder = None if claim.rebuild else self._holder(claim)
        if holder is not None:
            self._builders.lend(claim.fingerprint, holder, lambda: self._fetch(holder, claim.fingerprint))
            return Claimed("twin", builder=holder)
        self._builders.appoint(claim.fingerprint, claim.host)
        return Claimed("us")

    def _holder(self, claim: Claim) -> str | None:
        """A host of this run that has the build: an earlier run was cut off before it was fetched."""
        if self._builders.failed(claim.fingerprint):
            return None
        return next(
            (
                host
                for host, facts in self._world.facts.items()
                if host != claim.host and any(one.fingerprint == claim.fingerprint for one in facts.builds)
            ),
            None,
        )
