"""How many connections may be in the making at once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

TOTAL = 50  # the handshakes are work for one processor
PER_ADDRESS = 8  # sshd's MaxStartups drops some beyond 10 that have not logged in


class Gate:
    """One for all connections of a run."""

    def __init__(self) -> None:
        self._total = asyncio.Semaphore(TOTAL)
        self._addresses: dict[str, asyncio.Semaphore] = {}

    @asynccontextmanager
    async def passing(self, address: str) -> AsyncIterator[None]:
        """Args: address: what is really connected to, a jump host where there is one."""
        own = self._addresses.setdefault(address, asyncio.Semaphore(PER_ADDRESS))
        async with own, self._total:
            yield
