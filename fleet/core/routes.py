"""Where the bytes of a model come from, as a plan says it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FindRoutes:
    """Where the models come from that a host lacks. Answer: dict sha256 -> Route.

    Waits until all hosts of the run have asked, because they may get it from each other.
    """

    host: str
    models: tuple[str, ...]  # sha256


@dataclass(frozen=True, slots=True)
class Route:
    """For one host and one model."""

    kind: str  # controller, peer, pull
    text: str  # from the controller
    rate: float | None  # bytes/s measured when this host last got one this way
    note: str | None = None  # why it is not the way that the inventory allows
