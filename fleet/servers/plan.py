"""Which steps bring the servers of one host to what is wanted."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from fleet.core.errors import PlanError
from fleet.core.facts import Facts, Instance
from fleet.core.plan import Artifact, Choice, Step
from fleet.servers import life
from fleet.servers.capabilities import Capabilities
from fleet.servers.companions import Companion
from fleet.servers.failure import explain
from fleet.servers.life import UP
from fleet.servers.release import Release, release
from fleet.servers.settings import Sized
from fleet.supervisors.base import SUPERVISORS

if TYPE_CHECKING:
    from fleet.core.inventory import Host, Server


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
        return _fresh(wanted), []
    if there.held is not None:
        reason = there.held or "no reason given"
        return [], [f"{name} is held: {reason}; fleet start {name}@{host} clears it"]
    if _runs(wanted, there):  # no step is made where none is needed: it costs more than to look
        return ([], []) if there.is_proven else ([life.ready(wanted)], [])
    written, *started = _fresh(wanted)
    if there.release != wanted.rid or there.supervisor != wanted.supervisor:
        note = f"{name} changes from release {there.release} to {wanted.rid}"
        if there.state not in UP:
            return [written, life.stop(there, facts), *started], [note]
        outage = f"{name} does not answer between stop and ready"
        stop = replace(life.stop(there, facts, outage), undo=life.back(wanted, there, facts))
        is_other = wanted.address and wanted.address != there.listen
        check = [life.check(wanted)] if is_other else []
        return [written, *check, life.drain(there), stop, *started], [f"{note}: {outage}"]
    stop_first = [life.stop(there, facts)] if there.state in UP else []
    return [written, *stop_first, *started], [why_down(host, there, facts)]


def _fresh(wanted: Release) -> list[Step]:
    return [life.write(wanted), life.deploy(wanted), life.ready(wanted)]


def _runs(wanted: Release, there: Instance) -> bool:
    """Whether it is the wanted release, and none that ends and is tried again and again."""
    is_failing = there.state == "starting" and there.exit_code not in (None, 0)
    is_wanted = (there.release, there.supervisor) == (wanted.rid, wanted.supervisor)
    return is_wanted and there.state in UP and not is_failing


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
    drain = [life.drain(there)] if there.state in UP else []
    return [*drain, life.remove(there, facts)], []


def _check_listeners(servers: Mapping[str, "Server"]) -> None:
    taken: dict[str, str] = {}
    for name, server in servers.items():
        if server.listen != "socket" and server.listen in taken:
            raise PlanError(
                f"servers {taken[server.listen]} and {name} both listen on {server.listen}",
                next=f"set another listen in [servers.{name}] of inventory.toml",
            )
        taken[server.listen] = name
