"""What the header of a safetensors file says. It may be hostile: every number is bounded before it is used.

Source: safetensors, README, "Format": 8 bytes of length (little-endian), JSON of that length, then the data;
    a header has at most 100 MB.
"""

import json
import math
import struct
from dataclasses import dataclass

from fleet.core.errors import PlanError
from fleet.core.text import safe_line

MOST_HEADER = 100_000_000  # bytes
MOST_TENSORS = 1 << 17
MOST_DIMENSIONS = 8
MOST_ELEMENTS = 1 << 44
BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1}


@dataclass(frozen=True, slots=True)
class Tensor:
    name: str
    dtype: str  # as the file spells it: BF16
    shape: tuple[int, ...]

    @property
    def elements(self) -> int:
        return math.prod(self.shape)


def length(start: bytes, name: str) -> int:
    """Bytes of the JSON, from the first 8 of the file.

    Raises:
        PlanError: it is no safetensors file.
    """
    count = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
    if not 2 <= count <= MOST_HEADER:
        raise _wrong(name, "it begins with no header of one")
    return int(count)


def tensors(text: bytes, name: str) -> tuple[Tensor, ...]:
    """All tensors of the file.

    Raises:
        PlanError: the header is none.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict) or len(document) > MOST_TENSORS:
        raise _wrong(name, "its header is no table of tensors")
    return tuple(_tensor(key, value, name) for key, value in document.items() if key != "__metadata__")


def _tensor(key: str, value: object, name: str) -> Tensor:
    shape = value.get("shape") if isinstance(value, dict) else None
    dtype = value.get("dtype") if isinstance(value, dict) else None
    is_shape = isinstance(shape, list) and len(shape) <= MOST_DIMENSIONS
    if not is_shape or not isinstance(dtype, str) or len(dtype) > 16:
        raise _wrong(name, f"its tensor {safe_line(key, 80)} has no shape or no type")
    assert isinstance(shape, list)
    if not all(type(count) is int and 0 <= count < MOST_ELEMENTS for count in shape):
        raise _wrong(name, f"its tensor {safe_line(key, 80)} has a shape that none has")
    found = Tensor(safe_line(key, 200), safe_line(dtype, 16), tuple(shape))
    if found.elements > MOST_ELEMENTS:
        raise _wrong(name, f"its tensor {found.name} is larger than any")
    return found


def _wrong(name: str, why: str) -> PlanError:
    return PlanError(
        f"{name} is no safetensors file: {why}",
        next="download it again; a file of some hundred bytes may be a git-lfs pointer: git lfs pull",
    )
