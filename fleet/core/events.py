"""Everything that happens, as one line of JSON each.

Every event has `ts` (Unix seconds), `run` (id of the command that caused it) and
`host` (None for the run itself). The command line, the dashboard, the journal and
chat are readers of the same stream.
"""

import dataclasses
import json
import re
from dataclasses import dataclass
from typing import Any, ClassVar, TypedDict


def word(kind: type) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__).lower()


class Stamp(TypedDict):
    """What every event has: `Notice(**stamp, message=...)`."""

    ts: float
    run: str
    host: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    ts: float
    run: str
    host: str | None = None
    is_kept: ClassVar[bool] = True  # whether the journal's event table keeps it

    @property
    def event(self) -> str:
        """The kind as it stands in JSON: step_done."""
        return word(type(self))

    def document(self) -> dict[str, Any]:
        fields = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        head = {
            "ts": fields.pop("ts"),
            "run": fields.pop("run"),
            "host": fields.pop("host"),
            "event": self.event,
        }
        return head | fields

    def to_json(self) -> str:
        return json.dumps(self.document(), ensure_ascii=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted(Event):
    verb: str
    hosts: tuple[str, ...]
    actor: str
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEnded(Event):
    exit_code: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Connected(Event):
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkLost(Event):
    """The connection ended; it is being made again."""

    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Probed(Event):
    seconds: float
    platform: str
    backend: str | None = None
    rebooted: bool = False  # the boot id is not the one we knew
    servers: tuple[str, ...] | None = None  # names of the instances; None where that was not asked


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned(Event):
    steps: tuple[str, ...]
    notes: tuple[str, ...] = ()
    phases: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Confirmed(Event):
    """A person (or --yes) agreed to the plan. Written before anything is done."""

    actor: str
    steps: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StepStarted(Event):
    step: str
    phase: str
    done: int  # steps before this one
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StepProgress(Event):
    """How far a step is, in its own unit: bytes, files compiled."""

    is_kept: ClassVar[bool] = False
    step: str
    phase: str
    done: float
    total: float | None
    unit: str  # bytes, files
    rate: float | None = None  # unit/s
    left: float | None = None  # seconds to go; None when unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class Output(Event):
    """A line that a step printed, already safe."""

    is_kept: ClassVar[bool] = False
    step: str
    line: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StepDone(Event):
    step: str
    phase: str
    key: str
    done: int
    total: int
    seconds: float
    bytes: int | None = None  # moved over the link, resumed bytes not counted
    route: str | None = None  # of a model: controller, peer, pull


@dataclass(frozen=True, slots=True, kw_only=True)
class StepFailed(Event):
    step: str
    phase: str
    done: int
    total: int
    kind: str
    message: str
    next: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HostDone(Event):
    """The verb is finished on this host."""

    changed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class HostFailed(Event):
    kind: str
    message: str
    next: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice(Event):
    """A sentence worth knowing that changes nothing."""

    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampled(Event):
    """The system's values of a host; None is unknown."""

    is_kept: ClassVar[bool] = False
    memory_used: int | None = None  # bytes
    memory_total: int | None = None
    swap_used: int | None = None  # bytes
    swap_in: float | None = None  # bytes/s
    load: float | None = None  # busy share of all cores, 0..1
    disk_free: int | None = None  # bytes
    gpu_load: float | None = None  # 0..1
    gpu_memory_used: int | None = None  # bytes
    gpu_memory_total: int | None = None
    gpu_temperature: float | None = None  # Celsius
    gpu_power: float | None = None  # watts
    boot_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat(Event):
    """The host's loop is alive; its values did not change."""

    is_kept: ClassVar[bool] = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSampled(Event):
    """One look at one server."""

    is_kept: ClassVar[bool] = False
    server: str
    state: str  # words of TUI.md section 6
    model: str | None = None
    backend: str | None = None
    listen: str | None = None
    slots_busy: int | None = None
    slots_total: int | None = None
    deferred: int | None = None
    held: int | None = None  # tokens in all contexts
    context: int | None = None  # tokens all contexts can hold
    generation_tps: float | None = None  # tokens/s
    prompt_tps: float | None = None
    since: float | None = None  # seconds up
    restarts: int | None = None
    reason: str | None = None  # why the state is what it is


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured(Event):
    """The speed of traffic that really passed: a chat answer, demo traffic."""

    server: str
    generation_tps: float  # tokens/s as llama-server timed it
    prompt_tps: float | None = None
    ttft: float | None = None  # seconds to the first content
    tokens: int | None = None


KINDS: dict[str, type[Event]] = {word(kind): kind for kind in Event.__subclasses__()}


def parse(line: str) -> Event | None:
    """The event of a JSON line; None for a kind this version does not know."""
    document: dict[str, Any] = json.loads(line)
    kind = KINDS.get(document.pop("event", ""))
    if kind is None:
        return None
    known = {f.name for f in dataclasses.fields(kind)}
    values: dict[str, Any] = {}
    for name, value in document.items():
        if name in known:
            values[name] = tuple(value) if isinstance(value, list) else value
    return kind(**values)
