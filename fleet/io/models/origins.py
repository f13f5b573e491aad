"""What models are converted from: looked at where it lies, and fetched when a host is to have it."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from fleet.core.conversion import AskState, ConversionNeed, HeldModel, Origin, ReadOrigin, ReadText
from fleet.core.errors import DeadlineError, FleetError, PlanError, StepError, UsageError
from fleet.core.plan import Artifact, size_text
from fleet.core.secret import Secret
from fleet.core.text import safe_line, safe_text
from fleet.io import digest
from fleet.io.exclusive import exclusive
from fleet.io.fetch import answers, download
from fleet.io.hubs.hub import Hub
from fleet.io.models import commits
from fleet.io.models import kept as kept_models
from fleet.io.models.memory import Memory, read_header, unreadable
from fleet.io.shelltext import placed
from fleet.models import folder, gguf, hub, quants, safetensors
from fleet.sources import base as sources
from fleet.sources.base import Local, Repository

if TYPE_CHECKING:
    from fleet.io.artifacts import Artifacts
    from fleet.io.world import World

STATE_DEADLINE = 60.0  # seconds
HEADER_DEADLINE = 120.0  # seconds for one file's header
WHOLE = frozenset({"F32", "F16", "BF16"})  # types of a GGUF that others may be made from
FORM = "hf:OWNER/REPO[@REVISION], file:FOLDER, or file:FILE.gguf of 16 bits"


async def answer(world: "World", artifacts: "Artifacts", need: ConversionNeed) -> object:
    """The answer to one of the needs of fleet.core.conversion."""
    match need:
        case ReadOrigin():
            return await _Origins(world, artifacts).read(need)
        case ReadText(path):
            return await _Origins(world, artifacts).text(Path(path).expanduser())
        case AskState(host, script):
            transport = await world.transport(host)
            said = await transport.run(placed(script, world.root(host)), deadline=STATE_DEADLINE)
            if said.status:
                raise StepError(
                    safe_line(said.err) or "it does not say what it has of conversions", host=host
                )
            return safe_text(said.out)
        case HeldModel(sha256):
            held = kept_models.path(world.folders, sha256)
            return str(held) if held.is_file() else None


class _Origins:
    def __init__(self, world: "World", artifacts: "Artifacts") -> None:
        self.world = world
        self.artifacts = artifacts

    async def read(self, need: ReadOrigin) -> Origin:
        source = need.source
        prefix = source.partition(":")[0]
        if prefix not in ("hf", "file"):
            raise UsageError(f"nothing to convert is {safe_line(source, 80)!r}", next=FORM)
        place = sources.parse(source)
        if isinstance(place, Repository):
            if place.path or place.quant:
                raise UsageError(f"{place} names a file: all of the repository is converted", next=FORM)
            return await self._hub(place, need)
        assert isinstance(place, Local)
        path = Path(place.path).expanduser()
        if path.is_dir():
            return await self._folder(path)
        return await self._gguf(path)

    async def text(self, path: Path) -> Artifact:
        return await self._given(path.name, path)

    async def _given(self, name: str, path: Path) -> Artifact:
        """A file of this machine under its hash, which is read once."""
        try:
            size = path.stat().st_size
            sha256 = Memory.load(self.world.folders.state).sha256(path.absolute())
            if sha256 is None:
                sha256 = await asyncio.to_thread(digest.sha256, path)
                async with exclusive(self.world.folders.state / "models.lock.held"):
                    Memory.load(self.world.folders.state).keep(path.absolute(), sha256)
        except OSError as error:
            raise unreadable(path, error) from error
        if not size:
            raise PlanError(f"{path} is empty", next="name a file with something in it")
        return self._artifact(sha256, name, size, _at(path))

    def _artifact(self, sha256: str, name: str, size: int, get: Callable[[], Awaitable[Path]]) -> Artifact:
        self.artifacts.given[sha256] = get
        return Artifact("given", sha256, name, size)

    async def _folder(self, path: Path) -> Origin:
        where = str(path)
        names = await asyncio.to_thread(lambda: [one.name for one in path.iterdir() if one.is_file()])
        taken = folder.chosen(names, where)
        told = folder.config(await asyncio.to_thread(_start, path / "config.json", folder.MOST_LESSER), where)
        tensors: list[safetensors.Tensor] = []
        for name in taken:
            if name.endswith(".safetensors"):
                tensors += await asyncio.to_thread(_tensors, path / name)
        files = [await self._given(name, path / name) for name in taken]
        return _origin(path.absolute().name, f"file:{path.absolute()}", files, told, tensors)

    async def _gguf(self, path: Path) -> Origin:
        def look() -> gguf.Header:
            try:
                return read_header(path)
            except OSError as error:
                raise unreadable(path, error) from error

        found = await asyncio.to_thread(look)
        if found.split_count > 1:
            raise PlanError(
                f"{path} is one of {found.split_count} files",
                next="llama-gguf-split --merge FIRST_FILE ONE_FILE.gguf, and name ONE_FILE.gguf",
            )
        number = found.values.get("general.file_type")
        quant = quants.of_file(number) if isinstance(number, int) else None
        if quant is None or quant.name not in WHOLE:
            raise PlanError(
                f"{path} is quantised already ({quant.name if quant else 'unknown'}): made smaller again it "
                "would lose twice",
                kind="quantised",
                next="convert from the original: hf:OWNER/REPO, or a GGUF of F16 or BF16",
            )
        count = (found.weights or 0) // (4 if quant.name == "F32" else 2)
        head = found.sums.embedding
        file = await self._given("base.gguf", path)
        name = path.stem.lower().removesuffix(f"-{quant.name.lower()}")
        return Origin(
            name=name,
            place=f"file:{path.absolute()}",
            files=(file,),
            is_gguf=True,
            architecture=found.architecture,
            matrices=count,
            vectors=0,
            largest=head.shape[0] * head.rows if head else count,
            vocabulary=head.rows if head else None,
            dtype=quant.name,
        )

    async def _hub(self, place: Repository, need: ReadOrigin) -> Origin:
        at, base = Hub(self.artifacts.access), Path(self.world.inventory.path).resolve().parent
        listing = await commits.listing(
            *(place, at, base, self.world.folders, self.artifacts.tell), renew=need.renew, pin=need.pin
        )
        where = f"{place.id} at commit {listing.commit[:12]}"
        listed = {file.path: file for file in listing.files}
        files: list[Artifact] = []
        tensors: list[safetensors.Tensor] = []
        told = None
        for name in folder.chosen(listed, where):
            get = self._fetched(at, place, listing.commit, listed[name])
            if name.endswith(".safetensors"):
                url = at.url(place, listing.commit, name)
                tensors += await _remote_tensors(at.key, url, name, at.check(place))
            elif listed[name].size > folder.MOST_LESSER:
                raise PlanError(f"{name} of {where} has {size_text(listed[name].size)}", next="look at it")
            sha256 = listed[name].sha256
            if sha256 is None or name == "config.json":  # the hub names hashes only of what lies in LFS
                path = await get()
                sha256 = await asyncio.to_thread(digest.sha256, path)
                told = folder.config(path.read_bytes(), where) if name == "config.json" else told
            files.append(self._artifact(sha256, name, listed[name].size, get))
        assert told is not None
        return _origin(place.name, f"hf:{place.id}@{listing.commit}", files, told, tensors)

    def _fetched(
        self, at: Hub, place: Repository, commit: str, file: hub.Listed
    ) -> Callable[[], Awaitable[Path]]:
        top = self.world.folders.cache / "given" / f"{place.owner}--{place.name}" / commit
        path = top / file.path

        async def get() -> Path:
            async with exclusive(top / f"{file.path}.lock"):
                if not path.is_file():
                    part = top / f"{file.path}.part"
                    want = answers.Want(at.key, at.check(place), file.size)
                    self.artifacts.tell(f"fetching {file.path} of {place.id}, {size_text(file.size)}")
                    await download.download(
                        at.url(place, commit, file.path), part, self.artifacts.tell, want=want
                    )
                    if file.sha256 and await asyncio.to_thread(digest.sha256, part) != file.sha256:
                        download.forget(part)
                        raise PlanError(
                            f"{file.path} of {place.id} came with other bytes than the hub names",
                            kind="wrong-sha256",
                            next="the same command again",
                        )
                    part.replace(path)
                    download.forget(part)
            return path

        return get


def _origin(
    name: str,
    place: str,
    files: Sequence[Artifact],
    told: folder.Config,
    tensors: Sequence[safetensors.Tensor],
) -> Origin:
    if not tensors:
        raise PlanError(f"{place} has no weights", next="download it again")
    kinds: dict[str, int] = {}
    for one in tensors:
        kinds[one.dtype] = kinds.get(one.dtype, 0) + one.elements
    return Origin(
        name=name.lower(),
        place=place,
        files=tuple(files),
        is_gguf=False,
        architecture=told.architecture,
        matrices=sum(one.elements for one in tensors if len(one.shape) > 1),
        vectors=sum(one.elements for one in tensors if len(one.shape) < 2),
        largest=max(one.elements for one in tensors),
        vocabulary=told.vocabulary,
        dtype=told.quantised or max(kinds, key=lambda kind: kinds[kind]),
    )


def _at(path: Path) -> Callable[[], Awaitable[Path]]:
    async def get() -> Path:
        return path

    return get


def _start(path: Path, count: int) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(count)
    except OSError as error:
        raise unreadable(path, error) from error


def _tensors(path: Path) -> tuple[safetensors.Tensor, ...]:
    length = safetensors.length(_start(path, 8), path.name)
    return safetensors.tensors(_start(path, 8 + length)[8:], path.name)


async def _remote_tensors(
    key: Secret | None, url: str, name: str, check: answers.Check
) -> tuple[safetensors.Tensor, ...]:
    """The header of a file behind http; no more than that is read."""
    try:
        async with asyncio.timeout(HEADER_DEADLINE), answers.client(20.0, key) as client:
            start = await _piece(client, url, 0, 8, check)
            length = safetensors.length(start, name)
            return safetensors.tensors(await _piece(client, url, 8, length, check), name)
    except (TimeoutError, httpx.TimeoutException) as error:
        raise DeadlineError(f"no header of {name} in {HEADER_DEADLINE:g} s", next="the same again") from error
    except httpx.TransportError as error:
        raise answers.broken(url, error) from error


async def _piece(client: httpx.AsyncClient, url: str, start: int, count: int, check: answers.Check) -> bytes:
    async with client.stream("GET", url, headers={"Range": f"bytes={start}-{start + count - 1}"}) as response:
        check(url, response)
        if response.status_code != 206:
            raise FleetError(f"{answers.shown(url)} cannot be read in parts", next="another hub")
        data = bytearray()
        async for piece in response.aiter_raw():
            data += piece
            if len(data) >= count:
                break
    return bytes(data[:count])
