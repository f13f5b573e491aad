"""What one host can hold of the servers that may go there."""

from collections.abc import Mapping
from dataclasses import dataclass

from fleet.models.place import Option
from fleet.models.room import Pool


@dataclass(frozen=True, slots=True)
class Wanted:
    """A server, and the hosts of this run that its `on` means."""

    server: str
    model: str
    hosts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Offer:
    """What one host can hold, if nothing of ours ran there."""

    rooms: tuple[Pool, ...]
    options: Mapping[str, tuple[Option, ...]]  # by server
    lacks: Mapping[str, str]  # server -> why it has no options here
    there: frozenset[str]  # servers that run here now
    notes: tuple[str, ...]  # what was assumed of its backend
    wanted: tuple[Wanted, ...]  # of the whole run, the same for all hosts
