"""Termux: programs of an Android telephone; a processor to compute with, and no service manager."""

from collections.abc import Mapping
from dataclasses import replace

from fleet.platforms import linux
from fleet.platforms.base import Platform, Section, System
from fleet.platforms.probe.answer import one, pairs


def is_it(found: Mapping[str, Section]) -> bool:
    return _told(found).get("android") == "yes"


def read(found: Mapping[str, Section]) -> System:
    system = linux.read(found)
    title = "Android (Termux)" if _told(found).get("termux") else "Android"
    if system.os_version is not None:  # a distribution inside of it
        return linux.on(system, title)
    unknown = {path: reason for path, reason in system.unknown.items() if path != "os_version"}
    return replace(system, os_version=title, unknown=unknown)


def _told(found: Mapping[str, Section]) -> Mapping[str, str]:
    return pairs(one(found, "system").text)


platform = Platform("Termux", "Linux", "linux", "", "", read, is_it)
