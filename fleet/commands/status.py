"""How hosts and servers do, now."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fleet.commands.base import Request, Results, Verb
from fleet.core.errors import FleetError, UnreachableError
from fleet.core.facts import Facts, Live
from fleet.core.flow import Flow, LastMeasured, look, probe
from fleet.core.proof import Proof
from fleet.core.render import WIDTH, age_text, rate_text, table, wrapped
from fleet.servers.proof import mend
from fleet.watch.states import host_state, server_state

if TYPE_CHECKING:
    from fleet.core.inventory import Inventory


@dataclass(frozen=True, slots=True)
class ServerStatus:
    name: str
    state: str
    reason: str | None
    model: str | None
    generation_tps: float | None  # tokens/s
    generation_age: float | None  # seconds since it was measured
    listen: str | None
    proof: Proof | None = None  # of the process that runs


@dataclass(frozen=True, slots=True)
class Status:
    state: str
    age: float | None  # seconds since the host last answered
    backend: str | None
    memory_used: int | None  # bytes
    memory_total: int | None  # bytes
    servers: tuple[ServerStatus, ...]
    error: FleetError | None = None


def status(request: Request, inventory: "Inventory", host: str) -> Flow[Status]:
    """A look at the host and at each of its servers.

    A host that is meant to come and go is "asleep" when it does not answer, and
    that is no error.
    """
    measured, seen, now = yield LastMeasured(host)
    age = None if seen is None else max(0.0, now - seen)
    try:
        facts = yield from probe(host)
        live = yield from look(host, facts)
    except UnreachableError as error:
        away = tuple(
            ServerStatus(name, "unknown", None, server.model, None, None, None)
            for name, server in inventory.servers_on(host).items()
        )
        if inventory.hosts[host].part_time and error.kind in ("unreachable", "link-lost"):
            return Status("asleep", age, None, None, None, away)
        return Status("down", age, None, None, None, away, error)
    wanted = inventory.servers_on(host)
    answers = {one.server: one for one in live}
    servers = tuple(
        _server(facts, answers, name, name in wanted, measured, now) for name in _names(facts, wanted)
    )
    total, available = facts.memory.total, facts.memory.available
    return Status(
        state=host_state(facts, [one.state for one in servers]),
        age=0.0,
        backend=next((one.backend for one in facts.instances if one.backend), None)
        or next((build.backend for build in facts.builds), None),
        memory_used=None if total is None or available is None else total - available,
        memory_total=total,
        servers=servers,
    )


def document(request: Request, results: Results) -> dict[str, Any]:
    """`fleet.status/1`."""
    return {"hosts": [_document(host, result) for host, result in results.items()]}


def lines(request: Request, results: Results) -> Iterable[str]:
    head = ("HOST", "STATE", "BACKEND", "SERVER", "SERVER STATE", "MODEL", "GEN t/s", "MEM", "AGE")
    rows, reasons = [], []
    for host, result in results.items():
        if isinstance(result, FleetError):
            rows.append((host, "unknown", "-", "-", "-", "-", "--", "--", "--"))
            continue
        first = (host, result.state, result.backend or "-")
        memory, age = _share(result), age_text(result.age)
        if not result.servers:
            rows.append((*first, "-", "-", "-", "--", memory, age))
        for server in result.servers:
            speed = rate_text(server.generation_tps)
            if server.generation_age is not None and server.generation_age > 2:
                speed = f"{speed} ({age_text(server.generation_age)} ago)"
            rows.append((*first, server.name, server.state, server.model or "-", speed, memory, age))
            first, memory, age = ("", "", ""), "", ""
            if server.reason:
                reasons += wrapped(f"{host}: {server.name} {server.state}: {server.reason}")
            if server.state == "degraded":
                proof = server.proof
                reasons.append(f"-> next: {proof.next if proof and proof.next else mend(host)}")
            if server.state == "held":
                reasons.append(f"-> next: fleet start {server.name}@{host}")
        if result.error is not None:
            reasons += str(result.error).splitlines()
    yield from table(head, rows, WIDTH, {"GEN t/s", "MEM", "AGE"})
    yield from reasons


def _names(facts: Facts, wanted: dict[str, Any]) -> list[str]:
    return [*wanted, *(one.server for one in facts.instances if one.server not in wanted)]


def _server(
    facts: Facts,
    live: dict[str, Live],
    name: str,
    is_wanted: bool,
    measured: dict[str, tuple[float, float]],
    now: float,
) -> ServerStatus:
    instance = next((one for one in facts.instances if one.server == name), None)
    if instance is None:
        return ServerStatus(
            name, "unknown", f"not deployed; fleet deploy {facts.host}", None, None, None, None
        )
    answer = live.get(name)
    state, reason = server_state(instance, answer, is_wanted, facts.boot_id)
    rate, age = (answer.generation_tps, 0.0) if answer is not None else (None, None)
    if rate is None:
        rate, at = measured.get(name, (None, None))
        age = None if at is None else max(0.0, now - at)
    return ServerStatus(name, state, reason, instance.model, rate, age, instance.listen, instance.proof)


def _document(host: str, result: Status | FleetError) -> dict[str, Any]:
    if isinstance(result, FleetError):
        result = Status("unknown", None, None, None, None, (), result)
    return {
        "name": host,
        "state": result.state,
        "age_s": result.age,
        "backend": result.backend,
        "memory": {"used": result.memory_used, "total": result.memory_total},
        "servers": [
            {
                "name": one.name,
                "state": one.state,
                "reason": one.reason,
                "model": one.model,
                "generation_tps": one.generation_tps,
                "generation_age_s": one.generation_age,
                "listen": one.listen,
                "proof": None if one.proof is None else one.proof.document(),
            }
            for one in result.servers
        ],
        "error": None if result.error is None else result.error.document(),
    }


def _share(result: Status) -> str:
    if not result.memory_total or result.memory_used is None:
        return "--"
    return f"{100 * result.memory_used / result.memory_total:.0f}%"


def failure(result: Status) -> FleetError | None:
    """A host that is down is an answer of ours and a failure of the run."""
    return result.error


verb = Verb(
    help="Show how hosts and servers do, now.",
    level=0,
    flow=status,
    document=document,
    lines=lines,
    schema="fleet.status/1",
    watches=True,
    failure=failure,
)
