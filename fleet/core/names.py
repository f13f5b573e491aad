"""Names that people give, and what is near to a mistyped one."""

import difflib
import re
from collections.abc import Iterable

PATTERN = r"^[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?$"
RESERVED = frozenset({"all"})


def is_name(text: str) -> bool:
    """Whether it may name a host, model, server or tag."""
    return re.fullmatch(PATTERN, text) is not None and text not in RESERVED


def nearest(text: str, known: Iterable[str], most: int = 3) -> list[str]:
    """The known names most like the text, best first; all of them if they are few."""
    names = list(known)
    return difflib.get_close_matches(text, names, n=most, cutoff=0.5) or sorted(names)[:most]
