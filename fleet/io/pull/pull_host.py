"""What a host with neither curl nor wget runs to fetch a file: its python3 (3.6 or newer), no other library.

Arguments: `fetch` or `ask`, the byte to begin at, bytes/s (0: no limit), seconds without a byte. The address
is the line on standard input. `ask` prints the answer's head. Exit statuses are those of curl: 7 no
connection, 18 cut off, 22 refused, 23 the disk, 33 no ranges.
"""

import contextlib
import http.client
import os
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import Any, NoReturn, Optional

PIECE = 1 << 17  # bytes


class Redirects(urllib.request.HTTPRedirectHandler):
    """To http and https alone, and never from https to http."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        schemes = ("https",) if req.type == "https" else ("http", "https")
        if urllib.parse.urlsplit(newurl).scheme not in schemes:
            raise urllib.error.URLError("it leads to another kind of address")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def end(status: int, why: object) -> NoReturn:
    with contextlib.suppress(OSError):  # it goes to a file, perhaps on the disk that is full
        os.write(2, f"{why}\n".encode())
    sys.exit(status)


def opened(url: str, span: Optional[str], idle: float) -> Any:  # noqa: UP045 python 3.6 reads it
    request = urllib.request.Request(url, headers={"User-Agent": "fleet", "Accept-Encoding": "identity"})
    if span:
        request.add_header("Range", "bytes=" + span)
    try:
        return urllib.request.build_opener(Redirects).open(request, timeout=idle)
    except urllib.error.HTTPError as error:
        end(33 if error.code == 416 else 22, f"the server answered {error.code} {error.reason}")
    except (OSError, ValueError, http.client.HTTPException) as error:
        end(7, getattr(error, "reason", None) or error)


def fetch(url: str, start: int, limit: int, idle: float) -> None:
    """The file from a byte on to standard output."""
    answer = opened(url, f"{start}-" if start else None, idle)
    if start and not (answer.headers.get("Content-Range") or "").startswith(f"bytes {start}-"):
        end(33, "the server knows no ranges")
    length = answer.headers.get("Content-Length") or ""
    piece = min(PIECE, max(1 << 12, limit // 4)) if limit else PIECE
    began, came = time.monotonic(), 0
    while True:
        try:
            data = answer.read(piece)
        except (OSError, http.client.HTTPException) as error:
            end(18, error)
        if not data:
            break
        while data:
            try:
                written = os.write(1, data)
            except OSError as error:
                end(23, error.strerror)
            came, data = came + written, data[written:]
        if limit:
            time.sleep(max(0.0, came / limit - (time.monotonic() - began)))
    if length.isdigit() and came < int(length):
        end(18, "the connection ended early")


def ask(url: str, idle: float) -> None:
    answer = opened(url, "0-0", idle)
    print(f"HTTP/1.1 {answer.status}")
    for name in ("Content-Range", "Content-Length"):
        if answer.headers.get(name):
            print(f"{name}: {answer.headers[name]}")


if __name__ == "__main__":
    address = sys.stdin.readline().rstrip("\n")
    if sys.argv[1] == "ask":
        ask(address, float(sys.argv[4]))
    else:
        fetch(address, int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]))
