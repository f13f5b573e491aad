"""A file server on loopback: ranges as RFC 9110 has them, and faults by the name of the path."""

import threading
import time
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler

from tests.io.hubs import Served, send

SLICE = 1 << 16  # bytes that are sent at once


class FileServer(Served):
    """Serves `data` under every path that names no fault.

    Attributes:
        cuts: how many answers still break, after `half` bytes each.
        holds: how many answers still stop in their middle and leave the connection open.
        busy: how many answers are still 429, with `after` as Retry-After where it is set.
        busy_at: only those to ranges that begin there; None: to all.
        now: what its clock says, in seconds since 1970; None: the right time.
        rate: bytes/s of each connection; None: as fast as it goes.
        sent: bytes of files that went over all connections.
        most: as long as it is set no more of them go; None: all that is asked for.
    """

    def __init__(self, data: bytes, address: str = "127.0.0.1") -> None:
        super().__init__(address)
        self.data, self.tag = data, '"one"'
        self.sent = self.cuts = self.holds = self.busy = self.open = self.widest = 0
        self.half = len(data) // 2
        self.after: str | None = None
        self.busy_at: int | None = None
        self.now: float | None = None
        self.rate: float | None = None
        self.most: int | None = None
        self.signed: dict[str, int] = {}  # how often each signed link still works
        self.closing = threading.Event()
        self._lock = threading.Lock()

    def at(self, path: str) -> str:
        return f"{self.url}/{path}"

    def close(self) -> None:
        self.closing.set()
        super().close()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        path, _, query = request.path.strip("/").partition("?")
        if self.now is not None:
            now = self.now
            request.date_time_string = lambda timestamp=None: formatdate(now, usegmt=True)
        is_head = request.command == "HEAD"
        if path.isdigit():
            return send(request, int(path))
        if path in ("moved", "signed"):
            return send(request, 302, Location=self.at(self.link() if path == "signed" else "model.gguf"))
        if path == "circle":
            return send(request, 302, Location=self.at("circle"))
        if path == "nohead" and is_head:
            return send(request, 405)
        if path == "garbage":
            request.wfile.write(b"\x00\xff not http \r\n\r\n")
            request.close_connection = True
            return None
        with self._lock:
            if path == "link":
                self.signed[query] = self.signed.get(query, 0) - 1
                if self.signed[query] < 0:
                    return send(request, 403)
            begin = request.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")[0]
            if self.busy and self.busy_at in (None, int(begin)):
                self.busy -= 1
                return send(request, 429, **({"Retry_After": self.after} if self.after else {}))
            if path == "changing":
                self.tag = f'"{len(self.asked)}"'
        return self._file(request, path, is_head)

    def link(self) -> str:
        """A new one, which works twice; nobody else knows it before its first answer."""
        with self._lock:
            query = f"sig={len(self.signed)}"
            self.signed[query] = 2
        return f"link?{query}"

    def _file(self, request: BaseHTTPRequestHandler, path: str, is_head: bool) -> None:
        asked, size = request.headers.get("Range"), len(self.data)
        start, end = 0, size
        if path == "once" and len(self.asked) > 1:
            asked = None
        if (
            asked
            and path not in ("noranges", "login", "bare")
            and request.headers.get("If-Range", self.tag) == self.tag
        ):
            first, _, last = asked.removeprefix("bytes=").partition("-")
            start, end = int(first), min(int(last) + 1 if last else size, size)
            if start >= size or (path == "refuses" and start):
                return send(request, 416, Content_Range=f"bytes */{size}")
            if path == "short":
                end = min(end, start + (1 << 20))
            shown = start + 1 if path == "elsewhere" and start else start
            request.send_response(206)
            request.send_header("Content-Range", f"bytes {shown}-{end - 1}/{size}")
        else:
            request.send_response(200)
        body = b"<html>Please sign in</html>" if path == "login" else memoryview(self.data)[start:end]
        request.send_header("ETag", self.tag)
        if path in ("unsized", "bare"):
            request.close_connection = True
        else:
            request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        if not is_head:
            self._body(request, path, body)
        return None

    def _body(self, request: BaseHTTPRequestHandler, path: str, body: bytes | memoryview) -> None:
        with self._lock:
            is_cut, is_held = self.cuts > 0, self.holds > 0
            self.cuts -= is_cut
            self.holds -= not is_cut and is_held
            self.open += 1
            self.widest = max(self.widest, self.open)
        request.close_connection |= is_cut or is_held or path == "drip"
        if is_cut or is_held:
            body = body[: self.half]
        step = 1 if path == "drip" else SLICE
        began, count = time.monotonic(), 0
        try:
            for at in range(0, len(body), step):
                piece = body[at : at + step]
                while not self._goes(len(piece)):
                    if self.closing.wait(0.01):
                        return
                try:
                    request.wfile.write(piece)
                except OSError:
                    self._goes(-len(piece))
                    raise
                count += len(piece)
                wait = (
                    0.05
                    if path == "drip"
                    else count / self.rate - (time.monotonic() - began)
                    if self.rate
                    else 0
                )
                if wait > 0 and self.closing.wait(wait):
                    return
            if is_held:
                self.closing.wait()
        except OSError:
            pass
        finally:
            with self._lock:
                self.open -= 1

    def _goes(self, length: int) -> bool:
        """Counts bytes before they go: who has them all finds them counted. False: no more may go."""
        with self._lock:
            may = length < 0 or self.most is None or self.sent < self.most
            self.sent += length if may else 0
        return may
