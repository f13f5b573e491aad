"""Where anybody gets the file of a model: an address that needs no token."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from fleet.core.errors import FleetError
from fleet.io.fetch import download
from fleet.io.hubs import registry
from fleet.io.hubs.access import Access
from fleet.io.hubs.hub import Hub
from fleet.io.models import lock_file
from fleet.models import splits
from fleet.models.pulling import refusal, site
from fleet.sources import base as sources
from fleet.sources.base import Address, Image, Repository

if TYPE_CHECKING:
    from fleet.core.inventory import Model

ANSWER = 10.0  # seconds that a hub has to show a file to somebody without a token


@dataclass(frozen=True, slots=True)
class Published:
    """None: it has no such address. Then `why` may be worth telling."""

    url: str | None
    why: str | None = None


async def published(model: "Model", sha256: str, number: int, base: Path, access: Access) -> Published:
    """The address of one file of a model, fit to be told to a host.

    Args:
        sha256: of the file.
        number: of the file, where the model has several; from 0.
        base: the folder of the inventory.
    """
    match sources.parse(model.source):
        case Address() as place:
            url = str(splits.places(place)[number]).removeprefix("url:")
        case Repository() as place:
            pinned = lock_file.read(lock_file.path_of(base)).get(str(place))
            files = pinned.files if pinned is not None else ()
            if number >= len(files) or files[number].sha256 != sha256:
                return Published(None)
            hub = Hub(access)
            url = hub.url(place, files[number].commit, files[number].file)
            if hub.key is not None and not await _is_open(url):
                return Published(None, f"{site(url)} shows it only to who has a token, which no host is told")
        case Image() as place:
            url = registry.url(place, sha256, access)
        case _:  # a file of this machine; and what pip fetches are archives
            return Published(None)
    why = refusal(url)
    return Published(url) if why is None else Published(None, why)


async def _is_open(url: str) -> bool:
    """Whether it is shown to somebody who sends no token."""
    try:
        await download.length(url, idle=ANSWER)
    except FleetError:
        return False
    return True
