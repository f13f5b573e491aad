"""Whether the key a host shows is the one we were told to expect."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import asyncssh
from asyncssh.public_key import get_default_public_key_algs

from fleet.core.errors import UnreachableError
from fleet.io.pins import Known, Pins

GIVEN = "known_hosts of the inventory"


@dataclass(slots=True)
class Judge:
    """Decides on one connection. asyncssh asks it for unknown and for changed keys alike.

    The order: `host_key` of the inventory, its `known_hosts` file, fleet's pins, the
    user's own known_hosts (whose answer becomes a pin). The first that knows the host
    decides; the others are not asked.
    """

    name: str
    wanted: str | None  # fingerprint from the inventory
    given: Known | None  # its known_hosts
    own: Known  # the user's
    pins: Pins
    names: tuple[str, ...]  # what the host is called in those files
    shown: asyncssh.SSHKey | None = None  # the key the host showed
    expected: tuple[str, ...] = ()  # fingerprints that would have been right
    source: str = ""  # who knew the host
    _address: str = field(default="", init=False)

    def algorithms(self, port: int) -> Sequence[str]:
        """Key types in the order to ask for: those we know of this host come first.

        Else a host with two keys would show the one we never met.
        """
        every = [name.decode() for name in get_default_public_key_algs()]
        known = [alg.decode() for key in self._known(port) for alg in key.sig_algorithms]
        pin = self.pins.get(self.name)
        if not known and pin:
            known = [alg.decode() for alg in asyncssh.import_public_key(pin.key).sig_algorithms]
        first = [name for name in dict.fromkeys(known) if name in every]
        return first + [name for name in every if name not in first]

    def accepts(self, host: str, address: str, port: int, key: asyncssh.SSHKey) -> bool:
        self.shown = key
        self._address = f"{address or host}:{port}"
        shown = key.get_fingerprint()
        if self.wanted:
            return self._match("host_key in the inventory", (self.wanted,), shown)
        told = self._look_up(self.given, GIVEN, key, port) if self.given else None
        if told is not None:
            return told
        pin = self.pins.get(self.name)
        if pin:
            return self._match("fleet", (pin.fingerprint,), shown)
        told = self._look_up(self.own, "your known_hosts", key, port)
        if told:
            self.pins.trust(self.name, key, self._address, source="known_hosts")
        return bool(told)

    def refusal(self) -> UnreachableError | None:
        """Why the key was not accepted, once it was shown."""
        if self.shown is None:
            return None
        shown = self.shown.get_fingerprint()
        if not self.source:
            return UnreachableError(
                f"its host key is not known yet: {shown} ({self.shown.get_algorithm()})",
                kind="host-key-unknown",
                next=f"fleet host trust {self.name}",
            )
        return UnreachableError(
            f"its host key changed: it shows {shown}, {self.source} has {self._right()}; "
            "it was installed anew, or somebody stands in between",
            kind="host-key-changed",
            next=self._remedy(shown),
        )

    def _right(self) -> str:
        return " or ".join(self.expected) or "none"

    def _remedy(self, shown: str) -> str:
        if self.wanted:
            return f'hosts.{self.name}.host_key = "{shown}" in the inventory'
        if self.given and self.source.startswith(GIVEN):
            return f"ssh-keygen -R {self.names[-1]} -f {self.given.paths[0]}"
        return f"fleet host trust {self.name}"

    def _look_up(self, known: Known, source: str, key: asyncssh.SSHKey, port: int) -> bool | None:
        """None where the files do not know the host."""
        trusted, revoked = known.keys((*self.names, self._address.rpartition(":")[0]), port)
        if key in revoked:
            return self._match(f"{source} revokes that key and", (), key.get_fingerprint())
        if not trusted:
            return None
        return self._match(source, tuple(k.get_fingerprint() for k in trusted), key.get_fingerprint())

    def _match(self, source: str, expected: tuple[str, ...], shown: str) -> bool:
        self.source, self.expected = source, expected
        return shown in expected

    def _known(self, port: int) -> list[asyncssh.SSHKey]:
        if self.wanted:
            return []
        if self.given and (keys := self.given.keys(self.names, port)[0]):
            return keys
        return [] if self.pins.get(self.name) else self.own.keys(self.names, port)[0]
