"""A controller that looks for one model, and what it was told."""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

import fleet.builds
from fleet.core.inventory import Model
from fleet.io.hubs.access import Access
from fleet.io.models import search as model_search

GGUF = (Path(fleet.builds.__file__).parent / "smoke.gguf").read_bytes()


SHA256 = hashlib.sha256(GGUF).hexdigest()


OTHER = "0" * 64


@dataclass
class Here:
    """A controller: folders, an inventory's folder, and what it was told."""

    base: Path
    state: Path
    cache: Path
    config: Path
    said: list[str] = field(default_factory=list)
    environ: dict[str, str] = field(default_factory=dict)
    hub: str | None = None  # of the inventory

    @property
    def access(self) -> Access:
        return Access({"HOME": str(self.base)} | self.environ, self.config, self.hub)

    async def find(self, source: str, sha256: str | None = SHA256, unpinned: bool = False):
        self.model = Model(source=source, sha256=sha256, allow_unpinned=unpinned)
        self.found = await model_search.find(
            "tiny", self.model, self.base, self, self.access, self.said.append
        )
        return self.found

    async def path(self) -> Path:
        return await model_search.path(
            "tiny", self.model, self.found, self.base, self, self.access, self.said.append
        )

    def kept(self) -> list[str]:
        """What lies in the cache, lock files excepted."""
        return sorted(p.name for p in (self.cache / "models").glob("*") if p.suffix != ".lock")
