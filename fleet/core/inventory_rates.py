"""Keys of an inventory that say how fast bytes may go."""

from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator

from fleet.core import rates
from fleet.core.inventory_words import text


def _rate(value: Any) -> Any:
    return rates.rate(value) if isinstance(value, str) else value


def _hours(value: str) -> str:
    rates.quiet(text(value))
    return value


Rate = Annotated[int, BeforeValidator(_rate)]  # bytes/s
Hours = Annotated[str, AfterValidator(_hours)]
