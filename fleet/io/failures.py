"""What went wrong on the way to a host, as one sentence and what to do next."""

import errno
import os
import socket
from dataclasses import dataclass

import asyncssh

from fleet.core.errors import FleetError, UnreachableError
from fleet.core.text import safe_line

FATAL = frozenset(
    {"auth", "host-key-unknown", "host-key-changed", "ssh-config"}
)  # trying again does not help


@dataclass(frozen=True, slots=True)
class Place:
    """Where we tried to go."""

    name: str  # of the host in the inventory
    address: str
    port: int
    user: str
    identity: str | None = None
    alias: str | None = None  # Host in ssh_config
    jump: str | None = None
    proxy: str | None = None  # ProxyCommand of ssh_config

    def __str__(self) -> str:
        where = f"[{self.address}]" if ":" in self.address else self.address
        return f"{where}:{self.port}"

    @property
    def ssh(self) -> str:
        """The way there for ssh and its friends, to be typed."""
        if self.alias:
            return self.alias
        key = f"-i {self.identity} " if self.identity else ""
        return f"{key}-p {self.port} {self.user}@{self.address}"


TRANSLATED = (
    asyncssh.Error,
    asyncssh.KeyImportError,
    asyncssh.ConfigParseError,
    OSError,
    UnicodeError,
    ValueError,
)


def login(error: BaseException, place: Place, *, is_met: bool) -> FleetError:
    """Why a connection could not be made.

    Args:
        error: one of TRANSLATED, as asyncssh raised it.
        is_met: whether the host itself was talked to; else a jump host may be at fault.
    """
    via = f" through its jump host {place.jump}" if place.jump and not is_met else ""
    problem = _known(error, place, via)
    if problem is not None:
        return problem
    reason = safe_line(str(error), 300) or type(error).__name__
    return UnreachableError(f"no connection to {place}{via}: {reason}", next=f"ssh -v {place.ssh}")


def lost(error: BaseException | None = None) -> UnreachableError:
    """The connection ended while something was under way; its outcome is unknown."""
    reason = f": {safe_line(str(error), 200)}" if error and str(error) else ""
    return UnreachableError(f"the connection was lost{reason}", kind="link-lost", next="fleet status")


def _known(error: BaseException, place: Place, via: str) -> FleetError | None:
    match error:
        case asyncssh.PermissionDenied():
            return UnreachableError(
                f"the key was refused for user {place.user!r}{via}",
                kind="auth",
                next=f"ssh-copy-id {place.ssh}" if not via else f"ssh-copy-id {place.jump}",
            )
        case asyncssh.HostKeyNotVerifiable():  # only of a jump host: the host's own is judged before
            return UnreachableError(
                f"the key of its jump host {place.jump} is not in known_hosts, or another one",
                kind="host-key-unknown",
                next=f"ssh {place.jump}",
            )
        case asyncssh.KeyImportError():
            return _bad_key(error, place)
        case asyncssh.ConfigParseError():
            return UnreachableError(
                f"ssh_config: {safe_line(str(error), 300)}", kind="ssh-config", next=f"ssh -G {place.ssh}"
            )
        case asyncssh.KeyExchangeFailed():
            return UnreachableError(
                f"{place} and fleet have no cipher or key type in common", next=f"ssh -v {place.ssh}"
            )
        case asyncssh.ProtocolNotSupported() | asyncssh.ProtocolError():
            return UnreachableError(
                f"what listens on {place} does not speak SSH",
                next=f"hosts.{place.name}.port in the inventory",
            )
        case asyncssh.ConnectionLost():
            return UnreachableError(
                f"{place} closed the connection during login{via}", next=f"ssh -v {place.ssh}"
            )
        case asyncssh.ChannelOpenError():
            return UnreachableError(
                f"the jump host {place.jump} cannot reach {place}: {safe_line(error.reason, 200)}",
                next=f"ssh -v {place.ssh}",
            )
        case UnicodeError():
            return _no_name(place, via)
        case OSError():
            return _network(error, place, via)
    return None


def _network(error: OSError, place: Place, via: str) -> FleetError | None:
    if isinstance(error, socket.gaierror):
        return _no_name(place, via)
    if isinstance(error, FileNotFoundError | PermissionError) and error.filename:
        return _bad_file(error, place)
    if isinstance(error, TimeoutError) or error.errno == errno.ETIMEDOUT:
        return UnreachableError(f"no answer from {place}{via}", next=f"ping {place.address}")
    if isinstance(error, ConnectionRefusedError):
        return UnreachableError(
            f"nothing listens on {place}{via}",
            next=f"start sshd there, or set hosts.{place.name}.port in the inventory",
        )
    if isinstance(error, ConnectionResetError | BrokenPipeError | ConnectionAbortedError):
        return UnreachableError(
            f"{place} closed the connection during login{via}", next=f"ssh -v {place.ssh}"
        )
    if error.errno in (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EADDRNOTAVAIL):
        return UnreachableError(f"there is no way to {place}{via}", next=f"ping {place.address}")
    if error.errno:
        return UnreachableError(
            f"no connection to {place}{via}: {os.strerror(error.errno)}", next=f"ssh -v {place.ssh}"
        )
    return None


def _no_name(place: Place, via: str) -> UnreachableError:
    if via:
        return UnreachableError(
            f"no address is known for its jump host {place.jump}", next=f"Host {place.jump} in ~/.ssh/config"
        )
    cure = (
        f"Host {place.alias} in ~/.ssh/config"
        if place.alias
        else f"hosts.{place.name}.address in the inventory"
    )
    return UnreachableError(f"no address is known for {place.address!r}", next=cure)


def _bad_file(error: OSError, place: Place) -> UnreachableError:
    file = str(error.filename)
    if place.proxy and file == place.proxy.split()[0]:
        return UnreachableError(f"the ProxyCommand {file} cannot be started", next=f"ssh -v {place.ssh}")
    if isinstance(error, PermissionError):
        return UnreachableError(f"the key file {file} may not be read", kind="auth", next=f"ls -l {file}")
    return UnreachableError(
        f"there is no key file {file}", kind="auth", next=f"ssh-keygen -t ed25519 -f {file}"
    )


def _bad_key(error: ValueError, place: Place) -> UnreachableError:
    file = place.identity or "of the ssh_config"
    if "assphrase" in str(error):
        return UnreachableError(
            f"the key {file} is locked by a passphrase", kind="auth", next=f"ssh-add {file}"
        )
    return UnreachableError(
        f"{file} is not a private key that fleet can read", kind="auth", next=f"ssh-keygen -y -f {file}"
    )
