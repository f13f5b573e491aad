"""A file behind http, over several connections, and resumed where it stopped."""

import asyncio
import os
import shutil
from pathlib import Path

import httpx

from fleet.core.errors import FleetError
from fleet.io.fetch import answers
from fleet.io.fetch.answers import ANY, Want
from fleet.io.fetch.arrivals import Say
from fleet.io.fetch.part_file import FULL, PartFile, no_room
from fleet.io.fetch.part_file import forget as forget
from fleet.io.fetch.transfer import Sleep, Transfer

IDLE = 60.0  # seconds without an answer, or with next to nothing in it, before we give up


async def download(
    url: str, part: Path, say: Say, *, idle: float = IDLE, want: Want = ANY, sleep: Sleep = asyncio.sleep
) -> str | None:
    """The whole file under `part`; what an earlier call left there is not fetched again.

    Its bytes are the server's; whoever called compares their hash before they are used.

    Args:
        say: told how far it is, how fast, and what the server asks for.
        sleep: waits as long as a server asks for.

    Returns:
        What the server calls this version of the file, if it says.

    Raises:
        PlanError: the server refuses, has another length, or the disk has no room; says which.
        DeadlineError: nothing or next to nothing came for `idle` seconds.
        FleetError: no connection, or it broke too often. What came is kept.
    """
    try:
        async with answers.client(idle) as client:
            held = PartFile(part, want.name or url)
            await Transfer(client, url, held, say, idle=idle, want=want, sleep=sleep).run()
            return held.validator
    except OSError as error:
        raise _disk(part, error) from error
    except (httpx.TooManyRedirects, httpx.InvalidURL) as error:
        raise _circles(url) from error


async def length(url: str, *, idle: float = IDLE) -> int | None:
    """Bytes of the file, if the server tells without sending it.

    Raises:
        PlanError: the server refuses.
        FleetError: no connection.
    """
    found = await _head(url, idle)
    return answers.count(found.headers.get("content-length")) if found else None


async def version(url: str, *, idle: float = IDLE) -> str | None:
    """What the server calls today's version of the file, if it tells without sending it. Raises as length."""
    found = await _head(url, idle)
    return answers.validator(found) if found else None


async def _head(url: str, idle: float) -> httpx.Response | None:
    async with answers.client(idle) as client:
        try:
            response = await client.head(url)
        except httpx.TransportError as error:
            raise answers.broken(url, error) from error
        except (httpx.TooManyRedirects, httpx.InvalidURL) as error:
            raise _circles(url) from error
    if response.status_code in (405, 501):
        return None
    answers.check(url, response)
    return response


def _circles(url: str) -> FleetError:
    return FleetError(f"{answers.host(url)} sends us in circles", next=f"curl -IL {answers.shown(url)}")


def _disk(part: Path, error: OSError) -> FleetError:
    if error.errno in FULL:
        return no_room(part, "and others wrote there meanwhile", shutil.disk_usage(part.parent).free)
    reason = os.strerror(error.errno) if error.errno else str(error)
    return FleetError(f"{error.filename or part}: {reason}", next=f"df -h {part.parent}")
