"""A verb as a conversation: it asks by `yield`, and someone else answers.

A flow is a generator. What it yields is a need, what is sent back is the answer, what it returns
is its result for one host. Nothing here touches the world, so it is tested with `next` and `send`.
"""

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

from fleet.core.bundle import Bundle, ReadRecords
from fleet.core.choices import ListFiles
from fleet.core.conversion import ConversionNeed
from fleet.core.edits import Ask, EditInventory, Introduce, Pin, ReadHostKey, RenewModel
from fleet.core.events import Event
from fleet.core.facts import Facts, Live
from fleet.core.plan import Artifact, Plan
from fleet.core.routes import FindRoutes
from fleet.core.stock import StoreNeed
from fleet.core.talks import Complete, Forward


@dataclass(frozen=True, slots=True)
class Probe:
    """Look at the host. Answer: Facts. Raises UnreachableError, ProbeError."""

    host: str


@dataclass(frozen=True, slots=True)
class FindTree:
    """Which llama.cpp the inventory means. Answer: Tree."""


@dataclass(frozen=True, slots=True)
class Asset:
    """A release archive of finished binaries."""

    label: str  # what it is for, as its name tells: ubuntu-vulkan-x64; empty: it is the only one
    place: str  # a path, or a URL
    sha256: str

    @property
    def id(self) -> str:
        return self.sha256[:16]

    @property
    def name(self) -> str:
        """Of the file, without what a URL hides in its query."""
        return self.place.split("?", 1)[0].rsplit("/", 1)[-1]

    @property
    def is_remote(self) -> bool:
        return self.place.startswith(("https://", "http://"))


@dataclass(frozen=True, slots=True)
class Tree:
    """llama.cpp's source, named before it is fetched."""

    id: str  # 16 hex digits: identity of the source
    name: str  # b11434, for people
    number: int | None  # build number to stamp
    commit: str | None
    artifact: Artifact  # kind "source"
    notes: tuple[str, ...] = ()
    assets: tuple[Asset, ...] = ()  # finished binaries instead of a source


@dataclass(frozen=True, slots=True)
class FindModel:
    """The file of a model. Answer: Artifact of kind "model". May fetch it to learn its hash."""

    name: str


@dataclass(frozen=True, slots=True)
class Claim:
    """Who makes this build. Answer: Claimed. Waits until all hosts of the run have asked."""

    host: str
    fingerprint: str
    weight: float  # the heaviest builds: cores, GHz
    rebuild: bool = False


@dataclass(frozen=True, slots=True)
class Claimed:
    by: Literal["cache", "us", "twin"]
    size: int | None = None  # bytes of the cached artifact
    builder: str | None = None  # the twin that builds


@dataclass(frozen=True, slots=True)
class Confirm:
    """May this be done? Answer: bool. Asked of a person, or answered by --yes and --dry-run."""

    plan: Plan


@dataclass(frozen=True, slots=True)
class Carry:
    """Do it. Answer: Carried. Raises StepError, DeadlineError, UnreachableError."""

    plan: Plan


@dataclass(frozen=True, slots=True)
class Carried:
    """`again` says that the world changed under the plan (a builder was lost): look again."""

    again: str | None = None


@dataclass(frozen=True, slots=True)
class Look:
    """How servers do, through their own interface. Answer: tuple[Live, ...]."""

    host: str
    facts: Facts
    seconds: float = 1.0  # between the two looks that a rate is taken from


@dataclass(frozen=True, slots=True)
class LastMeasured:
    """What the journal knows of a host.

    Answer: server -> (tokens/s, Unix time); Unix time of its last answer, or None; Unix time now.
    """

    host: str


@dataclass(frozen=True, slots=True)
class ReadProgram:
    """What this very llama-server says to --help and --version. Answer: both texts. Raises StepError."""

    host: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class ReadWeights:
    """What a model's header says; its weights are not fetched, unless nothing less can be had.

    Answer: fleet.models.weights.Weights. Raises FleetError: no such model, or no header of one.
    """

    model: str  # a name of the inventory, a .gguf file, or an address


@dataclass(frozen=True, slots=True)
class AskOracle:
    """What the build's llama-fit-params says of a model on the host. Answer: str, empty where it fails."""

    host: str
    fingerprint: str
    path: str  # of the model's only or first file, below the root
    arguments: str  # shell words after `-m FILE`


@dataclass(frozen=True, slots=True)
class Tail:
    """Lines of logs, printed as they come. Answer: tuple[str, ...] of what was read."""

    host: str
    script: str  # prints the lines
    follow: bool
    deadline: float
    noise: str | None = None  # lines that hold it are not shown when they are followed


@dataclass(frozen=True, slots=True)
class Say:
    """Tell the reader now. Answer: None."""

    event: Event


@dataclass(frozen=True, slots=True)
class Print:
    """Result text to stdout now, as a stream (chat). Answer: None."""

    text: str
    end: str = "\n"


@dataclass(frozen=True, slots=True)
class Now:
    """Answer: Unix seconds, id of the run: what an event that a flow says is stamped with."""


@dataclass(frozen=True, slots=True)
class ReadLine:
    """A line from the person at the door. Answer: str, or None at the end of the input."""

    prompt: str


Need = (
    Probe
    | ReadProgram
    | ReadWeights
    | ListFiles
    | AskOracle
    | FindTree
    | FindModel
    | FindRoutes
    | RenewModel
    | Claim
    | Confirm
    | Carry
    | Look
    | LastMeasured
    | Tail
    | Say
    | Print
    | Now
    | ReadLine
    | Complete
    | Forward
    | Introduce
    | ReadHostKey
    | Ask
    | Pin
    | EditInventory
    | ReadRecords
    | Bundle
    | StoreNeed
    | ConversionNeed
)
Result = TypeVar("Result")
Flow = Generator[Need, Any, Result]


def probe(host: str) -> Flow[Facts]:
    """Facts of the host."""
    answer: Facts = yield Probe(host)
    return answer


def find_tree() -> Flow[Tree]:
    answer: Tree = yield FindTree()
    return answer


def find_model(name: str) -> Flow[Artifact]:
    answer: Artifact = yield FindModel(name)
    return answer


def claim(host: str, fingerprint: str, weight: float, rebuild: bool = False) -> Flow[Claimed]:
    answer: Claimed = yield Claim(host, fingerprint, weight, rebuild)
    return answer


def confirm(plan: Plan) -> Flow[bool]:
    answer: bool = yield Confirm(plan)
    return answer


def carry(plan: Plan) -> Flow[Carried]:
    answer: Carried = yield Carry(plan)
    return answer


def look(host: str, facts: Facts, seconds: float = 1.0) -> Flow[tuple[Live, ...]]:
    answer: tuple[Live, ...] = yield Look(host, facts, seconds)
    return answer
