"""Which steps start, stop and restart servers that are deployed, as a person asks for it."""

from collections.abc import Collection

from fleet.core.errors import PlanError
from fleet.core.facts import Facts, Instance
from fleet.core.names import nearest
from fleet.core.plan import Step
from fleet.servers import life
from fleet.servers.life import UP

Steps = tuple[tuple[Step, ...], tuple[str, ...]]  # in order; and notes


def start(host: str, facts: Facts, servers: Collection[str]) -> Steps:
    """Steps that start servers which are deployed and down; a hold is cleared."""
    found: list[Step] = []
    notes: list[str] = []
    for one in chosen(host, facts, servers):
        if one.state in UP and one.is_proven:
            notes.append(f"{one.server} runs already")
        elif one.state in UP:
            found.append(life.ready_again(one))
        else:
            found += [life.start(one, facts), life.ready_again(one)]
    return tuple(found), tuple(notes)


def stop(host: str, facts: Facts, servers: Collection[str], reason: str | None = None) -> Steps:
    """Steps that stop servers and hold them: deploy leaves them so until they are started."""
    found: list[Step] = []
    notes: list[str] = []
    for one in chosen(host, facts, servers):
        if one.held is not None and one.state not in UP:
            notes.append(f"{one.server} is held already: {one.held}")
            continue
        if one.state in UP:
            found.append(life.drain(one))
        found.append(life.hold(one, facts, host, reason or "stopped by hand"))
    return tuple(found), tuple(notes)


def restart(host: str, facts: Facts, servers: Collection[str]) -> Steps:
    """Steps that stop and start servers under the release they have; held ones only when named."""
    found: list[Step] = []
    notes: list[str] = []
    for one in chosen(host, facts, servers):
        if one.held is not None and not servers:
            notes.append(f"{one.server} is held: {one.held}; fleet start {one.server}@{host} clears it")
            continue
        drain = [life.drain(one)] if one.state in UP else []
        outage = f"{one.server} does not answer between stop and ready"
        found += [*drain, life.stop(one, facts, outage), life.start(one, facts), life.ready_again(one)]
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
