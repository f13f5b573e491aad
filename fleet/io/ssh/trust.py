"""Whether the key a host shows is the one we were told to expect."""

from collections.abc import Sequence
from dataclasses import dataclass

import asyncssh
from asyncssh.public_key import get_default_public_key_algs

from fleet.core.errors import UnreachableError
from fleet.io.ssh.pins import Known, Pins

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

    def expects(self, port: int, *also: str) -> tuple[str, tuple[asyncssh.SSHKey, ...], tuple[str, ...]]:
        """Who decides about this host, the keys he knows, and their fingerprints.

        Args:
            also: further names of the host: the address it was met at.
        """
        if self.wanted:
            return "host_key in the inventory", (), (self.wanted,)
        pin = self.pins.get(self.name)
        for known, source in ((self.given, GIVEN), (None, "fleet"), (self.own, "your known_hosts")):
            if known:
                keys = tuple(known.keys((*self.names, *also), port)[0])
            else:
                keys = (asyncssh.import_public_key(pin.key),) if pin and source == "fleet" else ()
            if keys:
                return source, keys, tuple(key.get_fingerprint() for key in keys)
        return "", (), ()

    def algorithms(self, port: int) -> Sequence[str]:
        """Key types in the order to ask for: those we know of this host come first.

        Else a host with two keys would show the one we never met.
        """
        every = [name.decode() for name in get_default_public_key_algs()]
        known = [alg.decode() for key in self.expects(port)[1] for alg in key.sig_algorithms]
        first = [name for name in dict.fromkeys(known) if name in every]
        return first + [name for name in every if name not in first]

    def accepts(self, host: str, address: str, port: int, key: asyncssh.SSHKey) -> bool:
        self.shown = key
        self.source, _, self.expected = self.expects(port, address)
        files = [known for known in (self.given, self.own) if known]
        if any(key in known.keys((*self.names, address), port)[1] for known in files):
            self.source, self.expected = "a known_hosts file that revokes that key", ()
        is_right = key.get_fingerprint() in self.expected
        if is_right and self.source == "your known_hosts":
            self.pins.trust(self.name, key, f"{address or host}:{port}", source="known_hosts")
        return is_right

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
        if self.given and self.source == GIVEN:
            return f"ssh-keygen -R {self.names[-1]} -f {self.given.paths[0]}"
        return f"fleet host trust {self.name}"
