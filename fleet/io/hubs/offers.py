"""Asks the hub of a model what other quantisations it has; a hub that does not answer is less choice."""

from typing import TYPE_CHECKING

from fleet.core.errors import FleetError
from fleet.io.hubs.hub import BRIEF, Hub
from fleet.models.offered import Offered, offered
from fleet.models.suggest import OFFERED
from fleet.sources import base as sources
from fleet.sources.base import Repository

if TYPE_CHECKING:
    from fleet.io.artifacts import Artifacts
    from fleet.io.world import World


async def files(world: "World", artifacts: "Artifacts", model: str) -> Offered:
    """What the repository of a model lists, asked once in a run."""
    async with world.fetching(f"files of {model}"):
        if model not in artifacts.offers:
            wish = world.inventory.models.get(model)
            artifacts.offers[model] = await _ask(wish.source if wish else model, artifacts)
        return artifacts.offers[model]


async def _ask(source: str, artifacts: "Artifacts") -> Offered:
    if not source.startswith("hf:"):
        return Offered()
    try:
        place = sources.parse(source)
        if not isinstance(place, Repository):
            return Offered()
        listing = await Hub(artifacts.access).listing(place, deadline=BRIEF)
    except FleetError as error:
        return Offered(problem=error.what)
    return Offered(offered(place, listing, OFFERED))
