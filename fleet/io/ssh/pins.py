"""Host keys that a person agreed to: fleet's own store, and what known_hosts files say."""

import contextlib
import fcntl
import functools
import json
import os
import stat
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import asyncssh

from fleet.core.errors import FleetError, UnreachableError
from fleet.io.ports import Clock

SCHEMA = "fleet.pins/1"
LARGEST = 64 << 20  # bytes of a known_hosts file


@dataclass(frozen=True, slots=True)
class Pin:
    """The key a host must show."""

    fingerprint: str  # SHA256:…
    algorithm: str  # ssh-ed25519
    key: str  # one line as in known_hosts, without the host
    address: str  # where it was met, for people
    source: str  # "you" or the file it was copied from
    since: float  # Unix seconds


class Pins:
    """The pin store: one JSON file, read anew when it changed, replaced atomically."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self.path = folder / "pins.json"
        self._clock = clock
        self._pins: dict[str, Pin] = {}
        self._seen: tuple[int, int] | None = None

    def get(self, name: str) -> Pin | None:
        self._read()
        return self._pins.get(name)

    def trust(self, name: str, key: asyncssh.SSHKey, address: str, source: str = "you") -> Pin:
        """Pins the key to the host of this name, in place of an older one."""
        pin = Pin(
            fingerprint=key.get_fingerprint(),
            algorithm=key.get_algorithm(),
            key=key.export_public_key("openssh").decode().strip(),
            address=address,
            source=source,
            since=self._clock.now(),
        )
        self._change(lambda pins: pins.__setitem__(name, pin))
        return pin

    def forget(self, name: str) -> bool:
        """Whether there was one."""
        was = self.get(name) is not None
        if was:
            self._change(lambda pins: pins.pop(name, None))
        return was

    def _change(self, change: Callable[[dict[str, Pin]], object]) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with Locked(self.path.with_suffix(".lock")):
            self._read()
            change(self._pins)
            document = {"schema": SCHEMA, "hosts": {name: asdict(pin) for name, pin in self._pins.items()}}
            replace(self.path, json.dumps(document, indent=1, ensure_ascii=False).encode() + b"\n")
            self._seen = None

    def _read(self) -> None:
        try:
            status = self.path.stat()
        except FileNotFoundError:
            self._pins, self._seen = {}, None
            return
        if self._seen == (status.st_mtime_ns, status.st_ino):
            return
        try:
            document = json.loads(self.path.read_bytes())
            self._pins = {name: Pin(**pin) for name, pin in document["hosts"].items()}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            # Forgetting the pins would let a changed key look like a new host.
            raise FleetError(
                f"the host keys in {self.path} cannot be read",
                next=f"mv {self.path} {self.path}.broken",
                kind="pins",
            ) from error
        self._seen = (status.st_mtime_ns, status.st_ino)


class Known:
    """What files in the format of known_hosts say. Read only."""

    def __init__(self, paths: Iterable[str | Path]) -> None:
        self.paths = tuple(Path(path).expanduser() for path in paths)

    def keys(self, names: Iterable[str], port: int) -> tuple[list[asyncssh.SSHKey], list[asyncssh.SSHKey]]:
        """Keys listed for a host, and keys revoked for it.

        Args:
            names: the alias, host name and address it goes by.
            port: a port other than 22 needs an entry `[name]:port`, as in ssh.
        """
        wanted = [name if port == 22 else f"[{name}]:{port}" for name in dict.fromkeys(names) if name]
        trusted: list[asyncssh.SSHKey] = []
        revoked: list[asyncssh.SSHKey] = []
        for path in self.paths:
            known = _load(path)
            if known is None:
                continue
            for name in wanted:
                keys, _, bad, *_ = known.match(name, "", None)
                trusted += [key for key in keys if key not in trusted]
                revoked += [key for key in bad if key not in revoked]
        return trusted, revoked


class Locked:
    """One process at a time changes a file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        self._file = os.open(self._path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        fcntl.flock(self._file, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        os.close(self._file)


def replace(path: Path, data: bytes) -> None:
    """Writes a file so that a reader, or a power cut, sees the old or the new one."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _load(path: Path) -> asyncssh.SSHKnownHosts | None:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            return None  # /dev/null knows nobody, and another device may never end
        if status.st_size > LARGEST:
            raise UnreachableError(f"{path} is too large for known hosts", next=f"ls -l {path}")
        return _parsed(path, status.st_mtime_ns, status.st_size)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise UnreachableError(
            f"the known hosts in {path} cannot be read: {os.strerror(error.errno or 0)}",
            next=f"chmod u+r {path}",
        ) from error


@functools.lru_cache(maxsize=64)
def _parsed(path: Path, changed: int, size: int) -> asyncssh.SSHKnownHosts:
    """Once for each state of the file: hundreds of hosts may share a long one."""
    known = asyncssh.SSHKnownHosts()
    for line in path.read_text(errors="replace").splitlines():
        # One odd line must not hide the others.
        with contextlib.suppress(ValueError, asyncssh.KeyImportError):
            known.load(line)
    return known
