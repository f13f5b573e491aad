"""One thing that is well or not with a host."""

from dataclasses import dataclass
from typing import Literal

from fleet.core.errors import FleetError


@dataclass(frozen=True, slots=True)
class Finding:
    level: Literal["ok", "warn", "bad"]
    about: str
    message: str
    next: str | None = None
    error: FleetError | None = None  # where the host cannot be examined at all
