"""Answers flows that ask about models that are kept: the controller's cache, and a host's store."""

import asyncio
import contextlib
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fleet.core.errors import FleetError, PlanError, UsageError
from fleet.core.names import nearest
from fleet.core.shell import quote
from fleet.core.stock import (
    Cached,
    CheckCached,
    Checked,
    Known,
    Pull,
    Pulled,
    ReadHeld,
    ReadStock,
    Stocked,
    StoreNeed,
    Survey,
)
from fleet.core.text import safe_line, safe_text
from fleet.io import digest
from fleet.io.models import lock_file
from fleet.io.models.memory import FIRST, Memory, read_header
from fleet.io.shelltext import packaged, placed
from fleet.models import gguf
from fleet.models.fixed import Fixed
from fleet.models.hub import Pinned
from fleet.models.quants import of_file
from fleet.models.splits import places, set_id
from fleet.models.weights import Weights, join
from fleet.platforms.base import program
from fleet.sources import base as sources
from fleet.sources.base import Local, Place

if TYPE_CHECKING:
    from fleet.core.inventory import Model
    from fleet.io.artifacts import Artifacts
    from fleet.io.world import World

SURVEY_DEADLINE = 90.0  # seconds
MOST_HEADER = 64 << 20  # bytes of a header that is read over a link


class Stock:
    """What one run asked; each thing once."""

    def __init__(self, world: "World", artifacts: "Artifacts") -> None:
        self.world = world
        self.artifacts = artifacts
        self._checked: dict[str, Checked] = {}

    @property
    def folder(self) -> Path:
        return self.world.folders.cache / "models"

    async def answer(self, need: StoreNeed) -> Any:
        match need:
            case ReadStock():
                return await asyncio.to_thread(self._stocked)
            case Pull(name):
                return await self._pull(name)
            case CheckCached(wanted):
                async with self.world.fetching("checked models"):
                    return tuple([found for one in wanted if (found := await self._check(one)) is not None])
            case Survey(host):
                return await self._survey(host)
            case ReadHeld():
                return await self._held(need)

    def _stocked(self) -> Stocked:
        memory = Memory.load(self.world.folders.state)
        base = Path(self.world.inventory.path).resolve().parent
        hubs: Mapping[str, Pinned] = {}
        others: Mapping[str, Fixed] = {}
        with contextlib.suppress(FleetError):
            hubs = lock_file.read(lock_file.path_of(base))
            others = lock_file.read_fixed(lock_file.path_of(base))
        known = tuple(
            self._known(name, model, memory, base, _locked(sources.parse(model.source), hubs, others))
            for name, model in self.world.inventory.models.items()
        )
        whole = sorted(self.folder.glob("*.gguf"))
        cached = [Cached(file.stem, file.stat().st_size, str(file), _packed(file)) for file in whole]
        for part in sorted(self.folder.glob("*.part")):
            with contextlib.suppress(OSError):
                cached.append(Cached(None, part.stat().st_blocks * 512, str(part), None))
        try:
            free = shutil.disk_usage(self.world.folders.cache).free
        except OSError:
            free = None
        return Stocked(known, tuple(cached), free)

    def _known(
        self,
        name: str,
        model: "Model",
        memory: Memory,
        base: Path,
        locked: Sequence[Pinned | Fixed],
    ) -> Known:
        place = sources.parse(model.source)
        file, size, pin = None, None, None
        sha256, parts = model.sha256, model.parts
        if parts:
            sha256 = set_id(parts)
        if isinstance(place, Local):
            with contextlib.suppress(RuntimeError, OSError):
                file = (base / Path(place.path).expanduser()).absolute()
                size = file.stat().st_size
        if sha256 is not None:
            pin = "inventory"
        elif locked:
            size, pin = sum(one.size for one in locked), "fleet.lock"
            hashes = tuple(one.sha256 for one in locked)
            sha256, parts = (hashes[0], ()) if len(hashes) == 1 else (set_id(hashes), hashes)
        else:
            sha256 = memory.learned_sha256(str(place) if file is None else f"file:{file}")
            if file is not None and size is not None:  # what it is now, not what it was when it was learned
                sha256 = memory.sha256(file)
            pin = None if sha256 is None else "seen"
        copies = [self.folder / f"{one}.gguf" for one in parts or (sha256,)]
        if file is None and sha256 is not None and all(copy.is_file() for copy in copies):
            file = copies[0]
            size = sum(copy.stat().st_size for copy in copies)
        here = file if size is not None else None
        packed = _packed(here) if here is not None else None
        return Known(name, model.source, sha256, size, pin, packed, str(here) if here else None, parts)

    async def _pull(self, name: str) -> Pulled:
        if name not in self.world.inventory.models:
            near = nearest(name, self.world.inventory.models) or sorted(self.world.inventory.models)[:8]
            raise UsageError(
                f"no model called {safe_line(name, 80)!r}",
                next=f"one of: {', '.join(near)}" if near else "fleet config show",
            )
        before = await asyncio.to_thread(self._files)
        found = await self.artifacts.model(name)
        paths = [await self.artifacts.path(one, self.world.say, "") for one in found.parts or (found,)]
        is_new = any(path.parent == self.folder and path.name not in before for path in paths)
        size = sum(path.stat().st_size for path in paths)
        return Pulled(name, found.id, size, str(paths[0]), is_new)

    def _files(self) -> set[str]:
        return {path.name for path in self.folder.glob("*.gguf")}

    async def _check(self, sha256: str) -> Checked | None:
        file = self.folder / f"{sha256}.gguf"
        if sha256 not in self._checked and file.is_file():
            self._checked[sha256] = await asyncio.to_thread(self._read, sha256, file)
        return self._checked.get(sha256)

    def _read(self, sha256: str, file: Path) -> Checked:
        """Every byte; what was remembered of the file is not asked."""
        size = file.stat().st_size
        try:
            if digest.sha256(file) == sha256:
                return Checked(sha256, size, True, None)
        except OSError:
            pass  # a disk that cannot read it has damaged it
        aside = self.folder / "damaged" / file.name
        aside.parent.mkdir(exist_ok=True)
        file.replace(aside)
        return Checked(sha256, size, False, str(aside))

    async def _survey(self, host: str) -> dict[str, int]:
        transport = await self.world.transport(host)
        script = placed(packaged("survey"), self.world.root(host))
        answer = await transport.run(script, deadline=SURVEY_DEADLINE)
        pairs = (line.split() for line in safe_text(answer.out).splitlines())
        return {
            words[0]: int(words[1]) * 1024
            for words in pairs
            if len(words) == 2 and words[1].isascii() and words[1].isdigit() and len(words[1]) < 16
        }

    async def _held(self, need: ReadHeld) -> Weights:
        transport = await self.world.transport(need.host)
        path = f'"$FLEET_ROOT"/models/{quote(need.sha256)}/model.gguf'
        count = FIRST
        while True:
            data = bytearray()
            script = placed(program(f"head -c {count} {path}\n"), self.world.root(need.host))
            status = await transport.drain(script, data.extend, deadline=300)
            if status:
                raise PlanError(
                    "the model cannot be read there", host=need.host, next=f"fleet facts {need.host}"
                )
            try:
                return join(need.sha256[:12], [(gguf.header(bytes(data), need.size), need.size)], need.sha256)
            except gguf.Short as short:
                count = max(short.need, 4 * count)
                if count > MOST_HEADER or len(data) >= need.size:
                    raise PlanError("its header is longer than any model's", host=need.host) from short


def _locked(
    place: Place, hubs: Mapping[str, Pinned], others: Mapping[str, Fixed]
) -> Sequence[Pinned | Fixed]:
    """The files that fleet.lock says a source stands for; empty where it says nothing."""
    if str(place) in hubs:
        return hubs[str(place)].files
    try:
        found = [others.get(str(each)) for each in places(place)]
    except PlanError:  # a name that is none of a first part
        return ()
    return [one for one in found if one] if all(found) else ()


def _packed(file: Path) -> str | None:
    """How a file's weights are packed, as its header says; None where it does not."""
    try:
        number = read_header(file).values.get("general.file_type")
    except (FleetError, OSError):
        return None
    found = of_file(number) if isinstance(number, int) else None
    return found.name if found else None
