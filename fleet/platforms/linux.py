"""Linux on a desktop or server; what it runs on otherwise has files of its own."""

import re
from collections.abc import Mapping
from dataclasses import replace

from fleet.core.text import safe_line
from fleet.platforms.base import Platform, Section, System, packaged
from fleet.platforms.probe.answer import one, pairs, said
from fleet.platforms.probe.cpu import cpu
from fleet.platforms.probe.disk import disk
from fleet.platforms.probe.gpus import gpus
from fleet.platforms.probe.memory import memory

STATES = ("running", "degraded", "starting", "initializing", "maintenance", "stopping")


def read(found: Mapping[str, Section]) -> System:
    processor, about_cpu = cpu(*(one(found, name) for name in ("cpuinfo", "topology", "limits", "nodes")))
    cards = gpus(found)
    pool, about_memory = memory(*(one(found, name) for name in ("meminfo", "limits", "swaps")))
    space, about_disk = disk(one(found, "disk"), one(found, "inodes"))
    supervisors, has_linger, about_supervisors = keepers(one(found, "systemd"))
    has_cron, about_cron = cron(one(found, "cron"))
    uptime, about_uptime = seconds(one(found, "uptime"))
    version, libc_name = distribution(one(found, "os-release")), libc(one(found, "libc").text)
    unknown = {
        **about_cpu,
        **cards.unknown,
        **about_memory,
        **about_disk,
        **about_supervisors,
        **about_cron,
        **about_uptime,
    }
    if version is None:
        unknown["os_version"] = said(one(found, "os-release"), "no /etc/os-release")
    if libc_name is None:
        unknown["libc"] = "neither getconf nor ldd names it"
    return System(
        os_version=version,
        libc=libc_name,
        uptime=uptime,
        cpu=processor,
        memory=replace(pool, unified=cards.is_unified),
        disk=space,
        gpus=cards.cards,
        supervisors=supervisors,
        has_linger=has_linger,
        has_cron=has_cron,
        unknown=unknown,
    )


def distribution(release: Section) -> str | None:
    """Debian GNU/Linux 12 (bookworm)"""
    named = pairs(release.text)
    name = named.get("PRETTY_NAME") or " ".join(
        word.strip("\"'") for word in (named.get("NAME", ""), named.get("VERSION_ID", "")) if word
    )
    return safe_line(name.strip("\"'"), 200) or None


def on(system: System, machine: str) -> System:
    """With the kind of machine in the name of its system."""
    version = f"{system.os_version} on {machine}" if system.os_version else machine
    unknown = {path: reason for path, reason in system.unknown.items() if path != "os_version"}
    return replace(system, os_version=version, unknown=unknown)


def compatible(found: Mapping[str, Section]) -> tuple[str, ...]:
    """What a board's device tree says that it is, the most special first."""
    return tuple(re.findall(r"(?m)^compatible=(.+)$", one(found, "board").text))


def libc(text: str) -> str | None:
    """glibc 2.36, musl 1.2.4"""
    if match := re.search(r"(?i)\bglibc[ )]+(\d+\.\d+)", text) or re.search(
        r"(?m)^ldd \(.*\) (\d+\.\d+)", text
    ):
        return f"glibc {match[1]}"
    if "musl" in text:
        match = re.search(r"Version (\d[\d.]*)", text)
        return f"musl {match[1]}" if match else "musl"
    return None


def seconds(section: Section) -> tuple[float | None, Mapping[str, str]]:
    match = re.match(r"([0-9]{1,15}(?:\.[0-9]+)?)\s", section.text + "\n")
    return (float(match[1]), {}) if match else (None, {"uptime": said(section, "no /proc/uptime")})


def keepers(section: Section) -> tuple[tuple[str, ...], bool | None, Mapping[str, str]]:
    """Usable supervisors, whether user units stay after logout, reasons."""
    told = pairs(section.text)
    state, has_linger = told.get("state", ""), told.get("linger") == "yes"
    if section.status in (127, None) or state == "offline":  # installed, and not what booted the machine
        return ("supervise",), None, {"has_linger": "no systemd"}
    if state.split(" ")[0] not in STATES:
        return (
            ("supervise",),
            has_linger,
            {"supervisors.systemd": safe_line(state, 200) or "systemctl --user is silent"},
        )
    if not has_linger and told.get("loginctl") != "yes":
        return (
            ("supervise",),
            False,
            {"supervisors.systemd": "units would end at logout, and there is no loginctl"},
        )
    return ("systemd", "supervise"), has_linger, {}


def cron(section: Section) -> tuple[bool | None, Mapping[str, str]]:
    """Whether a cron daemon runs; without it @reboot would never come."""
    if section.status is None:
        return None, {"has_cron": "not asked"}
    return section.status == 0, {}


platform = Platform("Linux", "Linux", "linux", packaged("linux.sh"), packaged("linux_questions.sh"), read)
