"""What a flow asks where it changes the inventory itself, or whom fleet trusts."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Introduce:
    """A host that is not in the inventory yet, known to this run from now on. Answer: None.

    `keys` are those of its table in the file. Raises InventoryError as if they stood there.
    """

    host: str
    keys: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ReadHostKey:
    """The key that a host shows, before anybody logs in. Answer: HostKey. Raises UnreachableError."""

    host: str


@dataclass(frozen=True, slots=True)
class HostKey:
    kind: str  # ssh-ed25519
    fingerprint: str  # SHA256:…
    public: str  # as in a .pub file
    known: tuple[str, ...]  # fingerprints that were trusted until now
    source: str | None  # who knew them: the inventory, fleet's pins, a known_hosts file


@dataclass(frozen=True, slots=True)
class Ask:
    """A question to a person. Answer: whether what was expected was typed.

    Raises DeclinedError, of kind "nobody" where no person can be asked.
    """

    question: str
    expected: str = "y"


@dataclass(frozen=True, slots=True)
class Pin:
    """From now on the host must show this key; None: there is no pin any more. Answer: None."""

    host: str
    key: HostKey | None


@dataclass(frozen=True, slots=True)
class AddHost:
    host: str
    keys: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RemoveHost:
    """Out of the servers' `on` too, where it stands by its name."""

    host: str


@dataclass(frozen=True, slots=True)
class SetHostKey:
    host: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class PinModel:
    model: str
    sha256: str
    parts: tuple[str, ...] = ()  # hashes of its files, where it has several; they are written instead


@dataclass(frozen=True, slots=True)
class AddModel:
    model: str
    keys: Mapping[str, Any]


Operation = AddHost | RemoveHost | SetHostKey | PinModel | AddModel


@dataclass(frozen=True, slots=True)
class EditInventory:
    """Changes the file and nothing else in it. Answer: whether it changed. Raises InventoryError."""

    operation: Operation


@dataclass(frozen=True, slots=True)
class RenewModel:
    """What the source of a model holds today, pinned in fleet.lock. Answer: Renewed.

    Of a hub or registry it is looked up, of another source fetched if it changed there.
    """

    name: str


@dataclass(frozen=True, slots=True)
class Renewed:
    commit: str  # of a hub, or the digest of a registry's manifest; empty: the source has none
    file: str  # as they call it; empty where commit is
    size: int  # bytes
    sha256: str  # of several files their id
    before: str | None  # the sha256 that was pinned until now
    parts: tuple[str, ...] = ()  # hashes of its files, where it has several
