"""A host with what fleet left on it, as the tests of a deploy look at it."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.controller import Controller, user_cache
from tests.embedded import EmbeddedHost
from tests.rig.hosts import RigHost

PS = ("ps", "-axww", "-o", "pid=,args=")
CHUNK = 16 << 20  # bytes; the unit of a push
PATIENCE = 60.0  # seconds until a folder is given up that changes at each look


@dataclass(frozen=True, slots=True)
class Site:
    """One host, the controller that works on it, and how the host looks from inside."""

    controller: Controller
    host: EmbeddedHost | RigHost

    @property
    def name(self) -> str:
        return self.host.name

    @property
    def home(self) -> Path:
        """The login user's home, seen from this machine."""
        if isinstance(self.host, EmbeddedHost):
            return self.host.home
        return self.host.files / "root" / "home" / self.host.user

    @property
    def root(self) -> Path:
        """Where fleet lives there, seen from this machine."""
        return self.home / ".local" / "share" / "fleet"

    def llama_servers(self) -> list[str]:
        """The processes of llama-server that belong to this host: `PID COMMAND…`."""
        if isinstance(self.host, RigHost):
            text = self.host.exec(*PS)
        else:
            text = subprocess.run(PS, check=True, capture_output=True, text=True).stdout
            text = "\n".join(line for line in text.splitlines() if str(self.home) in line)
        return [
            line.strip() for line in text.splitlines() if re.search(r"^ *\d+ \S+/bin/llama-server ", line)
        ]

    def pid(self) -> int:
        """Of the one llama-server that runs."""
        (line,) = self.llama_servers()
        return int(line.split()[0])

    def server(self, name: str = "chat") -> Mapping[str, object]:
        """What `status --json` says of a server."""
        document = self.controller.well("status", self.name, "--json").json
        (host,) = document["hosts"]
        found: Mapping[str, object] = next(one for one in host["servers"] if one["name"] == name)
        return found

    def listing(self) -> list[str]:
        """Every path in the home, with the size of files; but for what a probe remembers of tools."""
        end = time.monotonic() + PATIENCE
        while True:
            try:
                return sorted(
                    f"{path.relative_to(self.home)} {path.lstat().st_size if path.is_file() else '-'}"
                    for path in self.home.rglob("*")
                    if path != self.root / "cache" / "tools"
                )
            except FileNotFoundError:  # a program there renamed what it wrote while we looked
                if time.monotonic() > end:
                    raise

    def halves(self) -> list[str]:
        """Files and folders that have their final name and are not what the name says; must be none."""
        wrong = []
        for model in self.root.glob("models/*/model.gguf"):
            if digest(model) != model.parent.name:
                wrong.append(str(model))
        for build in self.root.glob("builds/[0-9a-f]*"):
            try:
                files = json.loads((build / "BUILD.json").read_text())["files"]
                if any(digest(build / "bin" / name) != sha256 for name, sha256 in files.items()):
                    wrong.append(str(build))
            except (OSError, ValueError, KeyError):
                wrong.append(str(build))
        for source in self.root.glob("sources/*.tar.gz"):
            if subprocess.run(["gzip", "-t", str(source)], check=False, capture_output=True).returncode:
                wrong.append(str(source))
        return wrong

    def verified(self, file: Path) -> int:
        """Bytes of whole chunks of a file that a part on the host holds already."""
        part = self.root / "parts" / f"{digest(file)}.part"
        if not part.exists():
            return 0
        held = 0
        with open(part, "rb") as there, open(file, "rb") as here:
            while wanted := here.read(CHUNK):
                held += len(wanted) if there.read(CHUNK) == wanted else 0
        return held


def digest(file: Path) -> str:
    with open(file, "rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def bare_cache(folder: Path) -> Path:
    """An XDG_CACHE_HOME with the user's downloads in it, and not one finished build."""
    real, bare = user_cache(), folder / "fleet"
    passing = shutil.ignore_patterns("*.new", "*.lock")  # other test runs write and hold them
    for name in ("downloads", "models", "manifests", "artifacts/source"):
        if (real / name).is_dir():
            (bare / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copytree(real / name, bare / name, ignore=passing, copy_function=_link)
    return folder


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except FileNotFoundError:  # another test run is done with it
        return
    except OSError:  # another file system
        shutil.copy2(source, target)
