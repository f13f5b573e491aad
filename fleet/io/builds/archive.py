"""Source archives: read with distrust, written so that the same source gives the same bytes."""

import gzip
import hashlib
import os
import posixpath
import stat
import tarfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from fleet.core.errors import FleetError, InventoryError
from fleet.core.text import safe_line

LARGEST = 1 << 30  # bytes of all files that are kept; llama.cpp has 60 MB
MOST = 200_000  # files
MADE = 315532800  # 1980-01-01: some tools complain about 1970, ninja takes 0 for "not there"
# at the top of llama.cpp, and not looked at by a build of llama-server and llama-bench
UNUSED = frozenset({".devops", ".github", "benches", "ci", "docs", "media", "models", "skills", "tests"})
KNOWN = "ggml/CMakeLists.txt"  # by this file a tree is llama.cpp, so that the list above applies
VERSIONED = frozenset({".git", ".hg", ".svn"})


@dataclass(frozen=True, slots=True)
class Entry:
    """A file, or a link to one inside."""

    name: str  # relative, with /
    data: bytes  # of a link: where it points
    is_program: bool = False
    is_link: bool = False


def read_archive(path: Path, subfolder: str = "") -> tuple[Entry, ...]:
    """The files of a tar archive below a folder. Nothing is unpacked.

    Args:
        subfolder: below the archive's single top folder, if it has one; "" is that top
            itself, or wherever llama.cpp is, if it is there once.

    Raises:
        FleetError: it is no archive, is damaged, or holds what an honest one does not:
            paths that lead out, devices, more than LARGEST bytes.
        InventoryError: the folder is not in it, or holds no llama.cpp.
    """
    try:
        with tarfile.open(path, "r:*") as tar:
            members = _checked(tar)
            inside = _inside(list(members), subfolder, path)
            return _honest(_entries(tar, members, inside))
    except (tarfile.TarError, EOFError, OSError, ValueError) as error:
        # a lzma or zlib error is an OSError, EOFError or ValueError by its base or through tarfile
        raise FleetError(
            f"{path.name} is no tar archive: {safe_line(str(error), 200)}", next="fetch it again"
        ) from error


def read_folder(path: Path) -> tuple[Entry, ...]:
    """The files of a working tree, without version control and build folders.

    Raises:
        InventoryError: there is no such folder, or no llama.cpp in it.
        FleetError: a link leads out of it, or something in it is no file.
    """
    if not path.is_dir():
        raise InventoryError(f"llama_cpp.source: no folder {path}", next="dir: and the path of a checkout")
    found: list[Entry] = []
    size = 0
    for base, folders, files in os.walk(path):
        at = os.path.relpath(base, path)
        at = "" if at == "." else at.replace(os.sep, "/") + "/"
        links = [name for name in folders if os.path.islink(os.path.join(base, name))]
        folders[:] = sorted(name for name in folders if name not in links and not _skipped(at, base, name))
        for name in sorted([*files, *links]):
            entry = _file(os.path.join(base, name), at + name)
            size += len(entry.data)
            if size > LARGEST or len(found) >= MOST:
                raise FleetError(f"{path} is too large to be a source tree", next="git clean -xdf there")
            found.append(entry)
    if not any(entry.name == "CMakeLists.txt" for entry in found):
        raise InventoryError(
            f"llama_cpp.source: no CMakeLists.txt in {path}", next="dir: and the path of a checkout"
        )
    return _honest(found)


def content_hash(entries: Iterable[Entry]) -> str:
    """sha256 over names, modes and contents."""
    total = hashlib.sha256()
    for entry in sorted(entries, key=lambda entry: entry.name.encode(errors="surrogateescape")):
        kind = "link" if entry.is_link else "program" if entry.is_program else "file"
        data = hashlib.sha256(entry.data).hexdigest()
        total.update(f"{kind} {data} ".encode() + entry.name.encode(errors="surrogateescape") + b"\0")
    return total.hexdigest()


def write_archive(entries: Iterable[Entry], to: Path) -> None:
    """One .tar.gz: sorted, without times, owners and other traces of this machine."""
    with writing(to) as tar:
        for entry in sorted(entries, key=lambda entry: entry.name.encode(errors="surrogateescape")):
            target = os.fsdecode(entry.data) if entry.is_link else None
            member = header(entry.name, len(entry.data), target, is_program=entry.is_program)
            tar.addfile(member, None if entry.is_link else BytesIO(entry.data))


@contextmanager
def writing(to: Path) -> Iterator[tarfile.TarFile]:
    """A .tar.gz that says nothing of when and where it was made."""
    with (
        open(to, "wb") as raw,
        gzip.GzipFile("", "wb", compresslevel=6, fileobj=raw, mtime=0) as packed,
        tarfile.open(mode="w", fileobj=packed, format=tarfile.GNU_FORMAT) as tar,
    ):
        yield tar


def header(name: str, size: int, target: str | None = None, *, is_program: bool) -> tarfile.TarInfo:
    """Of a file, or of a link where it has a target."""
    member = tarfile.TarInfo(name)
    member.mtime = MADE
    member.mode = 0o755 if is_program else 0o644
    if target is None:
        member.size = size
    else:
        member.type, member.linkname, member.mode = tarfile.SYMTYPE, target, 0o777
    return member


def _checked(tar: tarfile.TarFile) -> dict[str, tarfile.TarInfo]:
    """Members by clean name; the last of a name wins, as when unpacking."""
    found: dict[str, tarfile.TarInfo] = {}
    size = 0
    for count, member in enumerate(tar):
        if member.size < 0:  # tarfile would go back and forth for ever
            raise hostile(f"a file of negative size: {safe_line(member.name, 100)}")
        name = clean_name(member.name)
        if not (member.isfile() or member.isdir() or member.issym() or member.islnk()):
            raise hostile(f"a device: {safe_line(member.name, 100)}")
        size += member.size
        if size > 4 * LARGEST or count >= MOST:
            raise hostile(f"more than {4 * LARGEST >> 30} GiB or {MOST} files")
        if not member.isdir():
            found[name] = member
    return found


def clean_name(written: str) -> str:
    """The name of a member, without detours, if it stays inside.

    Raises:
        FleetError: of kind "hostile".
    """
    name = posixpath.normpath(written)
    if written.startswith("/") or name == ".." or name.startswith("../") or "\0" in name:
        raise hostile(f"a path that leads out: {safe_line(written, 100)}")
    return name


def _inside(names: list[str], subfolder: str, path: Path) -> str:
    """The prefix of all names that are wanted, with its slash."""
    tops = {name.split("/", 1)[0] for name in names}
    top = f"{tops.pop()}/" if len(tops) == 1 and all("/" in name for name in names) else ""
    known = set(names)
    for base in dict.fromkeys((top, "")):
        prefix = base + (f"{subfolder}/" if subfolder else "")
        if f"{prefix}CMakeLists.txt" in known:
            return prefix
    trees = [name.removesuffix(f"/{KNOWN}") for name in names if name.endswith(f"/{KNOWN}")]
    found = sorted(tree for tree in trees if f"{tree}/CMakeLists.txt" in known)
    if len(found) == 1 and not subfolder:
        return f"{found[0]}/"
    raise InventoryError(
        f"llama_cpp.source: no llama.cpp in {path.name}" + (f" at {subfolder}/" if subfolder else ""),
        next=f"SUBFOLDER is {found[0].removeprefix(top)}" if found else f"tar -tf {path}",
    )


def _entries(tar: tarfile.TarFile, members: dict[str, tarfile.TarInfo], inside: str) -> Iterator[Entry]:
    size = 0
    skipped = VERSIONED | (UNUSED if f"{inside}{KNOWN}" in members else frozenset())
    for name, member in members.items():
        short = name.removeprefix(inside)
        if not name.startswith(inside) or short.split("/", 1)[0] in skipped:
            continue
        if member.issym():
            yield Entry(short, _link(short, member.linkname), is_link=True)
            continue
        whole = member
        if member.islnk():
            whole = members.get(posixpath.normpath(member.linkname), member)
            if not whole.isfile():
                raise hostile(f"a hard link to nothing: {safe_line(name, 100)}")
        size += whole.size
        if size > LARGEST:
            raise hostile(f"more than {LARGEST >> 30} GiB")
        file = tar.extractfile(whole)
        assert file is not None
        yield Entry(short, file.read(), is_program=bool(whole.mode & 0o100))


def _honest(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """The entries, if no way through a link leads where the names do not say."""
    found = tuple(entries)
    links = {entry.name for entry in found if entry.is_link}
    for entry in found:
        ways = [entry.name]
        if entry.is_link:
            ways.append(posixpath.join(posixpath.dirname(entry.name), os.fsdecode(entry.data)))
        for way in ways:
            parts = way.split("/")
            passed = (posixpath.normpath("/".join(parts[:count])) for count in range(1, len(parts)))
            if links and any(place in links for place in passed):
                raise hostile(f"a path through a link: {safe_line(way, 100)}")
    return found


def _file(path: str, name: str) -> Entry:
    info = os.lstat(path)
    if stat.S_ISLNK(info.st_mode):
        return Entry(name, _link(name, os.readlink(path)), is_link=True)
    if not stat.S_ISREG(info.st_mode):
        raise FleetError(f"{path} is neither a file nor a folder", next=f"rm {path}")
    with open(path, "rb") as file:
        return Entry(name, file.read(), is_program=bool(info.st_mode & 0o100))


def _link(name: str, target: str) -> bytes:
    """Where a link points, if that is inside."""
    link_target(name, target)
    return os.fsencode(target)


def link_target(name: str, target: str) -> str:
    """The member that a link points to, if that is inside; see clean_name."""
    there = posixpath.normpath(posixpath.join(posixpath.dirname(name), target))
    if target.startswith("/") or there == ".." or there.startswith("../"):
        raise hostile(f"a link that leads out: {safe_line(name, 100)} -> {safe_line(target, 100)}")
    return there


def _skipped(at: str, base: str, name: str) -> bool:
    if name in VERSIONED or name == "__pycache__":
        return True
    if at:
        return False
    unused = name in UNUSED and os.path.exists(os.path.join(base, KNOWN))
    return unused or os.path.exists(os.path.join(base, name, "CMakeCache.txt"))


def hostile(what: str) -> FleetError:
    """What an honest archive does not hold."""
    return FleetError(f"the archive holds {what}", kind="hostile", next="take the project's own archive")
