"""What a flow asks where a model could be had in another quantisation."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ListFiles:
    """What else the repository of a model holds. Answer: fleet.models.offered.Offered. Never fails."""

    model: str  # a name of the inventory, or an `hf:` address
