"""Linux, from a desktop to WSL, Jetson, Raspberry Pi and Termux."""

import re
from collections.abc import Mapping

from fleet.core.facts import Memory
from fleet.core.text import safe_line
from fleet.platforms.base import Platform, Section, System, packaged
from fleet.platforms.probe.answer import MISSING, number, pairs, said
from fleet.platforms.probe.cpu import cpu
from fleet.platforms.probe.disk import disk
from fleet.platforms.probe.gpus import gpus

STATES = ("running", "degraded", "starting", "initializing", "maintenance", "stopping")


def read(found: Mapping[str, Section]) -> System:
    def section(name: str) -> Section:
        return found.get(name, MISSING)

    told = pairs(section("system").text)
    release = told.get("release", "").lower()
    is_wsl = "microsoft" in release
    processor, about_cpu = cpu(section("cpuinfo"), section("topology"), section("limits"), is_wsl)
    cards, about_gpus = gpus(*(section(name) for name in ("pci", "nvidia", "rocm", "drm", "kfd", "board")))
    is_unified = any(card.vendor == "nvidia" and card.memory_total is None for card in cards)
    pool, about_memory = memory(section("meminfo"), section("limits"), is_unified)
    space, about_disk = disk(section("disk"), section("inodes"))
    supervisors, has_linger, about_supervisors = keepers(section("systemd"))
    has_cron, about_cron = cron(section("cron"))
    version = os_version(section("os-release"), section("board"), told, is_wsl)
    uptime, about_uptime = seconds(section("uptime"))
    libc_name = libc(section("libc").text)
    unknown = {
        **about_cpu,
        **about_gpus,
        **about_memory,
        **about_disk,
        **about_supervisors,
        **about_cron,
        **about_uptime,
    }
    if version is None:
        unknown["os_version"] = said(section("os-release"), "no /etc/os-release")
    if libc_name is None:
        unknown["libc"] = "neither getconf nor ldd names it"
    return System(
        version, libc_name, uptime, processor, pool, space, cards, supervisors, has_linger, has_cron, unknown
    )


def os_version(release: Section, board: Section, told: Mapping[str, str], is_wsl: bool) -> str | None:
    """The distribution, and what kind of machine it finds itself on."""
    named = pairs(release.text)
    name = named.get("PRETTY_NAME") or " ".join(
        word.strip("\"'") for word in (named.get("NAME", ""), named.get("VERSION_ID", "")) if word
    )
    name = safe_line(name.strip("\"'"), 200)
    if not name and told.get("android"):
        name = "Android (Termux)" if told.get("termux") else "Android"
    trees = re.findall(r"(?m)^compatible=(.+)$", board.text)
    notes = []
    if is_wsl:
        notes.append("WSL2" if "wsl2" in told.get("release", "").lower() else "WSL")
    if any(tree.startswith("nvidia,tegra") for tree in trees):
        notes.append("Jetson")
    if any(tree.startswith("raspberrypi,") for tree in trees):
        model = re.search(r"(?m)^model=(.+)$", board.text)
        notes.append(safe_line(model[1], 80) if model else "Raspberry Pi")
    if not name:
        return ", ".join(notes) or None
    return f"{name} on {', '.join(notes)}" if notes else name


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


def memory(info: Section, limits: Section, is_unified: bool) -> tuple[Memory, Mapping[str, str]]:
    """The smaller of what the machine has and what its container allows."""
    kib = {key: int(value) * 1024 for key, value in re.findall(r"(?m)^(\w+):\s+([0-9]{1,15}) kB", info.text)}
    total, available = kib.get("MemTotal"), kib.get("MemAvailable")
    allowed = pairs(limits.text)
    for most, used in (
        ("memory.max", "memory.current"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
    ):
        limit = number(allowed.get(most))
        if limit is not None and total is not None and limit < total:
            total = limit
            left = max(limit - (number(allowed.get(used)) or 0), 0)
            available = min(left, available) if available is not None else left
    unknown = {}
    if total is None:
        unknown["memory.total"] = said(info, "no MemTotal in /proc/meminfo")
    if available is None:
        unknown["memory.available"] = "no MemAvailable in /proc/meminfo (a kernel before 3.14)"
    swap, swap_free = kib.get("SwapTotal"), kib.get("SwapFree")
    used_swap = swap - swap_free if swap is not None and swap_free is not None else None
    return Memory(total, available, is_unified, swap, used_swap), unknown


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


platform = Platform("Linux", "Linux", packaged("linux.sh"), read)
