"""The file that a host shares, whole or as it grows. Sent in front of peer_host.py, for python3 >= 3.6."""

import hashlib
import hmac
import os
import stat
import threading

AT_ONCE = 4  # chunks that are taken from other hosts at the same time
PIECE = 256 << 10  # bytes; hashed and written while they are still in the processor's cache


class Unwritable(Exception):
    """The fault is not with who brings it."""


class PutOff(Exception):
    """What was written of a chunk does not count: it has to be brought again."""


class Slot:
    """Where a chunk belongs."""

    def __init__(self, is_right: bool = False) -> None:
        self.lock = threading.Lock()
        self.writer = None  # type: object  # who writes it while it comes
        self.is_right = is_right


class Share:
    """The file: whole and only read, or a part that grows.

    Nothing is written over a chunk that is right. What else may write into the part decides how others
    are written: while all comes through here, as they come, by one at a time; else once they are right.
    """

    def __init__(self, told: "dict[str, object]") -> None:
        self.size, self.chunk = int(str(told["size"])), int(str(told["chunk"]))
        self.chunks = list(told["chunks"])  # type: ignore[call-overload]
        self.prefix = f"/{told['read_token']}/{told['sha256']}/"
        self.inbox = f"/{told['write_token']}/"
        self.slots = {number: Slot(True) for number in list(told["right"])}  # type: ignore[call-overload]
        self.is_alone = False
        self.is_whole = is_whole = bool(told["is_whole"])
        flags = os.O_RDONLY if is_whole else os.O_RDWR | os.O_NOFOLLOW
        self.file = os.fdopen(os.open(str(told["file"]), flags), "rb" if is_whole else "r+b", 0)
        status = os.fstat(self.file.fileno())
        if not stat.S_ISREG(status.st_mode) or (is_whole and status.st_size != self.size):
            raise ValueError("it is not the file that it should be")
        if not is_whole:
            self.permit = f"{told['file']}.writer"  # removed by room.sh, before it is known what is right
            made = os.open(self.permit, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            self.made = os.fdopen(made, "wb", 0)  # stays open, so that no other file gets its number

    def alone(self) -> None:
        """All that is written into the part comes through here."""
        self.is_alone = True

    def careful(self) -> None:
        """Others may write into it too, now that this returns."""
        self.is_alone = False
        for slot in list(self.slots.values()):
            with slot.lock:
                slot.writer = None

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

    def received(self, source: "object", number: int) -> str:
        """Takes a chunk from a source that is read, and returns the hash of what came.

        If that is the right one, the chunk is in the file.

        Raises:
            ValueError: it ended early.
            OSError: it cannot be read.
            Unwritable: it cannot be written, or may not be any more.
            PutOff: it was right, and does not count.
        """
        start, length = self.place(number)
        slot, writer = self.slots.setdefault(number, Slot()), object()
        with slot.lock:
            if self.is_alone and slot.writer is None and not slot.is_right:
                slot.writer = writer
        kept = None if slot.writer is writer or slot.is_right else memory(length)
        digest, done, piece = hashlib.sha256(), 0, memoryview(bytearray(min(PIECE, length)))
        try:
            while done < length:
                taken = source.readinto(piece[: length - done])  # type: ignore[attr-defined]
                if not taken:
                    raise ValueError("it ended early")
                digest.update(piece[:taken])
                if kept is None:
                    self.write(slot, writer, piece[:taken], start + done)
                else:
                    kept[done : done + taken] = piece[:taken]
                done += taken
            sha256 = digest.hexdigest()
            if sha256 == self.chunks[number]:
                self.settle(slot, writer, kept, start)
            return sha256
        finally:
            with slot.lock:
                if slot.writer is writer:
                    slot.writer = None

    def write(self, slot: Slot, writer: object, data: memoryview, start: int) -> None:
        """While it comes, unless the chunk became right or careful meanwhile."""
        with slot.lock:
            if slot.writer is writer:
                self.put(data, start)

    def settle(self, slot: Slot, writer: object, kept: "bytearray | None", start: int) -> None:
        """What came is right: from here on the chunk is so in the file."""
        with slot.lock:
            if slot.is_right:
                return
            if kept is not None:
                self.put(memoryview(kept), start)
            elif slot.writer is not writer:
                raise PutOff("another way may have written there")
            slot.writer, slot.is_right = None, True

    def put(self, data: memoryview, start: int) -> None:
        done = 0
        try:
            while done < len(data):
                self.check()
                done += os.pwrite(self.file.fileno(), data[done : done + PIECE], start + done)
        except OSError as error:
            raise Unwritable(str(error)) from error

    def check(self) -> None:
        """Raises once it was looked at again what is right of the part, to bring the rest."""
        try:
            is_ours = os.path.samestat(os.fstat(self.made.fileno()), os.lstat(self.permit))
        except FileNotFoundError:
            is_ours = False
        if not is_ours:
            raise Unwritable("somebody else writes the part now")


def memory(length: int) -> bytearray:
    try:
        return bytearray(length)
    except MemoryError:
        raise Unwritable("it has no memory for a chunk") from None


def below(prefix: str, path: str) -> str:
    if not hmac.compare_digest(path[: len(prefix)].encode(), prefix.encode()):
        raise ValueError("no such file")
    return path[len(prefix) :]


def count(text: str) -> int:
    if not text.isdigit() or len(text) > 9:
        raise ValueError("no such chunk")
    return int(text)
