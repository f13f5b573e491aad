"""Hosts beside those of a run that had a model when fleet last looked: looked at so they may give it."""

import asyncio
import contextlib
from collections.abc import Collection

from fleet.core.errors import FleetError
from fleet.io.world import World
from fleet.models.routes import may_share

ASKED = 2  # hosts for one model
LOOKING = 8.0  # seconds until one is done without


async def look(world: World, models: Collection[str], wanting: Collection[str]) -> None:
    """Facts of hosts that have a model which nobody has whom we know of; they are only looked at.

    Args:
        models: their sha256.
        wanting: hosts of the run.
    """
    there = {one.sha256 for facts in world.facts.values() for one in facts.models}
    found: dict[str, None] = {}
    for sha256 in models:
        others = [
            host
            for host in world.journal.holders(sha256)
            if host not in world.facts and host not in wanting and may_share(world.inventory, host)
        ]
        if sha256 not in there:
            found |= dict.fromkeys(others[:ASKED])
    await asyncio.gather(*(_probe(world, host) for host in found))


async def _probe(world: World, host: str) -> None:
    with contextlib.suppress(FleetError, TimeoutError):
        async with asyncio.timeout(LOOKING):
            await world.probe(host)
