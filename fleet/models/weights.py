"""A model's weights as they were found: the header, and what all its files add up to."""

from dataclasses import dataclass

from fleet.models import splits
from fleet.models.gguf import Header
from fleet.models.tensors import Sums, together


@dataclass(frozen=True, slots=True)
class Weights:
    """What the planner needs of a model, wherever it lies."""

    name: str
    header: Header  # of the only or the first file
    sums: Sums  # of all files
    size: int | None  # bytes of all files
    sha256: str | None  # of the only file, where it is known; of several their id


def join(name: str, headers: "list[tuple[Header, int | None]]", sha256: str | None) -> Weights:
    """The weights of a model from the headers of its files, with their sizes.

    Raises:
        PlanError: the files are not one model, see splits.check.
    """
    splits.check([header for header, _ in headers])
    sizes = [size for _, size in headers]
    known = [size for size in sizes if size is not None]
    return Weights(
        name,
        headers[0][0],
        together(header.sums for header, _ in headers),
        sum(known) if len(known) == len(sizes) else None,
        sha256,
    )
