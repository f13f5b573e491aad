"""macOS on Apple silicon; Intel Macs as CPU hosts."""

import re
from collections.abc import Mapping

from fleet.core.facts import Cpu, Gpu, Memory
from fleet.core.text import safe_line
from fleet.platforms.base import Platform, Section, System, packaged
from fleet.platforms.probe.answer import MISSING, number, pairs, said
from fleet.platforms.probe.disk import disk

MIB = 1 << 20
FREE = ("free", "inactive", "speculative", "purgeable")  # pages a new process can have


def read(found: Mapping[str, Section]) -> System:
    def section(name: str) -> Section:
        return found.get(name, MISSING)

    told = pairs(section("system").text)
    oids = pairs(section("sysctl").text, ":")
    is_apple = told.get("machine") == "arm64"
    processor, about_cpu = cpu(section("sysctl"), oids)
    pool, about_memory = memory(section("vm_stat"), oids, is_apple)
    cards, about_gpus = (
        gpus(section("ioreg"), oids) if is_apple else ((), {"gpus": "Metal is not used on Intel Macs"})
    )
    space, about_disk = disk(section("disk"), section("inodes"))
    unknown = {
        **about_cpu,
        **about_memory,
        **about_gpus,
        **about_disk,
        "has_linger": "a word of systemd; launchd keeps agents while the user is logged in",
        "has_cron": "not asked; launchd is used",
    }
    names = pairs(section("sw_vers").text, ":")
    version = " ".join(safe_line(names[key], 40) for key in ("ProductName", "ProductVersion") if key in names)
    if not version:
        unknown["os_version"] = said(section("sw_vers"), "sw_vers is silent")
    uptime = _uptime(oids, number(told.get("clock")))
    if uptime is None:
        unknown["uptime"] = "no kern.boottime"
    if section("xcode").status != 0:
        reason = said(section("xcode"), "xcode-select -p failed")
        unknown["tools.cc"] = f"no Command Line Tools: {reason}"
    return System(
        version or None,
        "libSystem",
        uptime,
        processor,
        pool,
        space,
        cards,
        ("launchd", "supervise"),
        None,
        None,
        unknown,
    )


def cpu(section: Section, oids: Mapping[str, str]) -> tuple[Cpu, Mapping[str, str]]:
    """From sysctl: hw.perflevel0 is the fast kind, hw.perflevel1 the efficient one."""
    unknown = {}
    model = oids.get("machdep.cpu.brand_string")
    threads = number(oids.get("hw.logicalcpu")) or number(oids.get("hw.ncpu"))
    performance = number(oids.get("hw.perflevel0.physicalcpu")) or number(oids.get("hw.physicalcpu"))
    efficiency = number(oids.get("hw.perflevel1.physicalcpu"))
    flags = [
        name.removeprefix("hw.optional.").removeprefix("arm.")
        for name, value in oids.items()
        if name.startswith("hw.optional.") and value == "1"
    ]
    for key in ("machdep.cpu.features", "machdep.cpu.leaf7_features", "machdep.cpu.extfeatures"):
        flags += oids.get(key, "").split()
    missing = said(section, "sysctl is silent")
    for path, value in (("model", model), ("threads", threads), ("cores_performance", performance)):
        if value is None:
            unknown[f"cpu.{path}"] = f"not in the answer of sysctl, which begins with: {missing}"
    return Cpu(model, performance, efficiency, threads, tuple(flags)), unknown


def memory(section: Section, oids: Mapping[str, str], is_apple: bool) -> tuple[Memory, Mapping[str, str]]:
    """From sysctl and vm_stat: free is what can be had without swapping."""
    unknown = {}
    total = number(oids.get("hw.memsize"))
    if total is None:
        unknown["memory.total"] = "no hw.memsize"
    page = re.search(r"page size of ([0-9]{1,9}) bytes", section.text)
    pages = {
        key: int(value)
        for key, value in re.findall(r"(?m)^Pages (\w[\w ]*):\s+([0-9]{1,15})\.", section.text)
    }
    available = None
    if page and "free" in pages:
        available = int(page[1]) * sum(pages.get(key, 0) for key in FREE)
        available = min(available, total) if total is not None else available
    else:
        unknown["memory.available"] = said(section, "vm_stat is silent")
    swap = re.search(
        r"total = ([0-9]{1,12}(?:\.[0-9]+)?)M\s+used = ([0-9]{1,12}(?:\.[0-9]+)?)M",
        oids.get("vm.swapusage", ""),
    )
    if swap is None:
        unknown["memory.swap_total"] = "no vm.swapusage"
    return Memory(
        total,
        available,
        is_apple,
        int(float(swap[1]) * MIB) if swap else None,
        int(float(swap[2]) * MIB) if swap else None,
    ), unknown


def gpus(section: Section, oids: Mapping[str, str]) -> tuple[tuple[Gpu, ...], Mapping[str, str]]:
    """The one GPU of Apple silicon; its cores tell apart chips of one name."""
    cores = re.search(r'"gpu-core-count" = ([0-9]{1,4})\b', section.text)
    model = re.search(r'"model" = "([^"]+)"', section.text)
    name = model[1] if model else oids.get("machdep.cpu.brand_string", "Apple GPU")
    unknown = {} if cores else {"gpus.0.cores": said(section, "ioreg names no GPU")}
    return (
        Gpu("apple", safe_line(name, 80), "metal", None, None, None, int(cores[1]) if cores else None, None),
    ), unknown


def _uptime(oids: Mapping[str, str], clock: int | None) -> float | None:
    boot = re.match(r"\{ sec = ([0-9]{1,15})", oids.get("kern.boottime", ""))
    return float(max(clock - int(boot[1]), 0)) if boot and clock is not None else None


platform = Platform("macOS", "Darwin", packaged("macos.sh"), read)
