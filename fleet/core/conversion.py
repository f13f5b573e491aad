"""What a flow asks where it converts a model: what it is made from, and what is there already."""

from dataclasses import dataclass

from fleet.core.plan import Artifact


@dataclass(frozen=True, slots=True)
class ReadOrigin:
    """A Hugging Face folder, or one GGUF file of 16 or 32 bits. Answer: Origin.

    Its weights are not fetched: the headers of its files say enough. Raises PlanError, FleetError.
    """

    source: str  # hf:OWNER/REPO, file:FOLDER, file:FILE.gguf
    renew: bool = False  # a repository as its hub holds it today, not as fleet.lock has it
    pin: bool = True  # what it holds is written to fleet.lock


@dataclass(frozen=True, slots=True)
class Origin:
    """What a model is converted from."""

    name: str  # for people, and for the names of what is made
    place: str  # the source, with its commit where it has one
    files: tuple[Artifact, ...]  # kind "given"; the name is the one in the folder
    is_gguf: bool
    architecture: str | None
    matrices: int  # weights in tensors of two dimensions and more
    vectors: int  # weights in others, which stay at 32 bits
    largest: int  # weights of the largest tensor
    vocabulary: int | None  # tokens
    dtype: str | None  # of most weights, as the file says: BF16

    @property
    def size(self) -> int:
        """Bytes of its files."""
        return sum(file.size or 0 for file in self.files)


@dataclass(frozen=True, slots=True)
class ReadText:
    """A text of this machine that a model is calibrated or checked with. Answer: Artifact of kind "given"."""

    path: str


@dataclass(frozen=True, slots=True)
class AskState:
    """What a host has of conversions. Answer: str, what the script printed."""

    host: str
    script: str


@dataclass(frozen=True, slots=True)
class HeldModel:
    """Whether this machine has the model in its cache. Answer: its path, or None."""

    sha256: str


ConversionNeed = ReadOrigin | ReadText | AskState | HeldModel
