"""The file that a host shares, whole or as it grows. Sent in front of peer_host.py, for python3 >= 3.6."""

import hashlib
import hmac
import math
import os
import stat
import threading
import time

STALL = 5.0  # seconds without a byte until a peer is given up
AT_ONCE = 4  # chunks that are taken from other hosts at the same time
PIECE = 256 << 10  # bytes; hashed and written while they are still in the processor's cache


class TakenOver(Exception):
    """The host belongs to a later run of fleet, which has found out what of the file is right."""


class Slot:
    """Where a chunk belongs. Of those who bring it at the same time the first one writes."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.writer = None  # type: object
        self.is_right = False


class Share:
    """The file: whole and only read, or a part that grows. Nothing is written over a chunk that is right."""

    def __init__(self, told: "dict[str, object]") -> None:
        self.size, self.chunk = int(str(told["size"])), int(str(told["chunk"]))
        self.chunks = list(told["chunks"])  # type: ignore[call-overload]
        self.prefix = f"/{told['read_token']}/{told['sha256']}/"
        self.inbox = f"/{told['write_token']}/"
        self.held, self.next_held = [str(path) for path in told["locks"]]  # type: ignore[attr-defined]
        self.slots = {}  # type: dict[int, Slot]
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

    def received(self, source: "object", number: int, slowest: "int | None" = None) -> str:
        """Takes a chunk from a source that is read, and returns the hash of what came.

        If that is the right one, the chunk is in the file. Who brings a chunk that another one is
        bringing keeps it in memory: what the first wrote may be wrong, and what is right stays.

        Raises:
            ValueError: it ended early, or was slower than `slowest` bytes/s.
            TakenOver: nothing more may be written.
        """
        start, length = self.place(number)
        slot, writer = self.slots.setdefault(number, Slot()), object()
        with slot.lock:
            is_first = slot.writer is None and not slot.is_right
            if is_first:
                slot.writer = writer
        kept = bytearray(0 if is_first else length)
        digest, done, piece = hashlib.sha256(), 0, memoryview(bytearray(min(PIECE, length)))
        end = time.monotonic() + 2 * STALL + length / slowest if slowest else math.inf
        try:
            while done < length:
                taken = source.readinto(piece[: length - done])  # type: ignore[attr-defined]
                if not taken:
                    raise ValueError("it ended early")
                if time.monotonic() > end:
                    raise ValueError("it is too slow")
                digest.update(piece[:taken])
                if is_first:
                    self.write(slot, writer, piece[:taken], start + done)
                else:
                    kept[done : done + taken] = piece[:taken]
                done += taken
            sha256 = digest.hexdigest()
            if sha256 == self.chunks[number]:
                self.settle(slot, memoryview(kept), start)
            return sha256
        finally:
            with slot.lock:
                if slot.writer is writer:
                    slot.writer = None

    def settle(self, slot: Slot, kept: memoryview, start: int) -> None:
        """A chunk came that is right: from here on it is so in the file."""
        with slot.lock:
            if not slot.is_right:
                self.put(kept, start)
            slot.writer, slot.is_right = None, True  # a first one that still writes is too late

    def write(self, slot: Slot, writer: object, data: memoryview, start: int) -> None:
        with slot.lock:
            if slot.writer is writer:
                self.put(data, start)

    def put(self, data: memoryview, start: int) -> None:
        done = 0
        while done < len(data):
            self.fence()
            done += os.pwrite(self.file.fileno(), data[done : done + PIECE], start + done)

    def fence(self) -> None:
        """Raises TakenOver where the run that sent this program does not hold the host any more."""
        if self.held and (os.path.exists(self.next_held) or not os.path.exists(self.held)):
            raise TakenOver("the host was taken over by another run of fleet")


def below(prefix: str, path: str) -> str:
    if not hmac.compare_digest(path[: len(prefix)].encode(), prefix.encode()):
        raise ValueError("no such file")
    return path[len(prefix) :]


def count(text: str) -> int:
    if not text.isdigit() or len(text) > 9:
        raise ValueError("no such chunk")
    return int(text)
