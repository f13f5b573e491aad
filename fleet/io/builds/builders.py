"""Who builds what in a run, so that equal hosts share one build."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from fleet.core.errors import FleetError


class BuilderLost(Exception):
    """The twin that should have built gave up; says why."""


@dataclass(slots=True)
class Maker:
    host: str
    done: "asyncio.Future[None]"  # the build is in the controller's cache
    fetch: Callable[[], Awaitable[None]] | None = None  # of a host that had the build before this run
    fetching: "asyncio.Task[None] | None" = None


class Builders:
    """Fingerprint -> the host that builds it, or has it, and whether it can be had from the cache."""

    def __init__(self) -> None:
        self._known: dict[str, Maker] = {}

    def of(self, fingerprint: str) -> str | None:
        """The host that makes this build in this run, unless it failed."""
        maker = self._known.get(fingerprint)
        return None if maker is None or (maker.done.done() and maker.done.exception()) else maker.host

    def failed(self, fingerprint: str) -> bool:
        """Whether somebody was to make or lend it in this run, and could not."""
        maker = self._known.get(fingerprint)
        return maker is not None and maker.done.done() and maker.done.exception() is not None

    def appoint(self, fingerprint: str, host: str) -> None:
        """The host makes it."""
        self._known[fingerprint] = Maker(host, asyncio.get_running_loop().create_future())

    def lend(self, fingerprint: str, host: str, fetch: Callable[[], Awaitable[None]]) -> None:
        """The host has it already, though the cache does not; fetched when the first twin waits for it."""
        self._known[fingerprint] = Maker(host, asyncio.get_running_loop().create_future(), fetch)

    def abandon(self, host: str) -> None:
        """The host's flow ended: whoever waits for a build of it must look elsewhere."""
        for maker in self._known.values():
            if maker.host == host and maker.fetch is None:
                _lose(maker, f"{host} did not finish the build")

    async def built(self, fingerprint: str) -> None:
        """Until the build is in the controller's cache.

        Raises:
            BuilderLost: the builder gave up.
        """
        maker = self._known.get(fingerprint)
        if maker is not None:
            if maker.fetch is not None and maker.fetching is None:
                maker.fetching = asyncio.create_task(_borrow(maker, maker.fetch))
            await asyncio.shield(maker.done)

    def finish(self, fingerprint: str) -> None:
        """The build is in the controller's cache."""
        maker = self._known.get(fingerprint)
        if maker is not None and not maker.done.done():
            maker.done.set_result(None)


async def _borrow(maker: Maker, fetch: Callable[[], Awaitable[None]]) -> None:
    try:
        await fetch()
    except FleetError as error:
        _lose(maker, f"the build could not be fetched from {maker.host}: {error.what}")
    else:
        maker.done.set_result(None)


def _lose(maker: Maker, why: str) -> None:
    if not maker.done.done():
        maker.done.set_exception(BuilderLost(why))
        maker.done.exception()  # looked at, so that nobody is told about it twice
