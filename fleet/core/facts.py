"""What a host is and holds, as it answered. Unknown is None, never 0."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from fleet.core.proof import Proof


@dataclass(frozen=True, slots=True)
class Cpu:
    model: str | None
    cores_performance: int | None
    cores_efficiency: int | None
    threads: int | None
    flags: tuple[str, ...]  # as the platform spells them: avx2, asimddp ...
    numa_nodes: int | None = None  # memory nodes that have processors


@dataclass(frozen=True, slots=True)
class Memory:
    total: int | None  # bytes
    available: int | None  # bytes that a new process may take without swapping
    unified: bool  # one pool for CPU and GPU (Apple silicon)
    swap_total: int | None  # bytes
    swap_used: int | None  # bytes
    page: int | None = None  # bytes
    swap_is_memory: bool = False  # compressed into main memory (zram): it is no second memory
    lockable: int | None = None  # bytes that a process may keep from being swapped
    gpu_most: int | None = None  # bytes of unified memory that the GPU may hold, where the system was told


@dataclass(frozen=True, slots=True)
class Disk:
    """The file system that holds fleet's root."""

    total: int | None  # bytes
    free: int | None  # bytes for an ordinary user
    inodes_free: int | None


@dataclass(frozen=True, slots=True)
class Gpu:
    vendor: str  # nvidia, apple, amd, intel
    name: str
    api: str  # what llama.cpp drives it with: cuda, metal, hip, vulkan
    memory_total: int | None  # bytes; None on unified memory
    memory_free: int | None  # bytes
    capability: str | None  # what to compile for: CUDA's 8.9, AMD's gfx1100
    cores: int | None  # GPU cores of Apple silicon
    driver: str | None
    runtime: str | None = None  # newest CUDA that the driver accepts: 12.4
    uuid: str | None = None
    instances: tuple[str, ...] = ()  # parts that a card was split into (MIG), by uuid
    processes: int | None = None  # programs that hold memory of it


@dataclass(frozen=True, slots=True)
class Tool:
    name: str  # cmake, ninja, make, cc, c++, nvcc, ccache, git, curl, openssl ...
    path: str
    version: str | None


@dataclass(frozen=True, slots=True)
class Device:
    """What a build can compute with, as its `--list-devices` said on this host."""

    name: str  # CUDA0, MTL0, Vulkan0, RPC0
    title: str
    total: int | None  # bytes
    free: int | None  # bytes, when it was asked


@dataclass(frozen=True, slots=True)
class Build:
    """A published build: it passed its smoke test and has its final name."""

    fingerprint: str
    backend: str
    number: int | None  # llama.cpp's build number
    devices: tuple[Device, ...] = ()  # when it was proven
    binary: str | None = None  # sha256 of its llama-server


@dataclass(frozen=True, slots=True)
class ModelFile:
    """A verified model under its hash, or one of the files of a model."""

    sha256: str
    size: int  # bytes


@dataclass(frozen=True, slots=True)
class ModelSet:
    """The files of one model in one folder, under the names by which llama.cpp finds them."""

    id: str
    sizes: tuple[int, ...]  # bytes, in the order of the files


@dataclass(frozen=True, slots=True)
class Part:
    """A model that is still being received."""

    sha256: str
    size: int  # bytes on the disk, not all of them verified


@dataclass(frozen=True, slots=True)
class Job:
    """A long step that outlives the connection."""

    id: str
    is_running: bool
    exit_code: int | None  # None while it runs


@dataclass(frozen=True, slots=True)
class Instance:
    """What the host knows of one server."""

    server: str
    release: str | None  # id of the current release
    previous: str | None
    supervisor: str  # name on the supervisors shelf
    state: str  # running, starting, failed, stopped
    is_proven: bool  # the running process answered a completion under this release
    held: str | None  # why a person stopped it; None when nobody did
    pid: int | None
    since: float | None  # seconds it has been up, by the host's clock
    restarts: int | None
    exit_code: int | None  # of the last end, None if it never ended
    listen: str | None  # as in the release: a socket path or ADDRESS:PORT
    model: str | None  # name of the model in the inventory, as released
    backend: str | None
    log_tail: tuple[str, ...]  # last lines, only where it failed
    key: str | None = None  # path of the API key file on the host
    boot: str | None = None  # boot id under which it was last started
    device: str | None = None  # prefix of the device that its release must use; None for the CPU
    proof: Proof | None = None  # of the process that runs
    weights: tuple[str, ...] = ()  # log lines that say where they are; only where it is not proven


@dataclass(frozen=True, slots=True)
class Lock:
    generation: int
    owner: str | None  # controller id
    holder: str | None  # readable: user@machine, purpose
    beat: int | None
    is_released: bool


@dataclass(frozen=True, slots=True)
class Facts:
    host: str
    platform: str  # name on the platforms shelf
    os: str | None  # linux, macos
    os_version: str | None  # Debian GNU/Linux 12 (bookworm)
    kernel: str | None
    arch: str | None  # x86_64, arm64
    libc: str | None  # glibc 2.36
    boot_id: str | None
    uptime: float | None  # seconds
    clock: float | None  # the host's Unix time when it answered
    user: str | None
    home: str | None
    root: str  # where fleet lives there, absolute
    layout: int | None  # schema number of the root; None where nothing is there yet
    cpu: Cpu
    memory: Memory
    disk: Disk
    gpus: tuple[Gpu, ...]
    tools: Mapping[str, Tool]
    supervisors: tuple[str, ...]  # usable here, best first
    has_linger: bool | None  # systemd keeps user units after logout
    has_cron: bool | None
    builds: tuple[Build, ...]
    models: tuple[ModelFile, ...]
    parts: tuple[Part, ...]
    jobs: tuple[Job, ...]
    instances: tuple[Instance, ...]
    lock: Lock | None
    unknown: Mapping[str, str]  # path of the fact -> reason why it is unknown
    at: float  # controller's Unix time of the answer
    sources: tuple[str, ...] = ()  # ids of llama.cpp source archives that are there
    used: frozenset[str] = frozenset()  # ids of builds and models that a release there needs
    libraries: Mapping[str, str] = field(default_factory=dict)  # cudart, cublas, vulkan ... -> where it lies
    searched: tuple[str, ...] = ()  # folders in which GPU toolkits were looked for
    sets: tuple[ModelSet, ...] = ()  # models of several files that are whole


@dataclass(frozen=True, slots=True)
class Slot:
    """One of a server's places, as /slots says."""

    id: int
    task: int | None
    is_processing: bool
    decoded: int | None  # tokens generated in this task
    prompt: int | None  # prompt tokens processed in this task
    held: int | None  # tokens in the context
    context: int | None  # tokens it can hold


@dataclass(frozen=True, slots=True)
class Live:
    """One look at one server through its own HTTP interface."""

    server: str
    health: str  # ready, loading, sleeping, silent
    slots: tuple[Slot, ...] | None  # None where it sleeps or did not say
    deferred: int | None  # requests that wait for a slot
    generation_tps: float | None  # tokens/s over the last interval; None when unknown
    prompt_tps: float | None
    at: float  # controller's Unix time
    reason: str | None  # why something is None
