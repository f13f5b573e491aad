"""Which addresses a host may be told so that it fetches a model by itself, and what its server says of it."""

import ipaddress
import re
from urllib.parse import unquote_plus, urlsplit

from fleet.core.plan import size_text
from fleet.core.text import safe_line

# Names of a query, or of what is in one, that stand for somebody. Signed links have X-Amz-, X-Goog-, sig, se.
SECRET = re.compile(
    r"(?i)auth|cred|expire|jwt|key|pass|policy|pwd|sas|secret|session|sig|token|user|x-amz|x-goog"
)
LONGEST = 16  # characters of a value in a query; what is longer may be a key
STATUS = re.compile(r"HTTP/[0-9.]+ ([0-9]{3})\b")


def refusal(url: str) -> str | None:
    """Why an address stays on this machine; None: a host may be told."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return "its source is no address"
    if parts.scheme not in ("http", "https") or not host or re.search(r"[\x00-\x20\x7f]", url):
        return "its source is no http or https address"
    if parts.username is not None or parts.password is not None:
        return "its address holds a password, which no host is told"
    if any(_is_suspect(word) for word in re.split("[&;]", parts.query)):
        return "its address has a query that may be a key, which no host is told"
    if _is_loopback(host):
        return f"{site(url)} is another machine there"
    return None


def site(url: str) -> str:
    """The server of an address, for people."""
    return safe_line(urlsplit(url).hostname or "", 100)


def config(url: str) -> str:
    """The address as a configuration of curl, which it reads on standard input.

    Source: curl's manual, -K: in double quotes a backslash stands before a backslash and before a quote.
    """
    quoted = url.replace("\\", "\\\\").replace('"', '\\"')
    onwards = "=https" if urlsplit(url).scheme == "https" else "=http,https"
    return f'url = "{quoted}"\nproto = "=http,https"\nproto-redir = "{onwards}"\n'


def problem(head: str, size: int | None) -> str | None:
    """What is wrong with the answer that a host got; None: it may fetch the file.

    Args:
        head: lines of it, of redirects before it too; hostile.
        size: bytes that the file must have; None: not known.
    """
    status, length, total = None, None, None
    for line in head.splitlines():
        text = line.strip()
        if found := STATUS.match(text):
            status, length, total = int(found[1]), None, None
        elif found := re.match(r"(?i)content-length: *([0-9]{1,18})$", text):
            length = int(found[1])
        elif found := re.match(r"(?i)content-range: *bytes [0-9-]{1,40}/([0-9]{1,18})$", text):
            total = int(found[1])
    if status is None:
        return "no answer"
    if status not in (200, 206):
        return f"it answered {status}"
    there = total if status == 206 else length
    if size is not None and there is not None and there != size:
        return f"it has {size_text(there)} of it ({there} bytes), it should have {size}"
    return None


def reason(said: str) -> str:
    """The last line that a program said, harmless, and without the query of any address in it."""
    lines = [line for line in said.splitlines() if line.strip()]
    return safe_line(re.sub(r"\?\S+", "?…", lines[-1]), 200) if lines else "no answer"


def _is_suspect(word: str) -> bool:
    """Whether a `name=value` of a query may stand for somebody; a bare word always may."""
    name, equals, value = unquote_plus(word).partition("=")
    is_plain = bool(equals) and len(value) <= LONGEST and not SECRET.search(f"{name}={value}")
    return bool(word) and not is_plain


def _is_loopback(host: str) -> bool:
    try:
        where = ipaddress.ip_address(host)
    except ValueError:
        return host.rstrip(".").lower() == "localhost" or host.rstrip(".").lower().endswith(".localhost")
    return where.is_loopback or where.is_unspecified
