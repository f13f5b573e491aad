"""What a flow asks about models that are kept: on the controller, and on a host beyond its facts."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ReadStock:
    """What the controller knows of models without asking anybody. Answer: Stocked."""


@dataclass(frozen=True, slots=True)
class Known:
    """A model of the inventory, as far as it is known without fetching it."""

    name: str
    source: str
    sha256: str | None
    size: int | None  # bytes
    pin: str | None  # where its sha256 is written: inventory, fleet.lock, seen (a file or an unpinned source)
    quantisation: str | None
    path: str | None  # of its file on the controller
    parts: tuple[str, ...] = ()  # sha256 of its files where it has several; then its own is their id


@dataclass(frozen=True, slots=True)
class Cached:
    """A file in the controller's cache; one without a hash is still being fetched."""

    sha256: str | None
    size: int  # bytes on the disk
    path: str
    quantisation: str | None


@dataclass(frozen=True, slots=True)
class Stocked:
    known: tuple[Known, ...]
    cached: tuple[Cached, ...]
    free: int | None  # bytes on the disk of the cache

    def of(self, name: str) -> Known | None:
        return next((one for one in self.known if one.name == name), None)

    def unnamed(self) -> tuple[Cached, ...]:
        """Whole files in the cache that no model of the inventory is made of."""
        named = {sha256 for one in self.known for sha256 in (one.sha256, *one.parts)}
        return tuple(one for one in self.cached if one.sha256 is not None and one.sha256 not in named)

    def names(self, sha256: str) -> tuple[str, ...]:
        """What the inventory calls a model."""
        return tuple(one.name for one in self.known if one.sha256 == sha256)


@dataclass(frozen=True, slots=True)
class Pull:
    """A model into the controller's cache, verified. Answer: Pulled. Raises FleetError."""

    name: str


@dataclass(frozen=True, slots=True)
class Pulled:
    name: str
    sha256: str
    size: int  # bytes
    path: str
    is_new: bool  # it was fetched now


@dataclass(frozen=True, slots=True)
class CheckCached:
    """Reads the controller's copies whole; a damaged one is put aside. Answer: tuple[Checked, ...]."""

    sha256: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Checked:
    sha256: str
    size: int  # bytes
    is_whole: bool
    aside: str | None  # where a damaged file lies now


@dataclass(frozen=True, slots=True)
class Survey:
    """Bytes that fleet's folders take on a host, by their names. Answer: Mapping[str, int]."""

    host: str


@dataclass(frozen=True, slots=True)
class ReadHeld:
    """The header of a model that a host holds. Answer: fleet.models.weights.Weights. Raises PlanError."""

    host: str
    sha256: str
    size: int  # bytes


StoreNeed = ReadStock | Pull | CheckCached | Survey | ReadHeld
