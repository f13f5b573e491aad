"""What a source that moves held when it was pinned."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fleet.core.text import HOSTILE

SHA256 = re.compile("[0-9a-f]{64}")
LARGEST = 1 << 53  # bytes of a file
LONGEST = 1000  # characters of a mark


@dataclass(frozen=True, slots=True)
class Fixed:
    """One entry of fleet.lock.

    Attributes:
        sha256: of the model's file.
        size: bytes of it.
        marks: what else tells that version from another, by name: etag, manifest, wheel file names.
    """

    sha256: str
    size: int
    marks: Mapping[str, str]

    def document(self) -> dict[str, Any]:
        return {"sha256": self.sha256, "size": self.size} | (
            {"marks": dict(sorted(self.marks.items()))} if self.marks else {}
        )


def fixed(entry: Any) -> Fixed | None:
    """An entry as it was written; None: it is not one."""
    if not isinstance(entry, dict):
        return None
    sha256, size, marks = entry.get("sha256"), entry.get("size"), entry.get("marks", {})
    if not isinstance(sha256, str) or not SHA256.fullmatch(sha256):
        return None
    if type(size) is not int or not 0 < size < LARGEST or not isinstance(marks, dict):
        return None
    if not all(is_mark(name) and is_mark(value) for name, value in marks.items()):
        return None
    return Fixed(sha256, size, marks)


def is_mark(text: Any) -> bool:
    return isinstance(text, str) and 0 < len(text) <= LONGEST and not HOSTILE.search(text)
