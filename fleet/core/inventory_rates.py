"""What keys of an inventory may hold that say how fast bytes may go. Each raises ValueError."""

from typing import Any

from fleet.core import rates
from fleet.core.inventory_words import text


def rate(value: Any) -> Any:
    """Bytes/s of a number or of a text with its unit."""
    return rates.rate(value) if isinstance(value, str) else value


def hours(value: str) -> str:
    """Hours of the day and a rate."""
    rates.quiet(text(value))
    return value
