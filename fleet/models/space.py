"""What takes the room on a host's disk."""

from collections.abc import Mapping
from dataclasses import dataclass

from fleet.core.facts import Facts
from fleet.models.plan import reserve

SHOWN = ("models", "builds", "parts", "damaged")


@dataclass(frozen=True, slots=True)
class Space:
    """Bytes; None where nobody knows."""

    total: int | None  # of the disk
    free: int | None
    reserve: int  # a push leaves it free
    models: int | None
    builds: int | None
    parts: int | None
    damaged: int | None  # models that were put aside
    other: int | None  # of fleet: sources, tools, logs, caches, trash

    def document(self) -> dict[str, int | None]:
        return {name: getattr(self, name) for name in self.__slots__}


def space(facts: Facts, folders: Mapping[str, int] | None) -> Space:
    """The disk of fleet's root.

    Args:
        folders: bytes of each folder below the root; None where that was not answered.
    """
    known = {name: None if folders is None else folders.get(name, 0) for name in SHOWN}
    other = None if folders is None else sum(size for name, size in folders.items() if name not in SHOWN)
    return Space(facts.disk.total, facts.disk.free, reserve(facts.disk.total), **known, other=other)
