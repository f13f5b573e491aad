"""Who builds what in a run, so that equal hosts share one build."""

import asyncio


class BuilderLost(Exception):
    """The twin that should have built gave up; says why."""


class Builders:
    """Fingerprint -> the host that builds it, and whether it is done."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[str, asyncio.Future[None]]] = {}

    def of(self, fingerprint: str) -> str | None:
        """The host that makes this build in this run, unless it failed."""
        host, done = self._known.get(fingerprint, (None, None))
        return None if done is None or (done.done() and done.exception()) else host

    def appoint(self, fingerprint: str, host: str) -> None:
        self._known[fingerprint] = (host, asyncio.get_running_loop().create_future())

    def abandon(self, host: str) -> None:
        """The host's flow ended: whoever waits for a build of it must look elsewhere."""
        for builder, done in self._known.values():
            if builder == host and not done.done():
                done.set_exception(BuilderLost(f"{host} did not finish the build"))
                done.exception()  # looked at, so that nobody is told about it twice

    async def built(self, fingerprint: str) -> None:
        """Until the build is in the controller's cache.

        Raises:
            BuilderLost: the builder gave up.
        """
        known = self._known.get(fingerprint)
        if known is not None:
            await asyncio.shield(known[1])

    def finish(self, fingerprint: str) -> None:
        """The build is in the controller's cache."""
        known = self._known.get(fingerprint)
        if known is not None and not known[1].done():
            known[1].set_result(None)
