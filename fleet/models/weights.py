"""A model's weights as they were found: the header, and what all its files add up to."""

import re
from dataclasses import dataclass

from fleet.core.errors import PlanError
from fleet.models.gguf import Header
from fleet.models.tensors import Sums, together

PART = re.compile(r"-(\d{5})-of-(\d{5})\.gguf$")
MOST_PARTS = 512


@dataclass(frozen=True, slots=True)
class Weights:
    """What the planner needs of a model, wherever it lies."""

    name: str
    header: Header  # of the only or the first file
    sums: Sums  # of all files
    size: int | None  # bytes of all files
    sha256: str | None  # of the only file, where it is known


def parts(path: str, count: int) -> tuple[str, ...]:
    """Addresses of all files of a model, from that of its first one.

    Args:
        path: a file or an address that ends in `-00001-of-00005.gguf`.
        count: files, as the header of the first says.

    Raises:
        PlanError: the name is not one of a first part, or does not agree with the header.
    """
    found = PART.search(path)
    if found is None or int(found[1]) != 1 or int(found[2]) != count or count > MOST_PARTS:
        raise PlanError(
            f"the model is one of {count} files, and its name is not that of the first",
            next=f"name the file that ends in -00001-of-{min(count, 99999):05}.gguf",
        )
    stem = path[: found.start()]
    return tuple(f"{stem}-{number:05}-of-{count:05}.gguf" for number in range(1, count + 1))


def join(name: str, headers: "list[tuple[Header, int | None]]", sha256: str | None) -> Weights:
    """The weights of a model from the headers of its files, with their sizes."""
    sizes = [size for _, size in headers]
    known = [size for size in sizes if size is not None]
    return Weights(
        name,
        headers[0][0],
        together(header.sums for header, _ in headers),
        sum(known) if len(known) == len(sizes) else None,
        sha256,
    )
