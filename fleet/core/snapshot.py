"""The last state as text, so that the next dashboard has something to show at once."""

import dataclasses
import json
from collections.abc import Iterable
from typing import Any

from fleet.core import events as happened
from fleet.core.state import HostState, Known, ServerState, State, beginning

SCHEMA = "fleet.snapshot/1"


def dump(state: State) -> str:
    """What the hosts said last, with the times at which they said it."""
    hosts = [_host(host) for host in state.hosts.values() if host.seen is not None]
    return json.dumps({"schema": SCHEMA, "hosts": hosts}, ensure_ascii=False)


def load(text: str, known: Iterable[Known]) -> State:
    """The state of the hosts that are still known; what cannot be read is left out.

    Times stay as they were, so that everything in it is as old as it is.
    """
    state = beginning(known)
    try:
        document = json.loads(text)
    except ValueError:
        return state
    if not isinstance(document, dict) or document.get("schema") != SCHEMA:
        return state
    hosts = dict(state.hosts)
    for entry in document.get("hosts") or ():
        try:
            host = hosts[entry["name"]]
            hosts[host.name] = _load(host, entry)
        except (KeyError, TypeError, ValueError):
            continue
    return dataclasses.replace(state, hosts=hosts)


def _host(host: HostState) -> dict[str, Any]:
    servers = [s.sample.document() for s in host.servers.values() if s.sample is not None]
    sample = host.sample.document() if host.sample is not None else None
    return {
        "name": host.name,
        "seen": host.seen,
        "backend": host.backend,
        "platform": host.platform,
        "sample": sample,
        "servers": servers,
    }


def _load(host: HostState, entry: dict[str, Any]) -> HostState:
    servers: dict[str, ServerState] = {}
    for document in entry["servers"]:
        sample = happened.parse(json.dumps(document))
        if isinstance(sample, happened.ServerSampled):
            servers[sample.server] = ServerState(sample, float(sample.ts))
    sample = happened.parse(json.dumps(entry["sample"])) if entry["sample"] else None
    return dataclasses.replace(
        host,
        seen=float(entry["seen"]),
        backend=entry["backend"],
        platform=entry["platform"],
        sample=sample if isinstance(sample, happened.Sampled) else None,
        servers=servers,
    )
