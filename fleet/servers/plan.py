"""Which steps bring the servers of one host to what is wanted."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from fleet.core.errors import PlanError
from fleet.core.facts import Facts, Instance
from fleet.core.names import nearest
from fleet.core.plan import Action, Artifact, Choice, Drained, Ready, Run, Step, Wait, Write
from fleet.core.proof import NOTHING
from fleet.servers.capabilities import Capabilities
from fleet.servers.companions import Companion
from fleet.servers.failure import explain
from fleet.servers.release import Release, files, release
from fleet.servers.settings import Sized
from fleet.supervisors.base import SUPERVISORS, Service, verb

if TYPE_CHECKING:
    from fleet.core.inventory import Host, Server

STILL = 180.0  # seconds that a server may load without using the CPU
DRAIN = 60.0  # seconds given to requests in flight
START = 60.0  # seconds for the start program
STOP = 60.0  # seconds: TERM, TERM and KILL take at most 27 of them
UP = ("running", "starting")

Steps = tuple[tuple[Step, ...], tuple[str, ...]]


def steps(
    host: str,
    wish: "Host",
    servers: Mapping[str, "Server"],
    facts: Facts,
    models: Mapping[str, Artifact],
    *,
    companions: Mapping[str, tuple[Companion, ...]] | None = None,
    fingerprint: str | None,
    backend: str | None,
    known: Capabilities | None = None,
    sized: Mapping[str, Sized] | None = None,
    private_networks: tuple[str, ...] = (),
    prune: bool = False,
    undeclared: Collection[str] = (),
) -> tuple[tuple[Step, ...], tuple[str, ...], dict[str, tuple[Choice, ...]]]:
    """Steps for the wanted servers, and for those that are no longer wanted.

    Args:
        servers: those that should run here, by name.
        models: the file of each model, by its name in the inventory.
        companions: what is served with a model, by its name.
        fingerprint, backend: of the build that they use; None only where no server is wanted.
        known: what that build's llama-server can do; None before it is there.
        sized: what is known of the models' sizes here, by server.
        undeclared: names of servers that are there and not wanted.

    Returns:
        Steps in order; notes: what is held, undeclared, started again and why; and the
        settings of each server.

    Raises:
        PlanError: a server cannot run here as it is written.
    """
    found: list[Step] = []
    notes: list[str] = []
    settings: dict[str, tuple[Choice, ...]] = {}
    there = {one.server: one for one in facts.instances}
    supervisors = set()
    for name, server in servers.items():
        if fingerprint is None or backend is None:
            raise PlanError(f"server {name} has no build here", next=f"fleet build {host}")
        model = models[server.model]
        size = (sized or {}).get(name, Sized())
        wanted = release(
            name,
            server,
            wish,
            facts,
            fingerprint,
            backend,
            model.id,
            private_networks,
            known=known,
            sizing=size.sizing,
            expected=size.expected,
            model=model,
            companions=(companions or {}).get(server.model, ()),
        )
        one, said = _converge(host, wanted, there.get(name), facts)
        settings[name] = wanted.choices
        if one:
            supervisors.add(wanted.supervisor)
            said += [f"{name}: {note}" for note in (*wanted.notes, *size.notes)]
        found += one
        notes += said
    _check_listeners(servers)
    for name in undeclared:
        if name in there:
            one, said = _undeclared(host, there[name], facts, prune)
            found += one
            notes += said
    for kind in sorted(supervisors):
        notes += SUPERVISORS.take(kind).notes(facts)
    return tuple(found), tuple(notes), settings


def _converge(
    host: str, wanted: Release, there: Instance | None, facts: Facts
) -> tuple[list[Step], list[str]]:
    name = wanted.server
    if there is None or there.release is None:
        return [_write(wanted), _deploy(wanted), _ready(wanted)], []
    if there.held is not None:
        reason = there.held or "no reason given"
        return [], [f"{name} is held: {reason}; fleet start {name}@{host} clears it"]
    if there.release != wanted.rid or there.supervisor != wanted.supervisor:
        note = f"{name} changes from release {there.release} to {wanted.rid}"
        if there.state not in UP:
            return [_write(wanted), _stop(there, facts), _deploy(wanted), _ready(wanted)], [note]
        outage = f"{name} does not answer between stop and ready"
        stop = [_drain(there), replace(_stop(there, facts, outage), undo=_back(wanted, there, facts))]
        if wanted.address and wanted.address != there.listen:
            stop = [_check(wanted), *stop]
        return [_write(wanted), *stop, _deploy(wanted), _ready(wanted)], [f"{note}: {outage}"]
    if there.state == "starting" and there.exit_code not in (None, 0):
        return [_write(wanted), _stop(there, facts), _deploy(wanted), _ready(wanted)], [
            why_down(host, there, facts)
        ]
    if there.state in UP:
        return ([], []) if there.is_proven else ([_ready(wanted)], [])
    return [_write(wanted), _deploy(wanted), _ready(wanted)], [why_down(host, there, facts)]


def why_down(host: str, there: Instance, facts: Facts) -> str:
    """A sentence on why a server that should run does not."""
    if there.state in ("failed", "starting"):
        cause = explain(there.exit_code, there.log_tail, host, there.server)
        return f"{there.server} failed: {cause.cause}; it is started again"
    if there.boot is not None and facts.boot_id is not None and there.boot != facts.boot_id:
        return f"{there.server} is down since the host was restarted; it is started again"
    return f"{there.server} is stopped; it is started again"


def _undeclared(host: str, there: Instance, facts: Facts, prune: bool) -> tuple[list[Step], list[str]]:
    if not prune:
        return [], [f"{there.server} is undeclared: not wanted on {host}; --prune stops and removes it"]
    drain = [_drain(there)] if there.state in UP else []
    title = f"stop and remove {there.server}"
    outage = f"{there.server} ends" if there.state in UP else None
    run = Run(_script(there, facts, "remove"), STOP)
    return [*drain, Step(title, run, f"remove {there.server}", "stop", outage=outage)], []


def start_steps(host: str, facts: Facts, servers: Collection[str], reason: str | None = None) -> Steps:
    """Steps that start servers which are deployed and down; a hold is cleared."""
    found: list[Step] = []
    notes: list[str] = []
    for one in chosen(host, facts, servers):
        if one.state in UP and one.is_proven:
            notes.append(f"{one.server} runs already")
        elif one.state in UP:
            found.append(_ready_again(one))
        else:
            found += [_start(one, facts), _ready_again(one)]
    return tuple(found), tuple(notes)


def stop_steps(host: str, facts: Facts, servers: Collection[str], reason: str | None = None) -> Steps:
    """Steps that stop servers and hold them: deploy leaves them so until they are started."""
    found: list[Step] = []
    notes: list[str] = []
    for one in chosen(host, facts, servers):
        if one.held is not None and one.state not in UP:
            notes.append(f"{one.server} is held already: {one.held}")
            continue
        if one.state in UP:
            found.append(_drain(one))
        run = Run(_script(one, facts, "hold", REASON=" ".join((reason or "stopped by hand").split())), STOP)
        outage = f"{one.server} does not answer until fleet start {one.server}@{host}"
        found.append(Step(f"stop {one.server} and hold it", run, f"hold {one.server}", "stop", outage=outage))
    return tuple(found), tuple(notes)


def restart_steps(host: str, facts: Facts, servers: Collection[str], reason: str | None = None) -> Steps:
    """Steps that stop and start servers under the release they have; held ones only when named."""
    found: list[Step] = []
    notes: list[str] = []
    for one in chosen(host, facts, servers):
        if one.held is not None and not servers:
            notes.append(f"{one.server} is held: {one.held}; fleet start {one.server}@{host} clears it")
            continue
        drain = [_drain(one)] if one.state in UP else []
        outage = f"{one.server} does not answer between stop and ready"
        found += [*drain, _stop(one, facts, outage), _start(one, facts), _ready_again(one)]
    return tuple(found), tuple(notes)


def chosen(host: str, facts: Facts, servers: Collection[str]) -> list[Instance]:
    """The named instances, or all.

    Raises:
        PlanError: a name that is not deployed here; names those that are.
    """
    there = {one.server: one for one in facts.instances if one.release is not None}
    for name in servers:
        if name not in there:
            near = nearest(name, there)
            hint = f"deployed there: {', '.join(near)}" if near else f"fleet deploy {host}"
            raise PlanError(f"no server called {name!r} is deployed here", next=hint)
    return [one for name, one in there.items() if not servers or name in servers]


def _write(wanted: Release) -> Step:
    title = f"write release {wanted.rid} of {wanted.server}"
    return Step(title, Write(files(wanted)), f"release {wanted.server} {wanted.wish}", "prepare")


def _check(wanted: Release) -> Step:
    """Before the old one is stopped."""
    run = Run(verb(wanted.supervisor, "check", wanted.service, ADDRESS=wanted.address), START)
    return Step(
        f"check that {wanted.address} is free", run, f"check {wanted.server} {wanted.address}", "prepare"
    )


def _deploy(wanted: Release) -> Step:
    script = verb(wanted.supervisor, "deploy", wanted.service, SOCKET=wanted.socket, ADDRESS=wanted.address)
    title = f"start {wanted.server} ({wanted.model} on {wanted.backend}) under {wanted.supervisor}"
    return Step(title, Run(script, START), f"start {wanted.server} {wanted.wish}", "start")


def _ready(wanted: Release) -> Step:
    until = Ready(wanted.server, wanted.rid, wanted.listen, STILL, wanted.device, wanted.expected)
    key = f"ready {wanted.server} {wanted.wish}"
    return Step(f"wait until {wanted.server} answers a completion", Wait(until), key, "health")


def _drain(there: Instance) -> Step:
    until = Drained(there.server, there.listen or "", DRAIN)
    title = f"let {there.server} finish its requests, at most {DRAIN:.0f} s"
    return Step(title, Wait(until), f"drain {there.server}", "stop")


def _stop(there: Instance, facts: Facts, outage: str | None = None) -> Step:
    run = Run(_script(there, facts, "stop"), STOP)
    return Step(f"stop {there.server}", run, f"stop {there.server} {there.release}", "stop", outage=outage)


def _back(wanted: Release, there: Instance, facts: Facts) -> tuple[Action, ...]:
    """What brings the former release back when the wanted one does not get ready."""
    before = Service(there.server, there.release or "", facts.root, facts.home or "", there.server)
    place = _place(there)
    return (
        Run(
            verb(wanted.supervisor, "stop", wanted.service, SOCKET=wanted.socket, ADDRESS=wanted.address),
            STOP,
        ),
        Write(SUPERVISORS.take(there.supervisor).files(before)),
        Run(verb(there.supervisor, "deploy", before, **place), START),
        _ready_again(there).action,
    )


def _start(there: Instance, facts: Facts) -> Step:
    run = Run(_script(there, facts, "start"), START)
    return Step(f"start {there.server}", run, f"start {there.server} {there.release}", "start")


def _ready_again(there: Instance) -> Step:
    rid = there.release or ""
    expected = there.proof.expected if there.proof is not None else NOTHING
    until = Ready(there.server, rid, there.listen or "", STILL, there.device, expected)
    key = f"ready {there.server} {rid}"
    return Step(f"wait until {there.server} answers a completion", Wait(until), key, "health")


def _script(there: Instance, facts: Facts, name: str, **more: str) -> str:
    """A program about a service as it is on the host."""
    service = Service(there.server, there.release or "", facts.root, facts.home or "", "")
    return verb(there.supervisor, name, service, **(_place(there) | more))


def _place(there: Instance) -> dict[str, str]:
    listen = there.listen or ""
    return {"SOCKET": listen} if listen.startswith("/") else {"ADDRESS": listen}


def _check_listeners(servers: Mapping[str, "Server"]) -> None:
    taken: dict[str, str] = {}
    for name, server in servers.items():
        if server.listen != "socket" and server.listen in taken:
            raise PlanError(
                f"servers {taken[server.listen]} and {name} both listen on {server.listen}",
                next=f"set another listen in [servers.{name}] of inventory.toml",
            )
        taken[server.listen] = name
