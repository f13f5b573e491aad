"""What hosts are: hardware, tools, and what fleet holds there."""

import dataclasses
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from fleet.commands.base import Request, Results, Verb, split
from fleet.core.errors import FleetError
from fleet.core.facts import Facts
from fleet.core.flow import Flow, probe
from fleet.core.plan import size_text
from fleet.servers.proof import summary

if TYPE_CHECKING:
    from fleet.core.inventory import Inventory


def facts(request: Request, inventory: "Inventory", host: str) -> Flow[Facts]:
    """One look at the host."""
    return (yield from probe(host))


def document(request: Request, results: Results) -> dict[str, Any]:
    """`fleet.facts/1`: everything known, and why the rest is not."""
    return {"hosts": [_host(name, result) for name, result in results.items()]}


def lines(request: Request, results: Results) -> Iterable[str]:
    for host, found in split(results)[0].items():
        yield host
        yield from (f"  {label:<10} {text}" for label, text in _rows(found))


def _host(name: str, result: Facts | FleetError) -> dict[str, Any]:
    if isinstance(result, FleetError):
        return {"name": name, "error": result.document()}
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
    cores = " + ".join(
        f"{count} {kind}"
        for count, kind in ((found.cpu.cores_performance, "P"), (found.cpu.cores_efficiency, "E"))
        if count
    )
    yield (
        "system",
        f"{found.os_version or found.os or 'unknown'}, {found.arch or 'unknown'}, {found.kernel or '?'}",
    )
    yield "cpu", f"{found.cpu.model or 'unknown'}, {cores or 'unknown'} cores"
    yield "memory", f"{_size(found.memory.available)} free of {_size(found.memory.total)}"
    yield "disk", f"{_size(found.disk.free)} free of {_size(found.disk.total)} at {found.root}"
    for gpu in found.gpus:
        held = (
            f"{_size(gpu.memory_free)} free of {_size(gpu.memory_total)}"
            if gpu.memory_total
            else "unified memory"
        )
        yield "gpu", f"{gpu.name}, {held}" + (f", {gpu.cores} cores" if gpu.cores else "")
    yield (
        "tools",
        ", ".join(f"{tool.name} {tool.version or ''}".strip() for tool in found.tools.values()) or "none",
    )
    yield "keeps", "servers kept alive by " + (", ".join(found.supervisors) or "nothing")
    for build in found.builds:
        yield "build", f"{build.fingerprint} {build.backend} b{build.number or '?'}"
    for model in found.models:
        yield "model", f"{model.sha256[:12]} {size_text(model.size)}"
    for one in found.instances:
        yield "server", f"{one.server} {one.state}" + (f", held: {one.held}" if one.held is not None else "")
        if one.proof is not None:
            yield "", summary(one.proof)
    for path, reason in found.unknown.items():
        yield "unknown", f"{path}: {reason}"


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
