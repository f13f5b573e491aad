"""One row of a table."""

from collections.abc import Hashable
from dataclasses import dataclass

from fleet.tui.paint import Line


@dataclass(frozen=True, slots=True)
class Row:
    """What a row shows; `version` is equal exactly when the parts are."""

    version: Hashable
    parts: Line
    tone: str = ""
