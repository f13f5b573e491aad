"""Programs in a release archive, tar.gz or zip, read with distrust and packed anew."""

import functools
import posixpath
import re
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from fleet.core.errors import FleetError
from fleet.core.plan import size_text
from fleet.core.text import safe_line
from fleet.io.builds.archive import MOST, clean_name, header, hostile, link_target, writing

LARGEST = 4 << 30  # bytes of all members, unpacked; a release for CUDA has 1.5 GB
NEEDED = ("llama-server", "llama-bench")
# of a release: what fleet starts, and what that loads from beside it
KEPT = re.compile(
    r"llama-server|llama-bench|llama-fit-params|(ggml-)?rpc-server|"
    r"[\w.+-]+\.(so(\.[\w.-]+)?|dylib|metal|metallib)"
)
HOPS = 8  # links behind links
# the last is what zipfile says of a password
DAMAGED = (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, ValueError, RuntimeError)
OTHER = 'another archive, or source = "git:URL" and ref = "TAG" under [llama_cpp]'


@dataclass(frozen=True, slots=True)
class Member:
    """A file, or a link where it has a target."""

    name: str  # clean, relative
    size: int  # bytes
    target: str | None
    open: Callable[[], IO[bytes] | None]


def repack(file: Path, to: Path, shown: str) -> None:
    """What lies beside the archive's llama-server and belongs to it, below `bin/`. Nothing is unpacked.

    Args:
        shown: the name of the archive, for messages.

    Raises:
        FleetError: it is damaged, hostile, or holds no llama-server that could be used.
        OSError: the disk of this machine.
    """
    try:
        if zipfile.is_zipfile(file):
            with zipfile.ZipFile(file) as archive:
                _write(_bounded(_zipped(archive)), to, shown)
        else:
            with tarfile.open(file, "r:gz") as tar:
                _write(_bounded(_tarred(tar)), to, shown)
    except (*DAMAGED, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise  # of the disk; that a member is shorter than it claims comes without a number
        raise FleetError(
            f"{shown} is no whole tar.gz or zip archive: {safe_line(str(error), 200)}",
            kind="source",
            next="fetch it again",
        ) from error


def _tarred(tar: tarfile.TarFile) -> Iterator[Member]:
    for info in tar:
        if info.size < 0:  # tarfile would go back and forth for ever
            raise hostile(f"a file of negative size: {safe_line(info.name, 100)}")
        name = clean_name(info.name)
        if info.isdir():
            continue
        if not (info.isfile() or info.issym() or info.islnk()):
            raise hostile(f"a device: {safe_line(info.name, 100)}")
        target = info.linkname if info.issym() else None
        if info.islnk():  # to a name from the top; kept as a link from beside
            target = posixpath.relpath(clean_name(info.linkname), posixpath.dirname(name) or ".")
        yield Member(name, info.size, target, functools.partial(tar.extractfile, info))


def _zipped(archive: zipfile.ZipFile) -> Iterator[Member]:
    for info in archive.infolist():
        name = clean_name(info.filename)
        kind = stat.S_IFMT(info.external_attr >> 16)
        if info.is_dir():
            continue
        if kind not in (0, stat.S_IFREG, stat.S_IFLNK):
            raise hostile(f"a device: {safe_line(info.filename, 100)}")
        target = None
        if kind == stat.S_IFLNK:
            if info.file_size > 4096:
                raise hostile(f"a link of {info.file_size} bytes: {safe_line(info.filename, 100)}")
            target = archive.read(info).decode("utf-8", "surrogateescape")
        yield Member(name, info.file_size, target, functools.partial(archive.open, info))


def _bounded(members: Iterator[Member]) -> dict[str, Member]:
    """By name; links lead to members of the archive."""
    found: dict[str, Member] = {}
    size = 0
    for member in members:
        size += member.size
        if size > LARGEST or len(found) >= MOST:
            raise hostile(f"more than {size_text(LARGEST)} or {MOST} files")
        if member.target is not None:
            link_target(member.name, member.target)
        found[member.name] = member
    return found


def _write(members: dict[str, Member], to: Path, shown: str) -> None:
    folder = _folder(members, shown)
    kept = {
        posixpath.basename(name): member
        for name, member in sorted(members.items())
        if posixpath.dirname(name) == folder and KEPT.fullmatch(posixpath.basename(name))
    }
    for name in NEEDED:
        if name not in kept:
            what = f"{shown} holds no {name}, which fleet needs to prove it"
            raise FleetError(what, kind="source", next=OTHER)
    with writing(to) as tar:
        for name, member in kept.items():
            if member.target is not None:
                target = _followed(name, kept, shown)
                tar.addfile(header(f"bin/{name}", 0, target, is_program=False))
                continue
            with member.open() or _nothing(name) as file:
                tar.addfile(header(f"bin/{name}", member.size, is_program=True), file)


def _folder(members: dict[str, Member], shown: str) -> str:
    """Where the programs lie."""
    found = sorted(posixpath.dirname(name) for name in members if posixpath.basename(name) == "llama-server")
    if len(found) == 1:
        return found[0]
    if found:
        raise FleetError(f"{shown} holds {len(found)} files called llama-server", kind="source", next=OTHER)
    if any(posixpath.basename(name) == "llama-server.exe" for name in members):
        raise FleetError(f"{shown} holds programs for Windows", kind="source", next=OTHER)
    raise FleetError(f"{shown} holds no llama-server", kind="source", next=OTHER)


def _followed(name: str, kept: dict[str, Member], shown: str) -> str:
    """The file beside it that a link leads to in the end.

    Source: the links of release b9165 pointed nowhere, ggml-org/llama.cpp#23115.
    """
    at = name
    for _ in range(HOPS):
        member = kept[at]
        if member.target is None:
            return at
        there = link_target(member.name, member.target)
        at = posixpath.basename(there)
        if at not in kept or kept[at].name != there:
            break
    raise FleetError(
        f"{shown} is broken: {name} is a link to nothing ({safe_line(kept[name].target or '', 100)})",
        kind="source",
        next=OTHER,
    )


def _nothing(name: str) -> IO[bytes]:
    raise hostile(f"no data for {name}")
