"""What a model hub says a repository holds, and which of its files is meant. What it says may be hostile."""

import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from fleet.core.errors import PlanError, ProbeError
from fleet.core.names import nearest
from fleet.core.text import HOSTILE, safe_line
from fleet.models.weights import PART
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
        found = PART.search(self.path)
        return int(found[2]) if found else 1


@dataclass(frozen=True, slots=True)
class Listing:
    commit: str
    files: tuple[Listed, ...]  # those that were wanted, in the order of their names


@dataclass(frozen=True, slots=True)
class Pinned:
    """A file as it was at a commit: what fleet.lock holds."""

    commit: str
    file: str
    size: int  # bytes
    sha256: str

    def document(self) -> dict[str, str | int]:
        return {"commit": self.commit, "file": self.file, "size": self.size, "sha256": self.sha256}


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
        near = nearest(place.path, [file.path for file in found.files])
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


def _is_model(path: str) -> bool:
    name = path.rpartition("/")[2].lower()
    part = PART.search(path)
    return not any(word in name for word in COMPANIONS) and (part is None or int(part[1]) == 1)


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


def pin(place: Repository, found: Listing, sha256: str | None) -> Pinned:
    """The chosen file, if it can be served and its bytes can be proven.

    Args:
        sha256: what the inventory wants; None: what the hub says is taken.

    Raises:
        PlanError: it is one of several files, has no hash, or another one than wanted.
    """
    file = choose(place, found)
    if file.parts > 1:
        whole = [one.path for one in found.files if _is_model(one.path) and one.parts == 1]
        others = f"{_sources(place, whole)}, or " if whole else ""
        raise PlanError(
            f"{file.path} is the first of {file.parts} files, and fleet serves models of one file",
            next=f"{others}download all parts, llama-gguf-split --merge FIRST_FILE ONE_FILE.gguf, and "
            'source = "file:ONE_FILE.gguf"',
        )
    if file.sha256 is None:
        raise PlanError(
            f"the hub names no sha256 of {file.path}: it does not lie in LFS",
            next='download it and write source = "file:PATH" with its sha256',
        )
    if sha256 is not None and sha256 != file.sha256:
        raise PlanError(
            f"{place} has the sha256 {file.sha256} at commit {found.commit[:12]}, wanted is {sha256}",
            kind="wrong-sha256",
            next=f'sha256 = "{file.sha256}", if that is what its publisher names',
        )
    return Pinned(found.commit, file.path, file.size, file.sha256)


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
