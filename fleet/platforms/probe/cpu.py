"""Processors of a Linux host: what they are, how many of which kind."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from fleet.core.facts import Cpu
from fleet.platforms.base import Section
from fleet.platforms.probe.answer import MISSING, number, pairs

# CPU implementer, CPU part -> name. Source: util-linux, sys-utils/lscpu-arm.c.
ARM_PARTS = {
    ("0x41", "0xd03"): "Cortex-A53",
    ("0x41", "0xd05"): "Cortex-A55",
    ("0x41", "0xd07"): "Cortex-A57",
    ("0x41", "0xd08"): "Cortex-A72",
    ("0x41", "0xd09"): "Cortex-A73",
    ("0x41", "0xd0a"): "Cortex-A75",
    ("0x41", "0xd0b"): "Cortex-A76",
    ("0x41", "0xd0c"): "Neoverse-N1",
    ("0x41", "0xd0d"): "Cortex-A77",
    ("0x41", "0xd40"): "Neoverse-V1",
    ("0x41", "0xd41"): "Cortex-A78",
    ("0x41", "0xd42"): "Cortex-A78AE",
    ("0x41", "0xd44"): "Cortex-X1",
    ("0x41", "0xd46"): "Cortex-A510",
    ("0x41", "0xd47"): "Cortex-A710",
    ("0x41", "0xd48"): "Cortex-X2",
    ("0x41", "0xd49"): "Neoverse-N2",
    ("0x41", "0xd4d"): "Cortex-A715",
    ("0x41", "0xd4e"): "Cortex-X3",
    ("0x41", "0xd4f"): "Neoverse-V2",
    ("0x41", "0xd80"): "Cortex-A520",
    ("0x41", "0xd81"): "Cortex-A720",
    ("0x41", "0xd82"): "Cortex-X4",
    ("0x41", "0xd83"): "Neoverse-V3AE",
    ("0x41", "0xd84"): "Neoverse-V3",
    ("0x41", "0xd85"): "Cortex-X925",
    ("0x41", "0xd87"): "Cortex-A725",
    ("0x41", "0xd8e"): "Neoverse-N3",
    ("0x61", "0x022"): "Apple M1 (Icestorm)",
    ("0x61", "0x023"): "Apple M1 (Firestorm)",
    ("0x61", "0x032"): "Apple M2 (Blizzard)",
    ("0x61", "0x033"): "Apple M2 (Avalanche)",
    ("0x61", "0x024"): "Apple M1 Pro (Icestorm)",
    ("0x61", "0x025"): "Apple M1 Pro (Firestorm)",
    ("0x61", "0x028"): "Apple M1 Max (Icestorm)",
    ("0x61", "0x029"): "Apple M1 Max (Firestorm)",
    ("0x61", "0x034"): "Apple M2 Pro (Blizzard)",
    ("0x61", "0x035"): "Apple M2 Pro (Avalanche)",
    ("0x61", "0x038"): "Apple M2 Max (Blizzard)",
    ("0x61", "0x039"): "Apple M2 Max (Avalanche)",
    ("0x4e", "0x003"): "NVIDIA Denver 2",
    ("0x4e", "0x004"): "NVIDIA Carmel",
    ("0x48", "0xd01"): "Kunpeng-920",
    ("0x43", "0x0af"): "ThunderX2",
    ("0x46", "0x001"): "A64FX",
    ("0x51", "0x001"): "Qualcomm Oryon",
    ("0xc0", "0xac3"): "Ampere-1",
    ("0xc0", "0xac4"): "Ampere-1a",
}
# An efficiency core is much slower than the fastest one: i7-1370P 3.9 of 5.2 GHz; cores of
# one kind differ by less (Ryzen X3D 5.25 of 5.7). Capacities of ARM's little cores are 0.3 to 0.55,
# of the smaller kind in machines that have no little ones about 0.7; of one kind more than 0.85.
SLOW_CLOCK = 0.8
SLOW_CAPACITY = 0.75


@dataclass(frozen=True, slots=True)
class Core:
    """A physical core."""

    clock: int | None  # kHz at most
    capacity: int | None  # 1024 is the fastest kind


def cpu(
    info: Section, topology: Section, limits: Section, nodes: Section = MISSING
) -> tuple[Cpu, Mapping[str, str]]:
    """The processor, and reasons for what is unknown.

    Args:
        info: `/proc/cpuinfo`, whole or reduced to what differs; then lscpu's lines,
            where the kernel names no model.
        topology: `cpuN/FILE:VALUE` lines below /sys/devices/system/cpu.
        limits: what the container allows.
        nodes: `nodeN/cpulist:CPUS` lines below /sys/devices/system/node.
    """
    unknown: dict[str, str] = {}
    told = pairs(info.text, ":")
    model = _model(info.text, told)
    if model is None:
        unknown["cpu.model"] = "the kernel does not name it"
    listed = len(re.findall(r"(?m)^processor\s*:", info.text))
    count = number(told.get("processors")) or listed or number(told.get("CPU(s)"))
    threads = _allowed(count, limits.text)
    if threads is None:
        unknown["cpu.threads"] = "no processor in /proc/cpuinfo"
    performance, efficiency, reason = _kinds(topology.text)
    if reason and performance is None:
        performance = _counted(told)
    if reason and performance is None:
        unknown["cpu.cores_performance"] = reason
    words = (told.get(key) for key in ("flags", "Features", "isa", "Flags"))
    flags = next((word for word in words if word), "").split()
    filled = len(re.findall(r"(?m)^node[0-9]+/cpulist:[0-9]", nodes.text)) or None
    if filled is None:
        unknown["cpu.numa_nodes"] = "the kernel does not show memory nodes"
    return Cpu(model, performance, efficiency, threads, tuple(flags), filled), unknown


def _counted(told: Mapping[str, str]) -> int | None:
    """Cores of all sockets as x86 counts them, where the kernel shows no threads."""
    cores, sockets = number(told.get("cpu cores")), number(told.get("sockets"))
    return cores * sockets if cores and sockets else None


def _model(text: str, told: Mapping[str, str]) -> str | None:
    if name := told.get("model name"):
        return name
    vendors = re.findall(r"(?m)^CPU implementer\s*:\s*(0x\w+)", text)
    parts = re.findall(r"(?m)^CPU part\s*:\s*(0x\w+)", text)
    vendor = vendors[0] if vendors else ""
    names = [ARM_PARTS.get((vendor, part)) for part in dict.fromkeys(parts)]
    known = " + ".join(name for name in names if name)
    listed = " + ".join(re.findall(r"(?m)^ *Model name: +(\S.*)$", text))
    return known or (listed if listed != "-" else None) or told.get("cpu") or told.get("uarch") or None


def _allowed(count: int | None, limits: str) -> int | None:
    """Of all processors, what affinity and control groups leave."""
    found = [count, number(pairs(limits).get("nproc"))]
    groups = re.findall(r"(?m)^cpu=([0-9]{1,15}) ([0-9]{1,15})$", limits)
    for quota, period in groups:
        if int(quota) and int(period):
            found.append(max(1, int(quota) // int(period)))
    return min((value for value in found if value), default=None)


def _kinds(text: str) -> tuple[int | None, int | None, str | None]:
    """Performance cores, efficiency cores, and why they are unknown."""
    files: dict[str, dict[int, str]] = {}
    for name, processor, rest in re.findall(r"(?m)^(cpu([0-9]{1,5})/\S+?):(.*)$", text):
        files.setdefault(name.rpartition("/")[2], {})[int(processor)] = rest.strip()
    siblings = files.get("thread_siblings_list", {})
    if not siblings:
        return None, None, "the kernel does not show which threads share a core"
    cores: dict[str, int] = {}
    for processor, shared in sorted(siblings.items()):
        cores.setdefault(shared, processor)
    owners = list(cores.values())
    if match := re.search(r"(?m)cpu_core/cpus:(\S+)", text):  # every other kind is a smaller one
        fast = ranges(match[1])
        efficient = sum(owner not in fast for owner in owners)
    elif match := re.search(r"(?m)cpu_atom/cpus:(\S+)", text):
        atoms = ranges(match[1])
        efficient = sum(owner in atoms for owner in owners)
    else:
        clocks = {cpu: number(value) for cpu, value in files.get("cpuinfo_max_freq", {}).items()}
        capacities = {cpu: number(value) for cpu, value in files.get("cpu_capacity", {}).items()}
        efficient = _slow([Core(clocks.get(owner), capacities.get(owner)) for owner in owners])
    if efficient == len(owners):  # only cores of the small kind: they are what there is
        efficient = 0
    return len(owners) - efficient, efficient or None, None


def _slow(cores: list[Core]) -> int:
    capacities = [core.capacity or 0 for core in cores]
    if min(capacities) > 0 and min(capacities) < max(capacities):
        return sum(value < SLOW_CAPACITY * max(capacities) for value in capacities)
    clocks = [core.clock or 0 for core in cores]
    return sum(value < SLOW_CLOCK * max(clocks) for value in clocks) if min(clocks) > 0 else 0


def ranges(text: str) -> frozenset[int]:
    """The numbers in `0-3,8,10-11`."""
    found: set[int] = set()
    for first, last in re.findall(r"([0-9]{1,4})(?:-([0-9]{1,4}))?", text[:4096]):
        found.update(range(int(first), int(last or first) + 1))
    return frozenset(found)
