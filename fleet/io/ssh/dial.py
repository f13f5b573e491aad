"""Making one SSH connection, by the rules."""

import getpass
import logging
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import asyncssh
from asyncssh.config import SSHClientConfig

from fleet.core.errors import FleetError
from fleet.io import failures
from fleet.io.failures import TRANSLATED, Place
from fleet.io.ports import Clock, Random
from fleet.io.ssh.gate import Gate, Pass
from fleet.io.ssh.pins import Known, Pins
from fleet.io.ssh.trust import Judge

if TYPE_CHECKING:
    from fleet.core.inventory import Host

CONNECT = 10.0  # seconds for all of it
KEEPALIVE = 5  # seconds; a dead peer is noticed after (3 + 1) of them
KEEPALIVES = 3
TRIES = 5  # where sshd hangs up before it shows a key, as it does beyond MaxStartups

# AES-GCM costs 1.6 times less CPU than asyncssh's first choice.
CIPHERS = (
    "aes128-gcm@openssh.com",
    "aes256-gcm@openssh.com",
    "chacha20-poly1305@openssh.com",
    "aes256-ctr",
    "aes192-ctr",
    "aes128-ctr",
)
logging.getLogger("asyncssh").addHandler(logging.NullHandler())  # what matters is raised
Lost = Callable[[BaseException | None], None]


@dataclass(frozen=True, slots=True)
class Route:
    """A host of the inventory as asyncssh wants it."""

    place: Place
    options: dict[str, Any]
    judge: Judge
    entrance: str  # what is really connected to


class Client(asyncssh.SSHClient):
    """Asks the judge about keys, and tells when the connection ends."""

    def __init__(self, judge: Judge, place: Pass, on_lost: Lost) -> None:
        self._judge = judge
        self._place = place
        self._on_lost = on_lost
        self._is_up = False

    def connection_made(self, conn: asyncssh.SSHClientConnection) -> None:
        self._place.met()

    def validate_host_public_key(self, host: str, addr: str, port: int, key: asyncssh.SSHKey) -> bool:
        return self._judge.accepts(host, addr, port, key)

    def auth_completed(self) -> None:
        self._is_up = True

    def connection_lost(self, exc: Exception | None) -> None:
        if self._is_up:
            self._on_lost(exc)


def route(name: str, host: "Host", pins: Pins, ssh_config: Path | None) -> Route:
    """How to get to a host.

    Args:
        ssh_config: the file that knows the aliases; None is the user's own. It is read
            only for a host with `ssh = "alias"`, and there it wins over the inventory.
    """
    file = ssh_config or Path("~/.ssh/config").expanduser()
    files = [str(file)] if host.ssh and file.exists() else []
    config = SSHClientConfig.load(None, files, False, False, False, getpass.getuser(), (), host.ssh or "", ())
    said: dict[str, Any] = dict(config.get_options(False))
    address = str(said.get("Hostname", host.ssh)) if host.ssh else str(host.address)
    port = int(said.get("Port", host.port or 22))
    user = str(said.get("User", host.user or getpass.getuser()))
    keys = tuple(str(path) for path in said.get("IdentityFile", ()))
    identity = str(Path(host.identity).expanduser()) if host.identity and not keys else None
    jump = said.get("ProxyJump")
    place = Place(
        name,
        address,
        port,
        user,
        identity or next(iter(keys), None),
        host.ssh,
        jump,
        _words(said.get("ProxyCommand")),
    )
    names = (str(said.get("HostKeyAlias", "")), host.ssh or "", address)
    judge = Judge(
        name,
        host.host_key,
        Known([host.known_hosts]) if host.known_hosts else None,
        Known(said.get("UserKnownHostsFile") or ["~/.ssh/known_hosts"]),
        pins,
        tuple(dict.fromkeys(name for name in names if name)),
    )
    options: dict[str, Any] = {
        "host": host.ssh or address,
        "config": files or None,
        "port": port,
        "username": user,
        **_keys(identity),
    }
    return Route(place, options, judge, str(jump).split(",")[0] if jump else f"{address}:{port}")


async def dial(
    way: Route, *, gate: Gate, clock: Clock, random: Random, on_lost: Lost, patience: float = CONNECT
) -> asyncssh.SSHClientConnection:
    """A connection that is logged in.

    Raises:
        UnreachableError: of kind unreachable, auth, host-key-unknown, host-key-changed
            or ssh-config.
    """
    for left in reversed(range(TRIES)):
        try:
            async with gate.passing(way.entrance) as place:
                return await _connect(way, place, on_lost, patience)
        except (asyncssh.ConnectionLost, ConnectionResetError) as error:
            if not left or way.judge.shown is not None or way.place.proxy:
                raise failures.login(error, way.place, is_met=way.judge.shown is not None) from error
        except TRANSLATED as error:
            raise _refusal(error, way) from error
        await clock.sleep(random.uniform(0.2, 1.0) * (TRIES - left))
    raise AssertionError("the last try returns or raises")


async def shown_key(way: Route, *, gate: Gate) -> asyncssh.SSHKey:
    """The key the host shows, for a person to agree to. Nobody logs in.

    Raises:
        UnreachableError: the host was not reached.
    """
    stranger = Judge(way.judge.name, "none", None, Known([]), way.judge.pins, way.judge.names)
    try:
        async with gate.passing(way.entrance) as place:
            conn = await _connect(
                Route(way.place, way.options, stranger, way.entrance), place, lambda _: None, CONNECT
            )
            conn.abort()
    except TRANSLATED as error:
        if stranger.shown is None:
            raise failures.login(error, way.place, is_met=False) from error
    assert stranger.shown is not None
    return stranger.shown


async def _connect(way: Route, place: Pass, on_lost: Lost, patience: float) -> asyncssh.SSHClientConnection:
    algorithms = way.judge.algorithms(way.place.port)
    try:
        return await _once(way, place, algorithms, on_lost, patience)
    except asyncssh.HostKeyNotVerifiable:
        # A fingerprint does not say of which type its key is: look at the host's others.
        if not way.judge.wanted or way.judge.shown is None:
            raise
        first = way.judge.shown
        seen = {alg.decode() for alg in first.sig_algorithms}
        while others := [name for name in algorithms if name not in seen]:
            try:
                return await _once(way, place, others, on_lost, patience)
            except asyncssh.HostKeyNotVerifiable:
                seen |= {alg.decode() for alg in way.judge.shown.sig_algorithms}
            except (asyncssh.KeyExchangeFailed, asyncssh.ConnectionLost, ConnectionResetError):
                break  # it has no such key; OpenSSH hangs up where others say so
        way.judge.shown = first
        raise


async def _once(
    way: Route, place: Pass, algorithms: Sequence[str], on_lost: Lost, patience: float
) -> asyncssh.SSHClientConnection:
    return await asyncssh.connect(
        **way.options,
        client_factory=lambda: Client(way.judge, place, on_lost),
        # Empty lists, not an empty value: that would mean the user's own file.
        known_hosts=([], [], []),
        server_host_key_algs=algorithms,
        encryption_algs=CIPHERS,
        agent_forwarding=False,
        x11_forwarding=False,
        request_pty=False,
        preferred_auth=("publickey",),
        gss_auth=False,
        gss_kex=False,
        connect_timeout=patience,
        login_timeout=patience,
        keepalive_interval=KEEPALIVE,
        keepalive_count_max=KEEPALIVES,
        utf8_decode_errors="replace",
        compression_algs=None,
    )


def _words(command: Any) -> str | None:
    """A ProxyCommand, which asyncssh has as text or as words."""
    return command if command is None or isinstance(command, str) else " ".join(command)


def _keys(identity: str | None) -> dict[str, Any]:
    if identity is None:
        return {}
    public = Path(identity + ".pub")
    # An encrypted key is of use only through the agent, which needs its public half.
    if not public.exists() or not os.environ.get("SSH_AUTH_SOCK"):
        return {"client_keys": [identity], "agent_path": None}
    return {"client_keys": [identity], "agent_identities": [str(public)], "ignore_encrypted": True}


def _refusal(error: BaseException, way: Route) -> FleetError:
    if isinstance(error, asyncssh.HostKeyNotVerifiable) and (refusal := way.judge.refusal()):
        return refusal
    if isinstance(error, asyncssh.PermissionDenied) and way.place.identity:
        # Without a passphrase a locked key was not even offered.
        try:
            asyncssh.read_private_key(way.place.identity)
        except (asyncssh.KeyImportError, OSError) as reason:
            error = reason
    return failures.login(error, way.place, is_met=way.judge.shown is not None)
