"""What hosts are: hardware, tools, and what fleet holds there."""

import dataclasses
import textwrap
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from fleet.commands.base import Request, Results, Verb, split
from fleet.core.errors import FleetError
from fleet.core.facts import Cpu, Facts, Gpu, Memory
from fleet.core.flow import Flow, probe
from fleet.core.plan import seconds_text, size_text
from fleet.servers.proof import summary

if TYPE_CHECKING:
    from fleet.core.inventory import Inventory

WIDTH, INDENT, LABEL = 80, "  ", 11  # columns
# What a host that did not answer has instead of facts.
NOTHING: dict[str, Any] = {"os": None, "arch": None, "cpu": None, "memory": None, "gpus": [], "unknown": {}}
# What ggml makes faster code of, as processors and people call it.
INSTRUCTIONS = {
    "avx": "AVX",
    "avx1.0": "AVX",
    "avx2": "AVX2",
    "fma": "FMA",
    "f16c": "F16C",
    "avx_vnni": "AVX-VNNI",
    "avx512f": "AVX-512",
    "avx512_vnni": "AVX-512-VNNI",
    "avx512_bf16": "AVX-512-BF16",
    "amx_int8": "AMX",
    "asimd": "NEON",
    "advsimd": "NEON",
    "asimddp": "dotprod",
    "feat_dotprod": "dotprod",
    "asimdhp": "FP16",
    "feat_fp16": "FP16",
    "i8mm": "i8mm",
    "feat_i8mm": "i8mm",
    "sve": "SVE",
    "sve2": "SVE2",
    "sme": "SME",
    "feat_sme": "SME",
}


def facts(request: Request, inventory: "Inventory", host: str) -> Flow[Facts]:
    """One look at the host."""
    return (yield from probe(host))


def document(request: Request, results: Results) -> dict[str, Any]:
    """`fleet.facts/1`: everything known, and why the rest is not."""
    return {"hosts": [_host(name, result) for name, result in results.items()]}


def lines(request: Request, results: Results) -> Iterable[str]:
    for host, found in split(results)[0].items():
        yield host
        for label, text in _rows(found):
            room = WIDTH - len(INDENT) - LABEL
            parts = textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False) or [""]
            for number, part in enumerate(parts):
                yield f"{INDENT}{'' if number else label:<{LABEL}}{part}"


def _host(name: str, result: Facts | FleetError) -> dict[str, Any]:
    if isinstance(result, FleetError):
        return {"name": name} | NOTHING | {"error": result.document()}
    plain: dict[str, Any] = _plain(result)
    return {"name": name} | plain | {"error": None}


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value) if f.name != "host"}
    if isinstance(value, tuple | frozenset):
        return [_plain(item) for item in value]
    if hasattr(value, "items"):
        return {str(key): _plain(item) for key, item in value.items()}
    return value


def _rows(found: Facts) -> Iterable[tuple[str, str]]:
    yield (
        "system",
        _words(
            found.os_version or found.os or "unknown",
            found.arch or "unknown processor",
            found.kernel and f"kernel {found.kernel}",
            found.libc,
            found.uptime is not None and f"up {seconds_text(found.uptime)}",
        ),
    )
    yield "processor", found.cpu.model or "unknown"
    yield "", _cores(found.cpu)
    yield "memory", _memory(found.memory)
    yield "disk", f"{_size(found.disk.free)} free of {_size(found.disk.total)} at {found.root}"
    for index, gpu in enumerate(found.gpus):
        yield f"gpu {index}", _words(gpu.name, _held(gpu))
        yield from (("", text) for text in [_about(gpu)] if text)
    if not found.gpus:
        why = found.unknown.get("gpus")
        yield "gpu", "none that llama.cpp can compute with" + (f": {why}" if why else "")
    yield "tools", ", ".join(_tools(found)) or "none"
    if found.libraries:
        yield "libraries", ", ".join(f"{name} {path}" for name, path in found.libraries.items())
    yield "servers", "kept alive by " + (found.supervisors[0] if found.supervisors else "nothing")
    for build in found.builds:
        yield (
            "build",
            _words(
                f"{build.fingerprint} {build.backend} b{build.number or '?'}",
                *(f"{device.name} {device.title}" for device in build.devices),
            ),
        )
    for model in found.models:
        yield "model", f"{model.sha256[:12]} {size_text(model.size)}"
    for one in found.instances:
        yield "server", f"{one.server} {one.state}" + (f", held: {one.held}" if one.held is not None else "")
        if one.proof is not None:
            yield "", summary(one.proof)
    for path, reason in found.unknown.items():
        if path == "gpus" and not found.gpus:
            continue
        yield "unknown", f"{path}: {reason}"


def _cores(cpu: Cpu) -> str:
    kinds = [
        f"{count} {kind}"
        for count, kind in ((cpu.cores_performance, "fast"), (cpu.cores_efficiency, "efficient"))
        if count
    ]
    cores = f"{cpu.cores_performance} cores" if len(kinds) == 1 else " + ".join(kinds) + " cores"
    flags = {flag.lower() for flag in cpu.flags}
    known = dict.fromkeys(word for flag, word in INSTRUCTIONS.items() if flag in flags)
    return _words(
        cores if kinds else "cores unknown",
        cpu.threads and f"{cpu.threads} threads",
        (cpu.numa_nodes or 1) > 1 and f"{cpu.numa_nodes} memory nodes",
        " ".join(known),
    )


def _memory(memory: Memory) -> str:
    swap = "no swap"
    if memory.swap_total:
        kind = " (compressed memory)" if memory.swap_is_memory else ""
        swap = f"swap {_size(memory.swap_used)} used of {_size(memory.swap_total)}{kind}"
    return _words(
        f"{_size(memory.available)} available of {_size(memory.total)}",
        memory.unified and "shared with the GPU",
        memory.gpu_most and f"of which the GPU may hold {_size(memory.gpu_most)}",
        swap if memory.swap_total is not None else "swap unknown",
    )


def _held(gpu: Gpu) -> str | None:
    if gpu.memory_total is None:
        return "memory of the processor" if gpu.api in ("metal", "cuda") else "memory unknown"
    if gpu.memory_free is None:
        return _size(gpu.memory_total)
    return f"{_size(gpu.memory_free)} free of {_size(gpu.memory_total)}"


def _about(gpu: Gpu) -> str:
    return _words(
        gpu.cores and f"{gpu.cores} cores",
        gpu.api,
        gpu.capability
        and (gpu.capability if gpu.vendor == "amd" else f"compute capability {gpu.capability}"),
        gpu.driver and f"driver {gpu.driver}",
        gpu.runtime and f"CUDA up to {gpu.runtime}",
        gpu.instances and f"split into {len(gpu.instances)}",
        gpu.processes and f"used by {gpu.processes}",
    )


def _tools(found: Facts) -> Iterable[str]:
    """Those with a version, by name; what every system has is not worth a word."""
    for name, tool in found.tools.items():
        if tool.version is not None:
            yield f"{name} {tool.version}"


def _words(*parts: str | bool | int | tuple[str, ...] | None) -> str:
    return ", ".join(part for part in parts if isinstance(part, str) and part)


def _size(count: int | None) -> str:
    return "unknown" if count is None else size_text(count)


verb = Verb(
    help="Show what hosts are and what fleet holds there.",
    level=0,
    flow=facts,
    document=document,
    lines=lines,
    schema="fleet.facts/1",
)
