"""What a llama-server really allocated, read from its log.

At `-lv 4` it prints a line for each buffer, in hundredths of a MiB; with `--log-jsonl` it also
prints the sum for each device, in whole MiB, at the start as a projection and at the end as it
was. The line "offloaded 19/19 layers" is no proof of anything: it is the same with `--device none`.

Source: src/llama-model.cpp, llama-context.cpp, llama-kv-cache.cpp, llama-memory-recurrent.cpp and
    common/fit.cpp of llama.cpp b11434; the logs of b8586 and b10434 spell their prefixes otherwise,
    so that only the end of a line is relied on.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from fleet.core.text import safe_line

MIB = 2**20
HOST = "host"  # main memory, however a buffer in it is called
LONGEST = 4096  # characters of a line that are looked at
MOST = 4096  # buffers that are kept; a model on eight devices has some forty

Kind = Literal["weights", "kv", "recurrent", "compute", "output", "lora"]
KINDS: Mapping[str, Kind] = {
    "model": "weights",
    "": "weights",  # builds of 2024 leave the word out
    "KV": "kv",
    "RS": "recurrent",
    "DSV4": "recurrent",
    "compute": "compute",
    "output": "output",
    "LoRA": "lora",
}
# Buffers of these names lie in main memory: CPU, CPU_Mapped, CPU_REPACK, CUDA_Host, AMX ...
IN_HOST = re.compile(r"CPU(_\w+)?|\w+_Host|AMX|BLAS|Host")
BUFFER = re.compile(
    r"(?P<name>[A-Za-z][\w.]*(?:\[[^\]]*\])?) +"
    r"(?:(?P<kind>model|KV|RS|DSV4|compute|output|LoRA)(?: \w+ state)? +)?"
    r"buffer size += +(?P<mib>\d+\.\d+) MiB"
)
ROW = re.compile(
    r"memory_breakdown_print: \| +- (?P<name>[^|(]*?) *(?:\((?P<title>[^|]*)\))? *\|"
    r"(?:[ \d=]*\+ \()? *(?P<self>\d+) = +(?P<model>\d+) \+ +(?P<context>\d+) \+ +(?P<compute>\d+)"
)
PROJECTED = re.compile(r"projected to use (\d+) MiB of (device|host) memory vs\. (\d+) MiB")
OFFLOADED = re.compile(r"offloaded (\d+)/(\d+) layers to GPU")
USING = re.compile(r"using device ([A-Za-z]\w*) \((.*?)\)(?: \([^()]*\))? - (\d+) MiB free")
REFUSED = re.compile(r"(ggml_gallocr)?\S*: failed to allocate (\S+) buffer of size (\d+)")
SHORT = re.compile(r"cannot meet free memory targets?\b")
REHEARSAL = re.compile(r"getting device memory data|memory for test allocation")
AGAIN = re.compile(r"load_model: loading model '|fitting params to free memory took")
LOADED = "model loaded"


@dataclass(frozen=True, slots=True)
class Buffer:
    device: str  # CUDA0, MTL0, RPC0, or host
    name: str  # as llama.cpp calls it: CPU_Mapped, RPC0[127.0.0.1:50152]
    kind: Kind | None  # None where a failed allocation does not say what it was for
    bytes: int


@dataclass(frozen=True, slots=True)
class Row:
    """One device's sum, in whole MiB as printed."""

    device: str
    name: str
    model: int  # bytes
    context: int  # bytes: keys, values and recurrent states
    compute: int  # bytes

    @property
    def total(self) -> int:
        return self.model + self.context + self.compute


@dataclass(frozen=True, slots=True)
class Used:
    """A device that llama.cpp said it would use."""

    name: str
    title: str
    free: int  # bytes, before anything was loaded


@dataclass(frozen=True, slots=True)
class Buffers:
    """Of the last model that was loaded; empty where the log says nothing of it."""

    buffers: tuple[Buffer, ...]
    refused: tuple[Buffer, ...]  # allocations that failed
    projection: tuple[Row, ...]  # what the arguments as given would use
    result: tuple[Row, ...]  # what it used, printed when it ended
    projected: int | None  # bytes on all devices (on the host, where there is none), as "projected to use"
    projected_on: Literal["device", "host"] | None
    is_adjusted: bool  # that was too much: --fit looked for fewer layers or a smaller context
    devices: tuple[Used, ...]
    offloaded: tuple[int, int] | None  # layers as claimed, of how many: no proof

    def of(self, kind: Kind, device: str | None = None) -> int | None:
        """Bytes of a kind, on one device or everywhere; None where no line names the kind."""
        found = [one for one in self.buffers if one.kind == kind]
        if not found:
            return None
        return sum(one.bytes for one in found if device in (None, one.device))

    @property
    def weights(self) -> int | None:
        return self.of("weights")

    @property
    def kv(self) -> int | None:
        return self.of("kv")

    @property
    def recurrent(self) -> int | None:
        return self.of("recurrent")

    @property
    def compute(self) -> int | None:
        return self.of("compute")

    @property
    def output(self) -> int | None:
        return self.of("output")

    @property
    def total(self) -> int | None:
        """Bytes of all buffers; None where there is no line of one."""
        return sum(one.bytes for one in self.buffers) if self.buffers else None

    def by_device(self) -> dict[str, dict[str, int]]:
        """device -> kind -> bytes, in the order of the log."""
        found: dict[str, dict[str, int]] = {}
        for one in self.buffers:
            kinds = found.setdefault(one.device, {})
            kinds[one.kind or "?"] = kinds.get(one.kind or "?", 0) + one.bytes
        return found

    def on(self, device: str) -> int:
        """Bytes of all buffers on one device."""
        return sum(one.bytes for one in self.buffers if one.device == device)

    @property
    def on_devices(self) -> int | None:
        """Bytes outside main memory: 0 means that everything is on the CPU; None that nobody knows."""
        return sum(one.bytes for one in self.buffers if one.device != HOST) if self.buffers else None


def read(lines: Iterable[str]) -> Buffers:
    """What the last load of a log allocated, from its text or its JSON lines.

    Args:
        lines: of stderr, stdout or a log file; lines of other programs do not matter.
    """
    reader = _Reader()
    for line in lines:
        reader.take(line)
    return reader.result()


def device_of(name: str) -> str:
    """The device that a buffer lies on: `CUDA0` of CUDA0_Split, `host` of CPU_Mapped and CUDA_Host."""
    plain = name.partition("[")[0]
    if IN_HOST.fullmatch(plain):
        return HOST
    plain = re.sub(r"_(Mapped|Private|Split|Shared)$", "", plain)
    return "MTL0" if plain == "Metal" else plain  # its name until 2025


class _Reader:
    """Lines to one load; a later load takes the place of an earlier one."""

    def __init__(self) -> None:
        self.begin()
        self.is_rehearsal = self.is_adjusted = False
        self.projection: tuple[Row, ...] = ()
        self.projected: re.Match[str] | None = None

    def begin(self) -> None:
        self.buffers: list[Buffer] = []
        self.refused: list[Buffer] = []
        self.rows: list[Row] = []
        self.devices: dict[str, Used] = {}
        self.offloaded: tuple[int, int] | None = None

    def take(self, line: str) -> None:
        line = line[:LONGEST].strip()  # a log line of today has at most some 300
        if line.startswith("{"):
            line = self._json(line)
        if AGAIN.search(line):
            # After the rehearsal of --fit, and where a model that slept wakes, all lines come again.
            self._project()
            self.begin()
            self.is_rehearsal = False
        elif REHEARSAL.search(line):
            self.is_rehearsal = True
        elif LOADED in line:
            self._project()
        elif SHORT.search(line):
            self.is_adjusted = True
        elif projected := PROJECTED.search(line):
            self.projected = projected
            self._project()
        elif "memory_breakdown_print: | memory breakdown" in line:
            self.rows = []
        elif row := ROW.search(line):
            self._row(row["name"], *(int(row[key]) for key in ("model", "context", "compute")))
        elif not self.is_rehearsal:
            self._load(line)

    def _load(self, line: str) -> None:
        if buffer := BUFFER.search(line):
            kind = KINDS[buffer["kind"] or ""]
            size = round(float(buffer["mib"]) * MIB)
            self._keep(self.buffers, Buffer(device_of(buffer["name"]), buffer["name"], kind, size))
        elif offloaded := OFFLOADED.search(line):
            self.offloaded = int(offloaded[1]), int(offloaded[2])
        elif using := USING.search(line):
            self.devices[using[1]] = Used(using[1], using[2], int(using[3]) * MIB)
        elif refused := REFUSED.search(line):
            purpose: Kind | None = "compute" if refused[1] else None
            self._keep(self.refused, Buffer(device_of(refused[2]), refused[2], purpose, int(refused[3])))

    def result(self) -> Buffers:
        projected = self.projected
        if not self.projection and not self.buffers and projected is not None:
            self._project()
        return Buffers(
            tuple(self.buffers),
            tuple(self.refused),
            self.projection,
            tuple(self.rows),
            None if projected is None else int(projected[1]) * MIB,
            None if projected is None else "device" if projected[2] == "device" else "host",
            self.is_adjusted,
            tuple(self.devices.values()),
            self.offloaded,
        )

    def _project(self) -> None:
        """The first sums of a start are those of the arguments as given."""
        if not self.buffers and self.rows:
            self.projection = self.projection or tuple(self.rows)
            self.rows = []

    def _json(self, line: str) -> str:
        """The text of a log event; the sums of a breakdown are taken at once."""
        try:
            event: Any = json.loads(line)
        except ValueError:
            return ""
        if not isinstance(event, dict):
            return ""
        if event.get("type") == "fit_memory_breakdown":
            self._rows(event.get("data"))
            return ""
        text = event.get("msg")
        return text.strip() if isinstance(text, str) else ""

    def _rows(self, data: Any) -> None:
        rows = data.get("rows") if isinstance(data, dict) and data.get("unit") == "MiB" else None
        self.rows = []
        for row in rows if isinstance(rows, list) else ():
            name = row.get("name") if isinstance(row, dict) else None
            values = [row.get(key) for key in ("model", "context", "compute")] if name else []
            if isinstance(name, str) and values and all(type(value) is int for value in values):
                self._row(safe_line(name), *values)

    def _row(self, name: str, model: int, context: int, compute: int) -> None:
        if len(self.rows) < MOST:
            self.rows.append(Row(device_of(name), name, model * MIB, context * MIB, compute * MIB))

    def _keep(self, kept: list[Buffer], one: Buffer) -> None:
        if len(kept) < MOST:
            kept.append(one)
