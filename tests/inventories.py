"""Inventories for test hosts, of the rig or embedded."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Protocol


class Reachable(Protocol):
    """What both kinds of hosts have."""

    @property
    def name(self) -> str: ...
    @property
    def address(self) -> str: ...
    @property
    def port(self) -> int: ...
    @property
    def user(self) -> str: ...
    @property
    def key(self) -> Path: ...
    @property
    def known_hosts(self) -> Path: ...


def hosts_text(hosts: Iterable[Reachable], **more: Mapping[str, object]) -> str:
    """The `[hosts]` part of an inventory.toml.

    Args:
        more: further settings of a host by its name.
    """
    lines = []
    for host in hosts:
        settings: dict[str, object] = {
            "address": host.address,
            "port": host.port,
            "user": host.user,
            "identity": str(host.key),
            "known_hosts": str(host.known_hosts),
        }
        settings |= more.get(host.name, {})
        # strings, numbers, booleans and lists of them are the same in JSON and TOML
        values = [f"{key} = {json.dumps(value)}" for key, value in settings.items()]
        lines += [f"[hosts.{host.name}]", *values, ""]
    return "\n".join(lines)
