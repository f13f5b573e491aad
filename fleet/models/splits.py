"""Models of several files: how their files are called, their one id, and whether they belong together.

Source: llama.cpp b11434 src/llama-model-loader.cpp: the first file names the others by its own name
    (`PREFIX-00001-of-00005.gguf`), each says in `split.no` which it is, and all of them in
    `split.tensors.count` how many tensors there are.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from fleet.core.errors import PlanError
from fleet.core.plan import Artifact, count_text
from fleet.models.gguf import Header
from fleet.sources.base import Address, Local, Object, Place

NAME = re.compile(r"-(\d{5})-of-(\d{5})\.gguf$")
MOST = 512  # files of a model
AGAIN = "download all files of the model again, from one place"


@dataclass(frozen=True, slots=True)
class Part:
    """Which file of a model one is."""

    number: int  # from 1
    count: int

    def __str__(self) -> str:
        return f"part {self.number} of {self.count}"


def named(path: str) -> Part | None:
    """What the name of a file says; None where it is a whole model's."""
    found = NAME.search(path)
    if found is None or int(found[2]) == 1:
        return None
    return Part(int(found[1]), int(found[2]))


def paths(first: str) -> tuple[str, ...]:
    """The names of all files of a model, from that of its first; one of a whole model.

    Raises:
        PlanError: it is a further file, or of more than a model has.
    """
    part = named(first)
    if part is None:
        return (first,)
    stem = first[: -len("-00001-of-00001.gguf")]
    if not 2 <= part.count <= MOST or not 1 <= part.number <= part.count:
        raise PlanError(
            f"its name says {part}, and a model has at most {MOST} files", next="correct its source"
        )
    if part.number != 1:
        begin = f"{stem}-00001-of-{part.count:05}.gguf".rpartition("/")[2]
        raise PlanError(f"it is {part} of a model", next=f"name the first file: {begin}")
    return tuple(f"{stem}-{number:05}-of-{part.count:05}.gguf" for number in range(1, part.count + 1))


def places(place: Place) -> tuple[Place, ...]:
    """Where all files of a model lie, from where its first does; one of a whole model, or of no known name.

    Raises:
        PlanError: as paths.
    """
    match place:
        case Local(path):
            return tuple(Local(each) for each in paths(path))
        case Object(bucket, key, endpoint):
            return tuple(Object(bucket, each, endpoint) for each in paths(key))
        case Address(url):
            path, mark, query = url.partition("?")
            return tuple(Address(each + mark + query) for each in paths(path))
    return (place,)  # what a hub has is in fleet.lock


def together(name: str, files: Sequence[Artifact]) -> Artifact:
    """The model that these files are, in their order.

    Raises:
        PlanError: one of them is there twice.
    """
    if len(files) == 1:
        return files[0]
    ids = [file.id for file in files]
    twice = next((number for number, each in enumerate(ids, 1) if each in ids[: number - 1]), None)
    if twice is not None:
        raise PlanError(f"part {twice} is the same file as part {ids.index(ids[twice - 1]) + 1}", next=AGAIN)
    sizes = [file.size for file in files if file.size is not None]
    count = len(files)
    return Artifact(
        "model",
        set_id(ids),
        name,
        sum(sizes) if len(sizes) == count else None,
        tuple(replace(file, name=f"{name}, {Part(n, count)}") for n, file in enumerate(files, 1)),
    )


def set_id(hashes: Sequence[str]) -> str:
    """The id of a model of several files: over their hashes, in their order."""
    return hashlib.sha256("\n".join(("split", *hashes)).encode()).hexdigest()


def claimed(header: Header) -> Part | None:
    """Which file of its model a header says that it is; None: the only one."""
    value = header.values.get("split.no")
    number = value if isinstance(value, int) and not isinstance(value, bool) else -1
    return Part(number + 1, header.split_count) if header.split_count > 1 else None


def check_part(header: Header, part: Part | None) -> None:
    """Refuses a file that is not the one it was taken for.

    Args:
        part: by its name; None: of a whole model.

    Raises:
        PlanError: says what its header says.
    """
    said = claimed(header)
    if said == part:
        return
    if part is None and said is not None:
        # what a hostile header claims is no number to build a name from
        raise PlanError(
            f"it is one of {said.count} files of a split model, and its name does not say so",
            next=f"name the file that ends in -00001-of-{min(said.count, 99999):05}.gguf",
        )
    is_whole = "a whole model" if said is None else str(said)
    raise PlanError(f"its name says {part}, its header says {is_whole}", next=AGAIN)


def check(headers: Sequence[Header]) -> None:
    """Refuses files that are not one model, in their order.

    Two files of equal shapes and different weights cannot be told apart here: only their hashes can.

    Raises:
        PlanError: names the file that does not belong there.
    """
    count = len(headers)
    for number, header in enumerate(headers, 1):
        check_part(header, Part(number, count) if count > 1 else None)
    if count == 1:
        return
    all_of = [header.values.get("split.tensors.count") for header in headers]
    for number, one in enumerate(all_of, 1):
        if one != all_of[0]:
            raise PlanError(
                f"{Part(number, count)} is of another model: that has {one} tensors, this one {all_of[0]}",
                next=AGAIN,
            )
    for number, header in enumerate(headers[1:], 2):
        if header.architecture not in (None, headers[0].architecture):
            raise PlanError(
                f"{Part(number, count)} is of another model: that is of {header.architecture}", next=AGAIN
            )
    held = sum(header.tensors for header in headers)
    if isinstance(all_of[0], int) and held != all_of[0]:
        raise PlanError(
            f"its {count_text(count, 'file')} hold {held} tensors, the model has {all_of[0]}", next=AGAIN
        )
