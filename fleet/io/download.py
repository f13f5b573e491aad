"""A file behind http, resumed where it stopped."""

import contextlib
import json
import os
import re
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import httpx

from fleet.core.errors import DeadlineError, FleetError, PlanError
from fleet.core.plan import size_text
from fleet.core.secret import Secret
from fleet.core.text import safe_line

ATTEMPTS = 5  # connections that may break within one download
IDLE = 60.0  # seconds without an answer, or with less than SLOWEST, before we give up
SLOWEST = 1000  # bytes/s
SPARE = 64 << 20  # bytes that stay free on this machine
TELL = 5.0  # seconds between two reports
HEADERS = {"Accept-Encoding": "identity", "User-Agent": "fleet"}
Check = Callable[[str, httpx.Response], None]  # raises for an answer that is not the file


@dataclass(frozen=True, slots=True)
class Want:
    """What is known about a file before it is asked for.

    Attributes:
        key: a token for the host of the address; a redirect elsewhere does not carry it.
        check: raises for an answer that is not the file; None: `check` of this module.
        size: bytes it must have; another length is refused before any of them is taken.
    """

    key: Secret | None = None
    check: Check | None = None
    size: int | None = None


ANY = Want()


async def download(
    url: str, part: Path, say: Callable[[str], None], *, idle: float = IDLE, want: Want = ANY
) -> None:
    """The whole file under `part`; what an earlier call left there is not fetched again.

    Raises:
        PlanError: the server refuses, has another length, or the disk has no room; says which.
        DeadlineError: nothing or next to nothing came for `idle` seconds.
        FleetError: no connection, or it broke too often. What came is kept.
    """
    async with client(idle, want.key) as opened:
        for attempt in range(ATTEMPTS):
            try:
                await _attempt(opened, url, part, say, idle, want)
                return
            except httpx.TransportError as error:
                if isinstance(error, httpx.TimeoutException):
                    raise DeadlineError(
                        f"no answer from {_host(url)} for {idle:g} s",
                        next="the same command again; it goes on",
                    ) from error
                if (
                    isinstance(error, httpx.ConnectError | httpx.UnsupportedProtocol)
                    or attempt == ATTEMPTS - 1
                ):
                    raise broken(url, error) from error
            except OSError as error:
                raise _disk(part, error) from error


async def length(url: str, *, idle: float = IDLE) -> int | None:
    """Bytes of the file, if the server tells without sending it.

    Raises:
        PlanError: the server refuses.
        FleetError: no connection.
    """
    async with client(idle) as opened:
        try:
            response = await opened.head(url)
        except httpx.TransportError as error:
            raise broken(url, error) from error
    if response.status_code in (405, 501):
        return None
    check(url, response)
    return count(response.headers.get("content-length"))


def client(idle: float, key: Secret | None = None) -> httpx.AsyncClient:
    """Follows redirects; httpx takes the key away where one leads to another host."""
    headers = HEADERS | ({"Authorization": f"Bearer {key.reveal()}"} if key is not None else {})
    return httpx.AsyncClient(
        follow_redirects=True, headers=headers, timeout=httpx.Timeout(idle, connect=min(idle, 15.0))
    )


async def _attempt(
    client: httpx.AsyncClient, url: str, part: Path, say: Callable[[str], None], idle: float, want: Want
) -> None:
    held, validator = _held(part, url)
    headers = {"Range": f"bytes={held}-"} | ({"If-Range": validator} if validator else {}) if held else {}
    async with client.stream("GET", url, headers=headers) as response:
        if response.status_code == 416 and range_total(response) == held:
            return
        if response.status_code == 416:
            forget(part)
            raise httpx.RemoteProtocolError("the server has another file now")
        (want.check or check)(url, response)
        start = range_start(response) if response.status_code == 206 else 0
        if start not in (0, held):
            forget(part)
            raise httpx.RemoteProtocolError("the server sent another range")
        rest = count(response.headers.get("content-length"))
        total = None if rest is None else start + rest
        if want.size is not None and total is not None and total != want.size:
            forget(part)
            raise PlanError(
                f"{_host(url)} has {total} bytes of it, it should have {want.size}",
                kind="wrong-size",
                next=f"curl -I {shown(url)}",
            )
        _make_room(part, rest)
        _remember(part, url, response)
        with _opened(part, start) as file:
            await _receive(response, file, start, total, say, idle)
    if total is not None and part.stat().st_size != total:
        raise httpx.RemoteProtocolError("the connection ended early")


async def _receive(
    response: httpx.Response,
    file: BinaryIO,
    done: int,
    total: int | None,
    say: Callable[[str], None],
    idle: float,
) -> None:
    told = window = time.monotonic()
    came = 0
    # Asked for blocks of a size, httpx would lose the last one of a connection that breaks.
    async for data in response.aiter_raw():
        file.write(data)
        done += len(data)
        came += len(data)
        now = time.monotonic()
        if now - window > idle:
            if came < SLOWEST * idle:
                raise DeadlineError(
                    f"{response.url.host} sends less than {SLOWEST} bytes a second",
                    next="the same command again; it goes on where it stopped",
                )
            window, came = now, 0
            _make_room(Path(file.name), None)
        if now - told > TELL:
            told = now
            say(f"{size_text(done)} of {size_text(total)}" if total else size_text(done))


def check(url: str, response: httpx.Response) -> None:
    """Raises for every answer that is not the file."""
    status = response.status_code
    if status in (200, 206):
        return
    reason = safe_line(response.reason_phrase, 80)
    following = {
        401: 'download it by hand and write source = "file:PATH"; fleet sends no passwords',
        403: 'download it by hand and write source = "file:PATH"; fleet sends no passwords',
        404: "correct the address in the inventory",
        410: "correct the address in the inventory",
        429: "wait, then the same command again",
    }.get(status, f"curl -I {shown(url)}")
    kind = PlanError if 400 <= status < 500 and status != 429 else FleetError
    raise kind(f"{_host(url)} answered {status} {reason}".rstrip(), next=following)


def _held(part: Path, url: str) -> tuple[int, str | None]:
    """Bytes of an earlier call that can be gone on with, and what the server called that file."""
    with contextlib.suppress(OSError, ValueError):
        note = json.loads(_note(part).read_text())
        if note.get("url") == url:
            validator = note.get("validator")
            return part.stat().st_size, validator if isinstance(validator, str) else None
    return 0, None


def _remember(part: Path, url: str, response: httpx.Response) -> None:
    tag = response.headers.get("etag", "")
    validator = tag if tag and not tag.startswith("W/") else response.headers.get("last-modified")
    part.parent.mkdir(parents=True, exist_ok=True)
    _note(part).write_text(json.dumps({"url": url, "validator": validator}))


def forget(part: Path) -> None:
    """So that the next call begins anew."""
    part.unlink(missing_ok=True)
    _note(part).unlink(missing_ok=True)


def _note(part: Path) -> Path:
    return part.with_name(part.name + ".json")


def _opened(part: Path, start: int) -> BinaryIO:
    os.close(os.open(part, os.O_CREAT | os.O_RDWR, 0o600))
    os.truncate(part, start)
    return open(part, "ab")


def _make_room(part: Path, need: int | None) -> None:
    part.parent.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(part.parent).free
    if free < (need or 0) + SPARE:
        raise PlanError(
            f"this machine has {size_text(free)} free in {part.parent}, "
            f"{size_text((need or 0) + SPARE)} are needed",
            next="free space there, or export XDG_CACHE_HOME=/a/larger/disk",
        )


def _disk(part: Path, error: OSError) -> FleetError:
    reason = os.strerror(error.errno) if error.errno else str(error)
    return FleetError(f"{error.filename or part}: {reason}", next=f"df -h {part.parent}")


def broken(url: str, error: httpx.TransportError) -> FleetError:
    reason = safe_line(str(error), 200) or type(error).__name__
    what = f"no connection to {_host(url)}: {reason}"
    return FleetError(what, kind="download", next=f"curl -I {shown(url)}")


def shown(url: str) -> str:
    """The address without its query: that of a signed link is a secret."""
    return str(httpx.URL(url).copy_with(query=None))


def _host(url: str) -> str:
    return httpx.URL(url).host


def count(text: str | None) -> int | None:
    return int(text) if text is not None and re.fullmatch(r"\d{1,18}", text) else None


def range_start(response: httpx.Response) -> int | None:
    found = re.match(r"bytes (\d{1,18})-", response.headers.get("content-range", ""))
    return int(found[1]) if found else None


def range_total(response: httpx.Response) -> int | None:
    found = re.search(r"/(\d{1,18})$", response.headers.get("content-range", ""))
    return int(found[1]) if found else None
