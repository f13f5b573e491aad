"""What is asked of servers of files, and what their answers mean."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

import httpx

from fleet.core.errors import FleetError, PlanError
from fleet.core.secret import Secret
from fleet.core.text import safe_line

HEADERS = {"Accept-Encoding": "identity", "User-Agent": "fleet"}
Check = Callable[[str, httpx.Response], None]  # raises for an answer that is not the file


@dataclass(frozen=True, slots=True)
class Want:
    """What is known about a file before it is asked for.

    Attributes:
        key: a token for the host of the address; a redirect elsewhere does not carry it.
        check: raises for an answer that is not the file; None: `check` of this module.
        size: bytes it must have; another length is refused before any of them is taken.
        connections: how many at once; None: by its size.
        name: what is fetched, where the address is not the same tomorrow; None: the address.
        link: signs an address that works for a while; None: the address itself is asked.
    """

    key: Secret | None = None
    check: Check | None = None
    size: int | None = None
    connections: int | None = None
    name: str | None = None
    link: Callable[[], Awaitable[str]] | None = None


ANY = Want()


def client(idle: float, key: Secret | None = None) -> httpx.AsyncClient:
    """Follows redirects; httpx takes the key away where one leads to another host."""
    headers = HEADERS | ({"Authorization": f"Bearer {key.reveal()}"} if key is not None else {})
    return httpx.AsyncClient(
        follow_redirects=True, headers=headers, timeout=httpx.Timeout(idle, connect=min(idle, 15.0))
    )


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
    raise kind(f"{host(url)} answered {status} {reason}".rstrip(), next=following)


def broken(url: str, error: httpx.TransportError) -> FleetError:
    reason = safe_line(str(error), 200) or type(error).__name__
    what = f"no connection to {host(url)}: {reason}"
    return FleetError(what, kind="download", next=f"curl -I {shown(url)}")


def shown(url: str) -> str:
    """The address without its query: that of a signed link is a secret."""
    return str(httpx.URL(url).copy_with(query=None))


def host(url: str) -> str:
    return httpx.URL(url).host


def count(text: str | None) -> int | None:
    return int(text) if text is not None and re.fullmatch(r"\d{1,18}", text) else None


def range_start(response: httpx.Response) -> int | None:
    found = re.match(r"bytes (\d{1,18})-", response.headers.get("content-range", ""))
    return int(found[1]) if found else None


def range_end(response: httpx.Response) -> int | None:
    """The byte after the last of the range."""
    found = re.match(r"bytes \d{1,18}-(\d{1,18})/", response.headers.get("content-range", ""))
    return int(found[1]) + 1 if found else None


def range_total(response: httpx.Response) -> int | None:
    found = re.search(r"/(\d{1,18})$", response.headers.get("content-range", ""))
    return int(found[1]) if found else None


def validator(response: httpx.Response) -> str | None:
    """What the server calls this version of the file; a weak name does not vouch for its bytes."""
    tag = str(response.headers.get("etag", ""))
    if tag and not tag.startswith("W/"):
        return tag[:1000]
    changed = response.headers.get("last-modified")
    return str(changed)[:1000] if changed else None


def retry_after(response: httpx.Response) -> int | None:
    """Seconds that the server asks us to wait; a date is read against the server's own clock."""
    after = str(response.headers.get("retry-after", ""))
    if re.fullmatch(r"\d{1,6}", after):
        return int(after)
    try:
        then, now = parsedate_to_datetime(after), parsedate_to_datetime(response.headers["date"])
        return max(0, round((then - now).total_seconds()))
    except (KeyError, ValueError, TypeError, OverflowError):
        return None


def same_origin(one: str, other: str) -> bool:
    """Whether both are the same server in httpx's sense: only then a token goes along."""
    first, second = httpx.URL(one), httpx.URL(other)
    return (first.scheme, first.host, first.port) == (second.scheme, second.host, second.port)
