"""The quantisations that a repository lists beside the one that is meant."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from fleet.core.errors import FleetError
from fleet.models.hub import Listed, Listing, choose
from fleet.models.splits import NAME
from fleet.sources.base import Repository


@dataclass(frozen=True, slots=True)
class File:
    """A model in one quantisation, whole or in parts."""

    name: str  # its quantisation
    size: int  # bytes of all parts
    source: str  # as the inventory names it


@dataclass(frozen=True, slots=True)
class Offered:
    """What a repository lists.

    Attributes:
        problem: why nothing is known of it; None where it was asked, or where there is none to ask.
    """

    files: tuple[File, ...] = ()
    problem: str | None = None


def offered(place: Repository, found: Listing, names: Iterable[str]) -> tuple[File, ...]:
    """Each of these quantisations of which the repository has exactly one."""
    files = []
    for name in names:
        one = replace(place, path=None, quant=name)
        try:
            file = choose(one, found)
        except FleetError:
            continue  # none, or several
        files.append(File(name, _size(file, found), str(one)))
    return tuple(files)


def _size(first: Listed, found: Listing) -> int:
    part = NAME.search(first.path)
    if part is None:
        return first.size
    stem = first.path[: part.start()]
    return sum(
        one.size
        for one in found.files
        if (other := NAME.search(one.path)) and one.path[: other.start()] == stem and other[2] == part[2]
    )
