"""The real clock and the real dice."""

import asyncio
import random
import secrets
import time


class SystemClock:
    """Time as this machine tells it."""

    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class SystemRandom:
    """Jitter, and tokens that nobody can guess."""

    def uniform(self, low: float, high: float) -> float:
        return random.uniform(low, high)

    def token(self, count: int) -> str:
        return secrets.token_hex(count)
