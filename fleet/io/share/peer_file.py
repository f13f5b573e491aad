"""The file that a host shares, whole or as it grows. Sent in front of peer_host.py, for python3 >= 3.6."""

import hashlib
import hmac
import math
import mmap
import os
import stat
import threading
import time

STALL = 5.0  # seconds without a byte until a peer is given up
AT_ONCE = 4  # chunks that are taken from other hosts at the same time, and as many from fleet
BUFFERED = 128 << 20  # bytes of those from fleet, until their hashes are known
PIECE = 256 << 10  # bytes; hashed while they are still in the processor's cache


class Share:
    """The file: whole and only read, or a part that grows."""

    def __init__(self, told: "dict[str, object]") -> None:
        self.size, self.chunk = int(str(told["size"])), int(str(told["chunk"]))
        self.chunks = list(told["chunks"])  # type: ignore[call-overload]
        self.prefix = f"/{told['read_token']}/{told['sha256']}/"
        self.inbox = f"/{told['write_token']}/"
        self.buffers = []  # type: list[memoryview]
        self.places = threading.BoundedSemaphore(max(1, min(AT_ONCE, BUFFERED // self.chunk)))
        self.is_whole = is_whole = bool(told["is_whole"])
        flags = os.O_RDONLY if is_whole else os.O_RDWR | os.O_NOFOLLOW
        self.file = os.fdopen(os.open(str(told["file"]), flags), "rb" if is_whole else "r+b", 0)
        status = os.fstat(self.file.fileno())
        if not stat.S_ISREG(status.st_mode) or (is_whole and status.st_size != self.size):
            raise ValueError("it is not the file that it should be")

    def place(self, number: int) -> "tuple[int, int]":
        """Start and length of a chunk in bytes."""
        start = number * self.chunk
        if number < 0 or start >= self.size:
            raise ValueError("no such chunk")
        return start, min(self.chunk, self.size - start)

    def asked(self, path: str) -> "tuple[int, int]":
        return self.place(count(below(self.prefix, path)))

    def brought(self, path: str, length: "str | None") -> "tuple[int, int]":
        """Lane and number of a chunk."""
        lane, _, number = below(self.inbox, path).partition("/")
        if self.is_whole or length != str(self.place(count(number))[1]):
            raise ValueError("no such chunk")
        return count(lane), count(number)

    def buffer(self) -> memoryview:
        """For one chunk; the one that was used last is the one that is in memory."""
        try:
            return self.buffers.pop()
        except IndexError:
            private = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
            return memoryview(mmap.mmap(-1, min(self.chunk, self.size), flags=private))

    def write(self, data: memoryview, start: int) -> None:
        done = 0
        while done < len(data):
            done += os.pwrite(self.file.fileno(), data[done:], start + done)


def below(prefix: str, path: str) -> str:
    if not hmac.compare_digest(path[: len(prefix)].encode(), prefix.encode()):
        raise ValueError("no such file")
    return path[len(prefix) :]


def count(text: str) -> int:
    if not text.isdigit() or len(text) > 9:
        raise ValueError("no such chunk")
    return int(text)


def received(source: "object", data: memoryview, slowest: "int | None" = None) -> str:
    """Fills it; the hash of what came."""
    digest, done, length = hashlib.sha256(), 0, len(data)
    end = time.monotonic() + 2 * STALL + length / slowest if slowest else math.inf
    while done < length:
        taken = source.readinto(data[done : done + PIECE])  # type: ignore[attr-defined]
        if not taken:
            raise ValueError("it ended early")
        if time.monotonic() > end:
            raise ValueError("it is too slow")
        digest.update(data[done : done + taken])
        done += taken
    return digest.hexdigest()
