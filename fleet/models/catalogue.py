"""All models that anybody has: of the inventory, the controller and the hosts, each once with its places."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fleet.core.facts import Facts
from fleet.core.stock import Cached, Stocked
from fleet.models.keeping import belonging

if TYPE_CHECKING:
    from fleet.core.inventory import Inventory


@dataclass(frozen=True, slots=True)
class Place:
    """One model on one host."""

    host: str
    state: str  # there, part, damaged, found (another program's file that push would adopt)
    size: int  # bytes on the disk
    is_kept: bool
    path: str | None = None  # of a found file


@dataclass(frozen=True, slots=True)
class Entry:
    """A model.

    Attributes:
        names: in the inventory; none of one that only lies somewhere.
        servers: SERVER@HOST of those that use it, or should.
    """

    names: tuple[str, ...]
    sha256: str | None
    size: int | None  # bytes
    quantisation: str | None
    source: str | None
    pin: str | None
    controller: str | None  # path of its file on the controller
    places: tuple[Place, ...]
    servers: tuple[str, ...]

    def document(self) -> dict[str, Any]:
        return {
            "names": list(self.names),
            "sha256": self.sha256,
            "bytes": self.size,
            "quantisation": self.quantisation,
            "source": self.source,
            "pinned": self.pin,
            "controller": self.controller,
            "hosts": [
                {
                    "name": one.host,
                    "state": one.state,
                    "bytes": one.size,
                    "kept": one.is_kept,
                    "path": one.path,
                }
                for one in self.places
            ],
            "servers": list(self.servers),
        }


def catalogue(inventory: "Inventory", stocked: Stocked, hosts: Mapping[str, Facts]) -> tuple[Entry, ...]:
    """Those of the inventory in its order, then those that only lie somewhere.

    Args:
        hosts: that answered.
    """
    shas = [one.sha256 for one in stocked.known]
    others = dict.fromkeys(
        sha for sha in (*(one.sha256 for one in stocked.cached), *_held(hosts)) if sha and sha not in shas
    )
    seen: set[str] = set()
    entries = []
    for known in stocked.known:
        if known.sha256 in seen:
            continue  # two names of one model
        if known.sha256 is not None:
            seen.add(known.sha256)
        names = stocked.names(known.sha256) if known.sha256 else (known.name,)
        entries.append(
            Entry(
                names,
                known.sha256,
                known.size or _size(hosts, known.sha256),
                known.quantisation,
                known.source,
                known.pin,
                known.path,
                _places(hosts, known.sha256, known.size),
                _servers(inventory, names),
            )
        )
    cached = {one.sha256: one for one in stocked.cached}
    entries += [_stray(sha, cached.get(sha), hosts) for sha in others]
    return tuple(entries)


def _stray(sha256: str, cached: Cached | None, hosts: Mapping[str, Facts]) -> Entry:
    size = cached.size if cached else _size(hosts, sha256)
    packed, path = (cached.quantisation, cached.path) if cached else (None, None)
    return Entry((), sha256, size, packed, None, None, path, _places(hosts, sha256, size), ())


def _held(hosts: Mapping[str, Facts]) -> list[str]:
    held: list[str] = []
    for facts in hosts.values():
        held += [one.sha256 for one in (*facts.models, *facts.damaged)]
        held += [one.sha256 for one in facts.parts]
    return held


def _size(hosts: Mapping[str, Facts], sha256: str | None) -> int | None:
    return next((one.size for facts in hosts.values() for one in facts.models if one.sha256 == sha256), None)


def _places(hosts: Mapping[str, Facts], sha256: str | None, size: int | None) -> tuple[Place, ...]:
    places: list[Place] = []
    if sha256 is None:
        return ()
    for host, facts in hosts.items():
        is_kept = sha256 in facts.kept
        own = (("there", facts.models), ("part", facts.parts), ("damaged", facts.damaged))
        for state, files in own:
            places += [Place(host, state, one.size, is_kept) for one in files if one.sha256 == sha256]
        if not any(one.sha256 == sha256 for one in facts.models):
            places += [
                Place(host, "found", one.size, is_kept, one.path)
                for one in facts.found
                if one.size == size and (one.sha256 or one.claim or sha256) == sha256
            ]
    return tuple(places)


def _servers(inventory: "Inventory", names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(
        f"{server}@{host}"
        for host in inventory.hosts
        for server, wish in inventory.servers_on(host).items()
        if set(names) & set(belonging(inventory, wish.model))
    )
