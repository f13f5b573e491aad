"""macOS on Apple silicon."""

import re
from collections.abc import Mapping

from fleet.core.facts import Cpu, Gpu, Memory
from fleet.core.text import safe_line
from fleet.platforms.base import Platform, Section, System, packaged
from fleet.platforms.probe.answer import MISSING, number, one, pairs, said
from fleet.platforms.probe.disk import disk
from fleet.platforms.probe.memory import limit

MIB = 1 << 20
FREE = ("free", "inactive", "speculative", "purgeable")  # pages a new process can have


def read(found: Mapping[str, Section]) -> System:
    told = pairs(one(found, "system").text)
    oids = pairs(one(found, "sysctl").text, ":")
    processor, about_cpu = cpu(one(found, "sysctl"), oids)
    pool, about_memory = memory(one(found, "vm_stat"), oids, one(found, "limits"))
    cards, about_gpus = gpus(one(found, "ioreg"), oids)
    space, about_disk = disk(one(found, "disk"), one(found, "inodes"))
    unknown = {
        **about_cpu,
        **about_memory,
        **about_gpus,
        **about_disk,
        "has_linger": "a word of systemd; launchd keeps agents while the user is logged in",
        "has_cron": "not asked; launchd is used",
    }
    names = pairs(one(found, "sw_vers").text, ":")
    version = " ".join(safe_line(names[key], 40) for key in ("ProductName", "ProductVersion") if key in names)
    if not version:
        unknown["os_version"] = said(one(found, "sw_vers"), "sw_vers is silent")
    uptime = _uptime(oids, number(told.get("clock")))
    if uptime is None:
        unknown["uptime"] = "no kern.boottime"
    if one(found, "xcode").status != 0:
        reason = said(one(found, "xcode"), "xcode-select -p failed")
        unknown["tools.cc"] = f"no Command Line Tools: {reason}"
    return System(
        os_version=version or None,
        libc="libSystem",
        uptime=uptime,
        cpu=processor,
        memory=pool,
        disk=space,
        gpus=cards,
        supervisors=("launchd", "supervise"),
        has_linger=None,
        has_cron=None,
        unknown=unknown,
    )


def cpu(section: Section, oids: Mapping[str, str]) -> tuple[Cpu, Mapping[str, str]]:
    """From sysctl: hw.perflevel0 is the fastest kind of core, the levels after it are slower ones.

    `number_processors` of system_profiler is never read: it had three numbers up to
    macOS 15 and has four in macOS 26.
    """
    unknown = {}
    model = oids.get("machdep.cpu.brand_string")
    threads = next(
        (
            count
            for key in ("hw.logicalcpu", "hw.ncpu", "machdep.cpu.thread_count")
            if (count := number(oids.get(key)))
        ),
        None,
    )
    performance = number(oids.get("hw.perflevel0.physicalcpu"))
    if performance is None and oids.get("hw.optional.arm64") != "1":  # Intel has one kind
        performance = number(oids.get("hw.physicalcpu")) or number(oids.get("machdep.cpu.core_count"))
    slower = [number(oids.get(f"hw.perflevel{level}.physicalcpu")) for level in range(1, 4)]
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
    efficiency = sum(count for count in slower if count) or None
    return Cpu(model, performance, efficiency, threads, tuple(flags), numa_nodes=1), unknown


def memory(
    section: Section, oids: Mapping[str, str], limits: Section = MISSING, is_unified: bool = True
) -> tuple[Memory, Mapping[str, str]]:
    """From sysctl and vm_stat: free is what can be had without swapping."""
    unknown = {}
    total = number(oids.get("hw.memsize"))
    if total is None:
        unknown["memory.total"] = "no hw.memsize"
    first = re.search(r"page size of ([0-9]{1,9}) bytes", section.text)
    page = int(first[1]) if first else number(oids.get("hw.pagesize"))
    pages = {
        key: int(value)
        for key, value in re.findall(r"(?m)^Pages (\w[\w ]*):\s+([0-9]{1,15})\.", section.text)
    }
    available = None
    if page and "free" in pages:
        available = page * sum(pages.get(key, 0) for key in FREE)
        available = min(available, total) if total is not None else available
    else:
        unknown["memory.available"] = said(section, "vm_stat is silent")
    swap = re.search(
        r"total = ([0-9]{1,12}(?:\.[0-9]+)?)M\s+used = ([0-9]{1,12}(?:\.[0-9]+)?)M",
        oids.get("vm.swapusage", ""),
    )
    if swap is None:
        unknown["memory.swap_total"] = "no vm.swapusage"
    lockable = limit(pairs(limits.text).get("lockable"), total)
    told = number(oids.get("iogpu.wired_limit_mb"))
    if page is None:
        unknown["memory.page"] = "neither vm_stat nor hw.pagesize say it"
    if lockable is None:
        unknown["memory.lockable"] = "the shell there does not know ulimit -l"
    if is_unified and not told:
        unknown["memory.gpu_most"] = "macOS decides it" if told == 0 else "no iogpu.wired_limit_mb"
    return Memory(
        total=total,
        available=available,
        unified=is_unified,
        swap_total=int(float(swap[1]) * MIB) if swap else None,
        swap_used=int(float(swap[2]) * MIB) if swap else None,
        page=page,
        lockable=lockable,
        gpu_most=told * MIB if told and is_unified else None,
    ), unknown


def gpus(section: Section, oids: Mapping[str, str]) -> tuple[tuple[Gpu, ...], Mapping[str, str]]:
    """The one GPU of Apple silicon; its cores tell apart chips of one name."""
    cores = re.search(r'"gpu-core-count" = ([0-9]{1,4})\b|"sppci_cores" : "([0-9]{1,4})"', section.text)
    model = re.search(r'"model" = "([^"]+)"|"sppci_model" : "([^"]+)"', section.text)
    name = (model[1] or model[2]) if model else oids.get("machdep.cpu.brand_string", "Apple GPU")
    unknown = {} if cores else {"gpus.0.cores": said(section, "ioreg names no GPU")}
    count = int(cores[1] or cores[2]) if cores else None
    return (Gpu("apple", safe_line(name, 80), "metal", None, None, None, count, None),), unknown


def _uptime(oids: Mapping[str, str], clock: int | None) -> float | None:
    boot = re.match(r"\{ sec = ([0-9]{1,15})", oids.get("kern.boottime", ""))
    return float(max(clock - int(boot[1]), 0)) if boot and clock is not None else None


platform = Platform("macOS", "Darwin", "macos", packaged("macos.sh"), packaged("macos_questions.sh"), read)
