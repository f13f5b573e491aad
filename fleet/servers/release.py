"""What a server is started from: build, model and arguments under one name, and its files."""

import json
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from fleet.backends.base import BACKENDS
from fleet.core.errors import PlanError
from fleet.core.facts import Facts
from fleet.core.plan import Artifact, Choice, File
from fleet.core.proof import NOTHING, Expected
from fleet.core.shell import quote
from fleet.models import plan as models
from fleet.platforms.base import program
from fleet.servers.argv import argv, listen_error
from fleet.servers.capabilities import Capabilities
from fleet.servers.companions import Companion, flags
from fleet.servers.devices import device as device_prefix
from fleet.servers.settings import UNSIZED, Sizing, recommend
from fleet.supervisors.base import SUPERVISORS, Service, choose, helpers, packaged

if TYPE_CHECKING:
    from fleet.core.inventory import Host, Server

FORMAT = 1  # raised when servers must be started anew because these files changed
SOCKET_MOST = 103  # bytes of a unix socket path; macOS has the shortest


@dataclass(frozen=True, slots=True)
class Release:
    """A server on one host, complete: nothing of it changes later.

    Attributes:
        rid: 12 hex digits over everything that matters.
        wish: 12 hex digits over what was asked for: the same before and after the build is
            there, which may know other flags and show other devices than was thought.
        launch: shell lines that its backend needs before the program.
        listen: an absolute socket path or ADDRESS:PORT.
        device: prefix of the device that must be used; None for the CPU.
        choices: why its settings are what they are.
        notes: what became of flags that this build calls otherwise.
        parts: hashes of the model's files, where it has several.
        companions: what is served with it; a host keeps all hashes that stand here.
    """

    server: str
    rid: str
    wish: str
    root: str
    home: str
    fingerprint: str
    backend: str
    model: str
    sha256: str
    argv: tuple[str, ...]
    launch: str
    listen: str
    supervisor: str
    device: str | None
    expected: Expected = NOTHING
    choices: tuple[Choice, ...] = ()
    notes: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    companions: tuple[Companion, ...] = ()

    @property
    def socket(self) -> str:
        """The socket path; empty for a TCP listener."""
        return self.listen if self.listen.startswith("/") else ""

    @property
    def address(self) -> str:
        """ADDRESS:PORT; empty for a socket."""
        return "" if self.socket else self.listen

    @property
    def service(self) -> Service:
        title = f"llama-server {self.server}, serving {self.model}"
        return Service(self.server, self.rid, self.root, self.home, title)


def socket_path(root: str, server: str) -> str:
    """Where a server listens by default.

    Raises:
        PlanError: longer than a socket path may be; names the setting `root`.
    """
    path = f"{root}/run/{sha256(server.encode()).hexdigest()[:8]}.sock"
    length = len(path.encode())
    if length > SOCKET_MOST:
        raise PlanError(
            f"server {server}: its socket path has {length} bytes, {SOCKET_MOST} are possible: {path}",
            next=f"set a shorter root for the host in inventory.toml (at most {SOCKET_MOST - 18} bytes)",
        )
    return path


def release(
    server: str,
    wish: "Server",
    host: "Host",
    facts: Facts,
    fingerprint: str,
    backend: str,
    model_sha256: str,
    private_networks: tuple[str, ...] = (),
    *,
    known: Capabilities | None = None,
    sizing: Sizing = UNSIZED,
    expected: Expected = NOTHING,
    model: Artifact | None = None,
    companions: tuple[Companion, ...] = (),
) -> Release:
    """The release that a server should run on a host.

    Args:
        known: what the build's llama-server can do; None where it is not there yet.
        sizing: what the model's header says of its size here.
        expected: what its start should show; changes nothing about the release.
        model: the files of a model that has several.
        companions: what is served with it.

    Raises:
        PlanError: an address it may not listen on, a path too long, a flag that is refused.
    """
    error = listen_error(wish.listen, private_networks, wish.args)
    if error is not None:
        raise PlanError(f"server {server}: {error}", next=f"edit [servers.{server}] in inventory.toml")
    root = facts.root
    listen = socket_path(root, server) if wish.listen == "socket" else wish.listen
    key = f"{root}/services/{server}/key"
    model = model or Artifact("model", model_sha256, wish.model, None)
    beside = flags(server, companions, root, wish.args, known)
    build = next((one for one in facts.builds if one.fingerprint == fingerprint), None)
    choices = recommend(server, wish, facts, backend, build, known, sizing)
    kind = BACKENDS.take(backend)
    arguments, notes = argv(
        *(server, wish, f"{root}/{models.path(model)}", listen, key, choices, known, kind.arguments(host)),
        companions=beside,
    )
    supervisor = choose(facts, host.supervisor)
    launch = kind.launch(facts)
    device = _prefix(wish.devices) if wish.devices else device_prefix(backend)
    values = [FORMAT, server, root, fingerprint, backend, wish.model, model_sha256, listen, supervisor]
    values += [[one.role, one.model, one.sha256] for one in companions]
    return Release(
        server=server,
        rid=_digits([*values, arguments, launch]),
        wish=_digits([*values, wish.model_dump(mode="json")]),
        root=root,
        home=facts.home or "",
        fingerprint=fingerprint,
        backend=backend,
        model=wish.model,
        sha256=model_sha256,
        argv=arguments,
        launch=launch,
        listen=listen,
        supervisor=supervisor,
        device=device,
        expected=expected,
        choices=choices,
        notes=notes,
        parts=tuple(part.id for part in model.parts),
        companions=companions,
    )


def _prefix(devices: str) -> str | None:
    """How the first device of a list is called, without its number; None where it asks for the CPU."""
    first = devices.split(",")[0].strip()
    return None if first.lower() == "none" else first.rstrip("0123456789")


def _digits(values: list[object]) -> str:
    return sha256(json.dumps(values).encode()).hexdigest()[:12]


def files(release: Release) -> tuple[File, ...]:
    """Everything to write before a switch, helpers and the supervisor's own files included."""
    folder = f"releases/{release.server}/{release.rid}"
    document = json.dumps({"format": FORMAT} | asdict(release), indent=1, ensure_ascii=False) + "\n"
    values = {
        "listen": release.listen,
        "model": release.model,
        "backend": release.backend,
        "device": release.device or "",
    }
    lines = "".join(f"{name}={value}\n" for name, value in values.items())
    return (
        File(f"{folder}/RELEASE.json", document),
        File(f"{folder}/release.env", lines),
        File(f"{folder}/run", run_text(release), 0o700),
        *helpers(release.root),
        *SUPERVISORS.take(release.supervisor).files(release.service),
    )


def run_text(release: Release, binary: str | None = None) -> str:
    """The program that a supervisor starts; it becomes llama-server.

    Args:
        binary: another program in its place, for tests of what the real one cannot be brought to do.
    """
    path = binary or f"{release.root}/builds/{release.fingerprint}/bin/llama-server"
    arguments = "set --" + "".join(f" \\\n    {quote(word)}" for word in release.argv) + "\n"
    return program(
        release.launch + arguments + packaged("own", "run"),
        FLEET_ROOT=release.root,
        SERVER=release.server,
        RID=release.rid,
        SOCKET=release.socket,
        BINARY=path,
    )
