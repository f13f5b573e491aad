"""A conversion: what it makes, what it takes, and its steps from where an earlier run stopped."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from fleet.core.conversion import Origin
from fleet.core.errors import PlanError, UsageError
from fleet.core.names import nearest
from fleet.core.plan import Artifact, Put, Run, Step
from fleet.core.shell import packaged
from fleet.core.text import safe_line
from fleet.models.quants import QUANTS
from fleet.platforms.base import program

OUTTYPES = ("auto", "f16", "bf16")
# Source: llama.cpp src/llama-quant.cpp, `tensor_requires_imatrix`
NEEDS_IMATRIX = frozenset({"IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ1_S", "IQ1_M"})
TYPES = tuple(name for name in QUANTS if name not in ("NVFP4",))
CONTEXT = 512  # tokens of a chunk: what published perplexities and matrices are made with
CHUNKS = 64  # of a text: the logits of the base lie on the disk, vocabulary x 2 bytes for each of 255 tokens
DEADLINE = 24 * 3600.0  # seconds for a stage


@dataclass(frozen=True, slots=True)
class Job:
    """One model to convert."""

    origin: Origin
    types: tuple[str, ...]
    outtype: str
    calibration: Artifact | None
    check: Artifact | None
    tree: str  # id of llama.cpp's source

    @property
    def id(self) -> str:
        """The same for the same bytes to be made, whatever the types."""
        texts = [text.id if text else "" for text in (self.calibration, self.check)]
        files = [f"{file.name} {file.id}" for file in self.origin.files]
        text = "\n".join([self.outtype, self.tree, *texts, *files])
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Result:
    """A published file."""

    type: str
    sha256: str
    size: int  # bytes


@dataclass(frozen=True, slots=True)
class State:
    """What a host has of a conversion."""

    files: Mapping[str, int] = field(default_factory=dict)  # name -> bytes
    results: tuple[Result, ...] = ()  # those whose model is there
    said: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # stage -> lines

    def lacks(self, types: Iterable[str]) -> tuple[str, ...]:
        there = {result.type for result in self.results}
        return tuple(one for one in types if one not in there)


def wanted_types(text: str, has_imatrix: bool) -> tuple[str, ...]:
    """The types of `--to`, as llama-quantize spells them.

    Raises:
        UsageError: one that it does not know.
        PlanError: one that is unusable without an importance matrix.
    """
    found = tuple(dict.fromkeys(word.strip().upper() for word in text.split(",") if word.strip()))
    for one in found:
        if one not in TYPES:
            raise UsageError(
                f"llama-quantize knows no type {safe_line(one, 40)!r}",
                next=f"--to {','.join(nearest(one, TYPES))}",
            )
        if one in NEEDS_IMATRIX and not has_imatrix:
            raise PlanError(
                f"{one} needs an importance matrix: without one the model is of no use",
                next="--imatrix TEXTFILE, some hundred kB of text like what it will be asked",
            )
    if not found:
        raise UsageError("no type is named", next="--to Q4_K_M,Q8_0")
    return found


def predicted(origin: Origin, type_: str) -> int:
    """Bytes of the file, about: within a few percent where the model is built like a Llama."""
    return int(origin.matrices * QUANTS[type_].bits / 8) + origin.vectors * 4 + 48 * (origin.vocabulary or 0)


def base_size(job: Job) -> int:
    """Bytes of the file of 16 bits that all others are made from."""
    if job.origin.is_gguf:
        return job.origin.size
    return 2 * job.origin.matrices + 4 * job.origin.vectors + 48 * (job.origin.vocabulary or 0)


def disk(job: Job, state: State) -> int:
    """Bytes that a conversion takes at its fullest, without what is there already; about."""
    missing = state.lacks(job.types)
    if not missing:
        return 0
    whole = base_size(job) + sum(predicted(job.origin, one) for one in missing)
    whole += 0 if job.origin.is_gguf else job.origin.size
    if job.check:
        # a token has two bytes of text at least
        tokens = min(CHUNKS * CONTEXT, (job.check.size or 0) // 2)
        whole += tokens // 2 * ((job.origin.vocabulary or 128_000) + 8) * 2
    return max(0, whole - sum(state.files.values()))


def memory(job: Job) -> int:
    """Bytes of main memory that the hungriest stage takes; about."""
    least = 3 * 4 * job.origin.largest + (1 << 30)
    return max(least, base_size(job) + (1 << 30)) if job.calibration or job.check else least


def read_state(text: str, id_: str) -> State:
    """From the lines of conversion_state.sh."""
    files: dict[str, int] = {}
    results: list[Result] = []
    said: dict[str, list[str]] = {}
    for line in text.splitlines():
        match line.split(" "):
            case ["have", found, name, size] if found == id_ and size.isdecimal():
                files[name] = int(size)
            case ["result", found, kind, sha256, size, "here"] if found == id_ and size.isdecimal():
                if kind in TYPES and len(sha256) == 64 and set(sha256) <= set("0123456789abcdef"):
                    results.append(Result(kind, sha256, int(size)))
            case ["said", found, name, *words] if found == id_:
                said.setdefault(name, []).append(" ".join(words))
    return State(files, tuple(results), {name: tuple(lines) for name, lines in said.items()})


def state_script(jobs: Iterable[Job]) -> str:
    ids = "\n".join(job.id for job in jobs)
    return program(packaged("fleet.models", "conversion_state.sh"), IDS=ids)


def steps(job: Job, state: State, build: str, environment: str) -> tuple[Step, ...]:
    """What is left to do on the host, once tools and converter are there.

    Args:
        build: fingerprint of a build with llama-quantize, llama-imatrix and llama-perplexity.
        environment: id of the converter's packages; empty for a GGUF.
    """
    missing = state.lacks(job.types)
    if not missing:
        return ()
    stages = _Stages(job, build, environment)
    unquantised = [one for one in missing if f"{one}.gguf" not in state.files]
    unchecked = [one for one in missing if f"check-{one}.said" not in state.files] if job.check else []
    if "base.gguf" not in state.files and (unquantised or unchecked):
        stages.base(state)
    if job.calibration and "imatrix.gguf" not in state.files and unquantised:
        stages.text(job.calibration, "calibration.txt", state)
        stages.run("imatrix", "find what matters in the calibration text")
    for one in unquantised:
        stages.run("quantise", f"quantise to {one}", one)
    if job.check and unchecked:
        stages.text(job.check, "check.txt", state)
        if "base.kld" not in state.files:
            stages.run("check-base", "measure the base on the text")
        for one in unchecked:
            stages.run("check", f"measure {one} against the base", one)
    stages.run("publish", "publish " + ", ".join(missing), types=missing)
    return tuple(stages.steps)


class _Stages:
    """Steps of one job, in order."""

    def __init__(self, job: Job, build: str, environment: str) -> None:
        self.job = job
        self.folder = f"conversions/{job.id}"
        self.variables: dict[str, str | int] = {
            "ID": job.id,
            "NAME": job.origin.name,
            "BUILD": build,
            "ENVIRONMENT": environment,
            "TREE": job.tree,
            "OUTTYPE": job.outtype,
            "CHUNKS": CHUNKS,
            "CONTEXT": CONTEXT,
        }
        self.steps: list[Step] = []

    def base(self, state: State) -> None:
        if self.job.origin.is_gguf:
            (file,) = self.job.origin.files
            self._put(file, "base.gguf")
            return
        for file in self.job.origin.files:
            if state.files.get(f"in/{file.name}") != file.size:
                self._put(file, f"in/{file.name}")
        self.run("base", f"convert {self.job.origin.name} to {self.job.outtype} GGUF")

    def text(self, text: Artifact, name: str, state: State) -> None:
        if state.files.get(name) != text.size:
            self._put(text, name)

    def run(self, stage: str, title: str, type_: str = "", types: tuple[str, ...] = ()) -> None:
        script = program(
            packaged("fleet.models", "convert.sh"),
            STAGE=stage,
            TYPE=type_,
            TYPES="\n".join(types),
            **self.variables,
        )
        name = "-".join(filter(None, ["convert", self.job.id, stage, type_.lower()]))
        run = Run(script, DEADLINE, name)
        self.steps.append(Step(f"{self.job.origin.name}: {title}", run, self._key(), "build"))

    def _put(self, file: Artifact, name: str) -> None:
        put = Put(file, f"{self.folder}/{name}")
        title = f"{self.job.origin.name}: send {file.name}"
        self.steps.append(Step(title, put, self._key(), "push", file.size))

    def _key(self) -> str:
        return f"convert:{self.job.id}"
