"""Waiting until bytes may go: one limit for a run, shared out equally, and one for each host."""

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from fleet.core.errors import UsageError
from fleet.core.rates import Shares, allowed, quiet, rate
from fleet.io.ports import Clock
from fleet.io.push.streams import READ, SLOWEST

if TYPE_CHECKING:
    from fleet.core.inventory import Host

LOOK = 1.0  # seconds after which the hour is looked at again
SMALLEST = 16 << 10  # bytes of a piece


class Throttle:
    """A line that lets through so many bytes/s.

    Args:
        rate: bytes/s of this moment; None is no limit.
    """

    def __init__(self, clock: Clock, rate: Callable[[], int | None]) -> None:
        self._clock, self._rate = clock, rate
        self._shares = Shares()
        self._turns: dict[int, asyncio.Future[None]] = {}
        self._pump: asyncio.Task[None] | None = None

    async def take(self, owner: str, size: int) -> None:
        """Returns when it is this owner's turn to send so many bytes."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._turns[self._shares.ask(owner, size)] = turn
        if self._pump is None or self._pump.done():
            self._pump = asyncio.create_task(self._run(), name="throttle")
        await turn

    async def _run(self) -> None:
        while self._shares:
            rate = self._rate()
            wait = self._shares.wait(self._clock.monotonic()) if rate is not None else 0.0
            if wait > 0:
                await self._clock.sleep(min(wait, LOOK))
                continue
            turn = self._turns.pop(self._shares.pop(self._clock.monotonic(), rate))
            if not turn.done():
                turn.set_result(None)


class Paces:
    """The limits of one run.

    Args:
        limit: bytes/s of all hosts together.
        hosts: how many hosts the run has.
    """

    def __init__(self, clock: Clock, limit: int | None, hosts: int) -> None:
        self._clock, self._limit, self._hosts = clock, limit, hosts
        self._whole = Throttle(clock, lambda: limit) if limit else None

    def of(self, name: str, host: "Host") -> dict[str, Any]:
        """What `push` is told: pace, step, slowest; nothing where nothing is limited."""
        hours = quiet(host.quiet_hours) if host.quiet_hours else None
        limits = [one for one in (self._limit, host.limit_rate, hours.rate if hours else None) if one]
        if not limits:
            return {}
        own = Throttle(self._clock, lambda: allowed(host.limit_rate, hours, minute(self._clock.now())))

        async def pace(size: int) -> None:
            await own.take(name, size)
            if self._whole is not None:
                await self._whole.take(name, size)

        return {
            "pace": pace,
            "step": max(SMALLEST, min(READ, min(limits) // 8)),
            "slowest": min(SLOWEST, min(limits) / (2 * self._hosts)),
        }

    def pulling(self, host: "Host") -> int | None:
        """Bytes/s of a host that fetches by itself: its own limit, and its equal share of the run's."""
        limits = (host.limit_rate, self._limit // self._hosts if self._limit else None)
        return min((one for one in limits if one is not None), default=None)


def limit(text: str | None) -> int | None:
    """Bytes/s of `--limit-rate`.

    Raises:
        UsageError: it is no rate.
    """
    try:
        return rate(text) if text else None
    except ValueError as error:
        raise UsageError(f"--limit-rate {text}: {error}", next="--limit-rate 50M") from error


def minute(now: float) -> int:
    """Of the day, as the clock on the wall of this machine shows it."""
    local = time.localtime(now)
    return local.tm_hour * 60 + local.tm_min
