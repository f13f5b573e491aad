"""What the header of a GGUF file says, and whether the file can be whole.

Every count and length is checked against the size of the file before it is used,
so that neither time nor memory depends on what a broken or hostile file claims.

Source: ggml/src/gguf.cpp and ggml/include/gguf.h of llama.cpp: version 3 is the newest,
    2 reads alike, 1 had 32-bit lengths; arrays of arrays are refused there too.
"""

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass

from fleet.core.errors import PlanError
from fleet.core.plan import size_text
from fleet.core.text import safe_line
from fleet.models.packing import TYPES
from fleet.models.tensors import Sums, Tally

MOST_HEADER = 1 << 28  # bytes; the vocabularies of today's models take 4 to 12 MiB
MOST_KEYS = 1 << 16
MOST_TENSORS = 1 << 17
MOST_STRINGS = 1 << 22  # strings in arrays, all together
LONGEST_KEY = 1 << 16  # bytes, as in gguf.cpp
LONGEST_KEPT = 4096  # characters of a string that is kept
KEPT = 4096  # elements of a number array that is kept (one per layer, at most)
ALIGNMENT = 32  # bytes, where the header names none

NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
STRING, ARRAY = 8, 9
NEXT = "download the model again, or compare its sha256 with the published one"

Scalar = int | float | bool | str


class Short(Exception):
    """More of the file's beginning is needed to read its header.

    Args:
        need: bytes from the start; never more than the file has.
    """

    def __init__(self, need: int) -> None:
        super().__init__(f"{need} bytes of the file are needed")
        self.need = need


@dataclass(frozen=True, slots=True)
class Header:
    """A GGUF header that fits its file."""

    version: int
    values: Mapping[str, Scalar | tuple[Scalar, ...]]  # scalars and short arrays of numbers
    tensors: int
    weights: int | None  # bytes of all tensors; None where a type is unknown to us
    length: int  # bytes before the tensors' data
    end: int  # bytes the file must have at least
    sums: Sums  # what its tensors add up to; without those of an unknown type

    @property
    def architecture(self) -> str | None:
        return self._text("general.architecture")

    @property
    def name(self) -> str | None:
        return self._text("general.name")

    @property
    def split_count(self) -> int:
        """Files this model consists of."""
        value = self.values.get("split.count")
        return value if isinstance(value, int) and value > 1 else 1

    def number(self, key: str) -> int | None:
        """A whole number under the architecture's own prefix."""
        value = self.values.get(f"{self.architecture}.{key}")
        return value if isinstance(value, int) and not isinstance(value, bool) else None

    def _text(self, key: str) -> str | None:
        value = self.values.get(key)
        return value if isinstance(value, str) else None


def header(data: bytes, size: int) -> Header:
    """The header of a file.

    Args:
        data: the beginning of the file, as much as is at hand.
        size: bytes of the whole file.

    Raises:
        Short: `data` ends inside the header; says how much more is needed.
        PlanError: not a GGUF file, of a version nobody reads, damaged, or cut off.
    """
    reader = _Reader(data, size)
    version = _version(reader)
    tensors, keys = reader.number("Q"), reader.number("Q")
    if tensors > MOST_TENSORS or keys > MOST_KEYS:
        raise damaged(f"it claims {tensors} tensors and {keys} keys")
    values: dict[str, Scalar | tuple[Scalar, ...]] = {}
    for _ in range(keys):
        key = safe_line(reader.text(LONGEST_KEY))
        value = _value(reader, reader.number("I"))
        if value is not None:
            values[key] = value
    alignment = values.get("general.alignment", ALIGNMENT)
    if isinstance(alignment, bool) or not isinstance(alignment, int) or not _is_alignment(alignment):
        raise damaged(f"its tensors are aligned to {alignment!r}")
    tally = Tally()
    weights, last = _tensors(reader, tensors, alignment, tally)
    length = reader.at + -reader.at % alignment if tensors else reader.at
    end = length + last if tensors else length
    if end > size:
        raise PlanError(
            f"the model is cut off: its header describes {size_text(end)} ({end} bytes), it has {size} bytes",
            next=NEXT,
        )
    return Header(version, values, tensors, weights, length, end, tally.sums())


def damaged(why: str) -> PlanError:
    return PlanError(f"the GGUF header is damaged: {why}", next=NEXT)


class _Reader:
    """A position in the header that cannot leave the file."""

    __slots__ = ("at", "data", "size", "strings")

    def __init__(self, data: bytes, size: int) -> None:
        self.data, self.size, self.at, self.strings = data, size, 0, 0

    def take(self, count: int) -> int:
        """Moves over that many bytes; returns where they start."""
        start, end = self.at, self.at + count
        if end > self.size:
            raise self.beyond()
        if end > MOST_HEADER:
            raise damaged(f"it is longer than {size_text(MOST_HEADER)}")
        if end > len(self.data):
            raise Short(end)
        self.at = end
        return start

    def beyond(self) -> PlanError:
        """The error of a length that leads out of the file."""
        return PlanError(
            f"the model is cut off inside its header: that needs more than its {self.size} bytes", next=NEXT
        )

    def number(self, code: str) -> int:
        start = self.take(struct.calcsize("<" + code))
        value: int = struct.unpack_from("<" + code, self.data, start)[0]
        return value

    def text(self, longest: int) -> str:
        count = self.number("Q")
        if count > longest:
            raise damaged(f"a name of {count} bytes")
        start = self.take(count)
        return self.data[start : self.at].decode("utf-8", "replace")

    def skip_strings(self, count: int) -> None:
        """Moves over strings; by hand, because a vocabulary has 260 000 of them."""
        data, at, read = self.data, self.at, struct.Struct("<Q").unpack_from
        most = len(data) - 8
        for _ in range(count):
            if at > most:
                break
            at += 8 + read(data, at)[0]
        else:
            self.take(at - self.at)
            return
        self.take(at + 8 - self.at)


def _version(reader: _Reader) -> int:
    if reader.size < 4:
        raise PlanError(f"not a GGUF file: it has {reader.size} bytes", next="name a .gguf file")
    start = reader.take(4)
    magic = bytes(reader.data[start : start + 4])
    if magic != b"GGUF":
        raise PlanError(f"not a GGUF file: it begins with {_shown(magic)}", next=_instead(magic))
    version = reader.number("I")
    if version in (2, 3):
        return version
    swapped = int.from_bytes(version.to_bytes(4, "little"), "big")
    if swapped in (1, 2, 3):
        why = "is written for big-endian machines"
    elif version in (0, 1):
        why = f"is of version {version}, which llama.cpp no longer reads"
    else:
        why = f"is of version {version}, newer than any that llama.cpp reads (3)"
    raise PlanError(f"the GGUF file {why}", next="convert the model again: llama.cpp's convert_hf_to_gguf.py")


def _shown(magic: bytes) -> str:
    return repr(safe_line(magic)) if magic.isascii() and magic.strip() else f"bytes {magic.hex(' ')}"


def _instead(magic: bytes) -> str:
    if magic[:1] == b"<":
        return "look at the file: it seems to be a web page, saved instead of the model"
    if magic == b"vers":
        return "git lfs pull: the file is a pointer to the model, not the model"
    if magic[:2] == b"PK":
        return "unpack the archive and name the .gguf file in it"
    return "name a .gguf file, or convert the model with llama.cpp's convert_hf_to_gguf.py"


def _value(reader: _Reader, kind: int) -> Scalar | tuple[Scalar, ...] | None:
    """A value that is worth keeping, else None."""
    if kind in NUMBERS:
        return reader.number(NUMBERS[kind])
    if kind == STRING:
        count = reader.number("Q")
        start = reader.take(count)
        kept = reader.data[start : min(start + count, start + LONGEST_KEPT)]
        return safe_line(kept.decode("utf-8", "replace"))
    if kind != ARRAY:
        raise damaged(f"a value of the unknown type {kind}")
    return _array(reader, reader.number("I"), reader.number("Q"))


def _array(reader: _Reader, kind: int, count: int) -> tuple[Scalar, ...] | None:
    if kind in NUMBERS:
        start = reader.take(count * struct.calcsize("<" + NUMBERS[kind]))
        if count > KEPT:
            return None
        return struct.unpack_from(f"<{count}{NUMBERS[kind]}", reader.data, start)
    if kind != STRING:
        raise damaged(f"an array of the unknown type {kind}")
    if count * 8 > reader.size - reader.at:
        raise reader.beyond()
    reader.strings += count
    if reader.strings > MOST_STRINGS:
        raise damaged(f"an array of {count} strings")
    reader.skip_strings(count)
    return None


def _tensors(reader: _Reader, count: int, alignment: int, tally: Tally) -> tuple[int | None, int]:
    """Bytes of all tensors (None: a type is unknown), and where the last one ends."""
    weights: int | None = 0
    last = 0
    for _ in range(count):
        name = reader.text(LONGEST_KEY)
        dimensions = reader.number("I")
        if dimensions > 4:
            raise damaged(f"a tensor of {dimensions} dimensions")
        shape = [reader.number("Q") for _ in range(dimensions)]
        kind, offset = reader.number("I"), reader.number("Q")
        elements = math.prod(shape)
        if elements >= 1 << 62 or offset >= 1 << 62 or offset % alignment:
            raise damaged("a tensor lies where none can be")
        taken = 0
        if kind in TYPES:
            per_block, block = TYPES[kind]
            taken = -(-elements // per_block) * block
            tally.add(name, shape, kind, taken)
        weights = None if weights is None or kind not in TYPES else weights + taken
        last = max(last, offset + taken)
    return weights, last


def _is_alignment(value: int) -> bool:
    return 0 < value <= 1 << 20 and value & (value - 1) == 0
