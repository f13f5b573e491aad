"""What a model hub says a repository holds, and which of its files is meant. What it says may be hostile."""

import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from fleet.core.errors import PlanError, ProbeError
from fleet.core.names import nearest
from fleet.core.plan import count_text
from fleet.core.text import HOSTILE, safe_line
from fleet.models import splits
from fleet.sources.base import Repository
from fleet.sources.huggingface import is_path

COMMIT = re.compile("[0-9a-f]{40}")
SHA256 = re.compile("[0-9a-f]{64}")
LONGEST = 1024  # characters of a path
LARGEST = 1 << 53  # bytes of a file
SHOWN = 6  # names in a message
# Source: llama.cpp b11434 common/download.cpp, `find_best_model` and `gguf_filename_is_model`.
USUAL = ("Q4_K_M", "Q8_0")
COMPANIONS = ("mmproj", "imatrix", "mtp-", "eagle3-", "dflash-", "dspark-")


@dataclass(frozen=True, slots=True)
class Listed:
    """One file of a repository."""

    path: str
    size: int  # bytes
    sha256: str | None  # None: it does not lie in LFS, and the hub names no hash of its bytes

    @property
    def parts(self) -> int:
        """Files of the split model that this one belongs to; 1: it is whole."""
        part = splits.named(self.path)
        return part.count if part else 1


@dataclass(frozen=True, slots=True)
class Listing:
    commit: str
    files: tuple[Listed, ...]  # those that were wanted, in the order of their names


@dataclass(frozen=True, slots=True)
class Pinned:
    """A file as it was at a commit: what fleet.lock holds. Of a model of several the first."""

    commit: str
    file: str
    size: int  # bytes
    sha256: str
    rest: "tuple[Pinned, ...]" = ()  # the further files

    @property
    def files(self) -> "tuple[Pinned, ...]":
        """All files, in their order, each by itself."""
        return (replace(self, rest=()), *self.rest)

    @property
    def id(self) -> str:
        """What the model is called on hosts."""
        return splits.set_id([one.sha256 for one in self.files]) if self.rest else self.sha256

    @property
    def whole_size(self) -> int:
        """Bytes of all files."""
        return sum(one.size for one in self.files)

    def document(self) -> dict[str, Any]:
        found: dict[str, Any] = {"commit": self.commit, "file": self.file, "size": self.size}
        found["sha256"] = self.sha256
        if self.rest:
            found["rest"] = [{"file": one.file, "size": one.size, "sha256": one.sha256} for one in self.rest]
        return found


def is_gguf(path: str) -> bool:
    return path.lower().endswith(".gguf")


def listing(body: bytes, place: Repository, is_wanted: Callable[[str], bool] = is_gguf) -> Listing:
    """The answer of `GET /api/models/OWNER/REPO/revision/REVISION?blobs=true`.

    A file whose name could lead elsewhere, or that has no size, is left out.

    Raises:
        ProbeError: it is not such an answer.

    Source: huggingface_hub, `HfApi.model_info` and `ModelInfo`: sha, siblings[].rfilename, .size and
        .lfs {sha256, size}.
    """
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        document = None
    commit = document.get("sha") if isinstance(document, dict) else None
    siblings = document.get("siblings") if isinstance(document, dict) else None
    if not isinstance(commit, str) or not COMMIT.fullmatch(commit) or not isinstance(siblings, list):
        raise ProbeError(
            f"what the hub says about {place.id} is no list of files",
            next="look at HF_ENDPOINT and at hub in [defaults]: they should name a model hub",
        )
    if place.revision and COMMIT.fullmatch(place.revision) and place.revision != commit:
        raise ProbeError(f"the hub answered for another commit of {place.id}", next="the same command again")
    files = [file for each in siblings if (file := _listed(each, is_wanted)) is not None]
    return Listing(commit, tuple(sorted(files, key=lambda file: file.path)))


def _listed(each: Any, is_wanted: Callable[[str], bool]) -> Listed | None:
    path = each.get("rfilename") if isinstance(each, dict) else None
    if not isinstance(path, str) or len(path) > LONGEST or not is_wanted(path):
        return None
    if HOSTILE.search(path) or "\n" in path or "\t" in path or not is_path(path):
        return None
    lfs = each.get("lfs")
    lfs = lfs if isinstance(lfs, dict) else {}
    size, sha256 = lfs.get("size", each.get("size")), lfs.get("sha256")
    if type(size) is not int or not 0 < size < LARGEST:
        return None
    is_hash = isinstance(sha256, str) and SHA256.fullmatch(sha256)
    return Listed(path, size, sha256 if is_hash else None)


def choose(place: Repository, found: Listing) -> Listed:
    """The file that the place means; of a split model the first one.

    Without a name it is the first of llama.cpp's usual quantisations that is there, else the first
    file. Companions of a model (its projector, its drafts, its importance matrix) are only
    taken by their whole name.

    Raises:
        PlanError: there is none, or several could be meant; names them.
    """
    if place.path is not None:
        for file in found.files:
            if file.path == place.path:
                return file
        near = _like(place.path, [file.path for file in found.files])
        raise PlanError(f"{place.id} has no file {place.path!r}", next=_sources(place, near))
    models = [file for file in found.files if _is_model(file.path)]
    for quant in (place.quant,) if place.quant else USUAL:
        matching = [file for file in models if _is_packed(file.path, quant)]
        if len(matching) > 1:
            raise PlanError(
                f"{len(matching)} files of {place.id} are {quant}",
                next=_sources(place, [file.path for file in matching]),
            )
        if matching:
            return matching[0]
    if place.quant or not models:
        what = f"no file that is {place.quant}" if place.quant else "no GGUF file that is a model"
        near = nearest(f"{place.name}-{place.quant}.gguf", [file.path for file in models], SHOWN)
        raise PlanError(f"{place.id} has {what}", next=_sources(place, near))
    return models[0]


def _like(path: str, known: Sequence[str]) -> list[str]:
    """The paths that may have been meant: those of the same kind of companion, else the nearest."""
    kinds = [word for word in COMPANIONS if word in path.lower()]
    same = [one for one in known if any(word in one.lower() for word in kinds)]
    return list(nearest(path, same or known)) or same


def _is_model(path: str) -> bool:
    name = path.rpartition("/")[2].lower()
    part = splits.named(path)
    return not any(word in name for word in COMPANIONS) and (part is None or part.number == 1)


def _is_packed(path: str, quant: str) -> bool:
    """Whether a name says so as a word of its own: F16 is not BF16."""
    return re.search(rf"(?<![A-Za-z0-9_]){re.escape(quant)}[./-]", path, re.IGNORECASE) is not None


def _sources(place: Repository, paths: Iterable[str]) -> str:
    """Lines of an inventory to choose from."""
    shown = list(paths)
    lines = [f'source = "{_with(place, path)}"' for path in shown[:SHOWN]]
    more = f" … {len(shown) - SHOWN} more" if len(shown) > SHOWN else ""
    return (
        " or ".join(lines) + more if lines else f"look at the files of {place.id}: it needs a GGUF repository"
    )


def _with(place: Repository, path: str) -> str:
    return str(Repository(place.owner, place.name, place.revision, path))


def pin(place: Repository, found: Listing, sha256: str | None, parts: Sequence[str] = ()) -> Pinned:
    """The chosen file, or all files of the chosen model, if their bytes can be proven.

    Args:
        sha256: what the inventory wants of a model of one file; None: what the hub says is taken.
        parts: what it wants of one of several; empty: likewise.

    Raises:
        PlanError: it is a further file of a model, lacks one, has no hash, or another one than wanted.
    """
    first = choose(place, found)
    there = {file.path: file for file in found.files}
    files = []
    for path in splits.paths(first.path):
        if path not in there:
            raise PlanError(
                f"{place.id} has no file {path}: the model there is not complete",
                next=_sources(
                    place, [one.path for one in found.files if _is_model(one.path) and one != first]
                ),
            )
        files.append(there[path])
    hashes = [_hash(file) for file in files]
    wanted = parts or ((sha256,) if sha256 is not None else tuple(hashes))
    if len(wanted) != len(files):
        raise PlanError(
            f"{place} has {count_text(len(files), 'file')}, the inventory names the sha256 of {len(wanted)}",
            kind="wrong-sha256",
            next="take sha256 and parts out of its table: fleet.lock pins what a hub names",
        )
    for file, is_hash, want in zip(files, hashes, wanted, strict=True):
        if is_hash != want:
            what = place if len(files) == 1 else file.path
            raise PlanError(
                f"{what} has the sha256 {is_hash} at commit {found.commit[:12]}, wanted is {want}",
                kind="wrong-sha256",
                next=f'sha256 = "{is_hash}", if that is what its publisher names',
            )
    pinned = [
        Pinned(found.commit, file.path, file.size, one) for file, one in zip(files, hashes, strict=True)
    ]
    return replace(pinned[0], rest=tuple(pinned[1:]))


def _hash(file: Listed) -> str:
    if file.sha256 is None:
        raise PlanError(
            f"the hub names no sha256 of {file.path}: it does not lie in LFS",
            next='download it and write source = "file:PATH" with its sha256',
        )
    return file.sha256


def names(body: bytes, *, key: str, tables: Sequence[str] = ()) -> list[str]:
    """Names in a list of the hub, for suggestions: best effort, harmless, empty where it is no list.

    Args:
        key: of each entry.
        tables: lists of the document to look at; empty: the document is the list.
    """
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return []
    lists = [document.get(name) for name in tables] if isinstance(document, dict) else [document]
    entries = [each for one in lists if isinstance(one, list) for each in one if isinstance(each, dict)]
    found = [each[key] for each in entries if isinstance(each.get(key), str)]
    return [safe_line(name, 200) for name in found[:1000] if re.fullmatch(r"[\w./-]{1,200}", name)]
