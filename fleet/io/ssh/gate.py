"""How many connections may be in the making at once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

TOTAL = 50  # the handshakes are work for one processor
PER_ADDRESS = 8  # sshd's MaxStartups drops some beyond 10 that have not logged in
SILENT = 0.5  # seconds after which a host that was not met costs nothing but waiting


class Pass:
    """One of the places of a gate."""

    def __init__(self, places: asyncio.Semaphore) -> None:
        self._places = places
        self._is_held = True
        self._is_met = False

    def met(self) -> None:
        """The host accepted the connection: now there is work."""
        self._is_met = True

    def lend(self) -> None:
        """Leave the place to others, unless there is work."""
        if not self._is_met:
            self.leave()

    def leave(self) -> None:
        if self._is_held:
            self._is_held = False
            self._places.release()


class Gate:
    """One for all connections of a run. Dead hosts do not keep the living waiting."""

    def __init__(self, total: int = TOTAL, silent: float = SILENT) -> None:
        self._total = asyncio.Semaphore(total)
        self._silent = silent
        self._addresses: dict[str, asyncio.Semaphore] = {}

    @asynccontextmanager
    async def passing(self, address: str) -> AsyncIterator[Pass]:
        """Args: address: what is really connected to, a jump host where there is one."""
        own = self._addresses.setdefault(address, asyncio.Semaphore(PER_ADDRESS))
        async with own:
            await self._total.acquire()
            place = Pass(self._total)
            timer = asyncio.get_running_loop().call_later(self._silent, place.lend)
            try:
                yield place
            finally:
                timer.cancel()
                place.leave()
