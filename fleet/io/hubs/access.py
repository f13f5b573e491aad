"""Which model hub is asked, and with which token.

The token is the user's. It goes to the official hub, or to the one that the user's own environment
names: an inventory, which may come from somebody else, cannot send it elsewhere.
"""

import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from fleet.core.errors import FleetError, UsageError
from fleet.core.inventory_words import hub
from fleet.core.secret import Secret
from fleet.sources.huggingface import SITE
from fleet.sources.ollama import SITE as REGISTRY

TOKEN = re.compile("[!-~]{1,500}")  # ASCII without spaces: it becomes a line of HTTP
ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")  # Source: AWS SDKs reference guide
LOOPBACK = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True, slots=True)
class Access:
    """Where to look.

    Attributes:
        environ: FLEET_OLLAMA, HF_ENDPOINT, HF_TOKEN, HF_HOME, XDG_CACHE_HOME, HOME.
        config: fleet's own folder of settings.
        wanted: `hub` of the inventory.
        connections: of one download, as the inventory has it; None: by its size.
        ollama: registry of the inventory. No token goes there.
        s3: server of the inventory for `s3:` sources that name none.
    """

    environ: Mapping[str, str]
    config: Path
    wanted: str | None = None
    connections: int | None = None
    ollama: str | None = None
    s3: str | None = None

    def endpoint(self) -> str:
        """The hub's address, without a slash at its end: HF_ENDPOINT, the inventory's, the official one.

        Raises:
            UsageError: HF_ENDPOINT is not one.
        """
        return self._address("HF_ENDPOINT", self.wanted, SITE)

    def registry(self) -> str:
        """The registry of `ollama:`: FLEET_OLLAMA, the inventory's, the official one. Raises as endpoint."""
        return self._address("FLEET_OLLAMA", self.ollama, REGISTRY)

    def bucket_endpoint(self, named: str | None) -> str | None:
        """The server of a bucket: the source's own, else the environment's, else the inventory's.

        Returns:
            None: as boto3 finds it, which reads the environment itself.
        """
        is_set = any(self.environ.get(name, "").strip() for name in ENDPOINTS)
        return named or (None if is_set else self.s3)

    def _address(self, variable: str, wanted: str | None, usual: str) -> str:
        named = self.environ.get(variable, "").strip()
        if not named:
            return (wanted or usual).rstrip("/")
        try:
            return hub(named).rstrip("/")
        except ValueError as error:
            raise UsageError(f"{variable} {error}", next=f"export {variable}={usual}") from None

    def withheld(self) -> str | None:
        """Why no token is sent there; None: one may be."""
        endpoint = self.endpoint()
        parts = urlsplit(endpoint)
        if parts.scheme != "https" and parts.hostname not in LOOPBACK:
            return f"a token is not sent to {parts.hostname} without https"
        if endpoint != SITE and not self.environ.get("HF_ENDPOINT", "").strip():
            return (
                f"a token is sent to {parts.hostname} only where you name it: export HF_ENDPOINT={endpoint}"
            )
        return None

    def token(self) -> Secret | None:
        """HF_TOKEN, else what the first of the files holds that is there; None where it may not be sent.

        Raises:
            UsageError: HF_TOKEN is no token.
            FleetError: a file is readable by others, or cannot be read.
        """
        if self.withheld() is not None:
            return None
        text = self.environ.get("HF_TOKEN", "").strip()
        if text:
            return _secret(text, "HF_TOKEN", "export HF_TOKEN anew, or unset HF_TOKEN")
        for path in self.files():
            text = _read(path)
            if text:
                return _secret(text, str(path), f"write a token of your account into {path}")
        return None

    def files(self) -> tuple[Path, ...]:
        """Fleet's own, then the one that `hf auth login` writes.

        Source: huggingface_hub, constants.py: HF_HOME, else huggingface in XDG_CACHE_HOME or ~/.cache.
        """
        home = Path(self.environ.get("HOME") or os.path.expanduser("~"))
        cache = Path(self.environ.get("XDG_CACHE_HOME") or home / ".cache")
        return self.config / "hf_token", Path(self.environ.get("HF_HOME") or cache / "huggingface") / "token"


def _secret(text: str, where: str, following: str) -> Secret:
    if not TOKEN.fullmatch(text):
        raise UsageError(f"{where} holds no token: spaces or signs that none has", next=following)
    return Secret(text)


def _read(path: Path) -> str:
    try:
        # Opened first: the file whose rights are looked at is the one that is read.
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise FleetError(f"{path} is not a file", next=f"ls -l {path}")
            if status.st_mode & 0o077 or status.st_uid not in (os.geteuid(), 0):
                raise FleetError(
                    f"the token in {path} can be read by others", next=f"chmod 600 {path}", kind="open-token"
                )
            return file.read(4096).decode("ascii", "replace").strip()
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except OSError as error:
        raise FleetError(f"{path}: {os.strerror(error.errno or 0)}", next=f"ls -l {path}") from error
