"""How fast a device reads its memory: by exact name and number of cores, never by a name alone.

What is not in the tables is None and `why` says so: a guess would pass for a measurement later.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from fleet.core.facts import Facts, Gpu
from fleet.models.chips import apple, memory, nvidia, others
from fleet.models.chips.base import GB, Chip

GIB = 2**30
CHIPS = nvidia.CHIPS + others.CHIPS + apple.CHIPS
MAKERS = (
    ("nvidia", nvidia.CHIPS, "nvidia.com"),
    ("amd", others.RADEON + others.INSTINCT, "amd.com"),
    ("intel", others.ARC, "intel.com"),
    ("apple", apple.CHIPS, "support.apple.com"),
)
# Compute capability and memory of a Jetson that tells no name -> what it is, slowest first.
JETSONS = {
    ("5.3", 8): ("Jetson Nano",),
    ("6.2", 12): ("Jetson TX2",),
    ("7.2", 12): ("Jetson Xavier NX",),
    ("7.2", 64): ("Jetson AGX Xavier",),
    ("8.7", 12): ("Jetson Orin Nano", "Jetson Orin Nano Super"),
    ("8.7", 24): ("Jetson Orin NX",),
    ("8.7", 96): ("Jetson AGX Orin",),
    ("11.0", 256): ("Jetson AGX Thor",),
    ("12.1", 256): ("GB10",),
}
NOISE = frozenset("nvidia geforce tesla amd radeon apple intel graphics generation developer kit".split())
GFX = {"gfx1151": "Radeon 8060S"}  # GPUs inside a processor that call themselves "AMD Radeon Graphics"


@dataclass(frozen=True, slots=True)
class Bandwidth:
    """What reaches a device from its memory, and how wide and fast the device is.

    `low` and `high` differ where the hardware does not tell which of several it is.
    """

    bytes_per_second: float  # as the maker specifies it, or as measured
    source: str
    is_measured: bool = False
    low: float | None = None  # bytes/s; None: the same
    high: float | None = None
    cores: int | None = None
    clock: float | None = None  # GHz
    dies: int = 1
    unpacks: float | None = None  # weights of K-quants a core unpacks in a cycle
    vendor: str | None = None  # nvidia, amd, intel, apple

    @property
    def range(self) -> tuple[float, float]:
        return self.low or self.bytes_per_second, self.high or self.bytes_per_second


def find(facts: Facts, gpu: Gpu | None) -> Bandwidth | None:
    """The bandwidth of a GPU of the host, or of its main memory.

    Args:
        gpu: None asks for the memory that the processor reads.
    """
    if gpu is None:
        return _main_memory(facts)
    if gpu.instances:
        return None
    return of_chips(_candidates(facts, gpu), gpu.memory_total)


def why(facts: Facts, gpu: Gpu | None) -> str:
    """Why `find` does not know it, with what would help."""
    if gpu is None:
        return f"no table has the memory of {facts.cpu.model or 'this processor'}; a measured speed will tell"
    if gpu.instances:
        return f"{gpu.name} is split into instances (MIG): what each may read is not known here"
    return f"no table has {gpu.name or 'this GPU'}; a measured speed will tell"


def named(name: str, cores: int | None = None, total: int | None = None) -> Bandwidth | None:
    """A chip by the name that its driver or a person gives it.

    Args:
        cores: GPU cores, for Apple's.
        total: bytes of its memory, where cards of one name differ by it.
    """
    return of_chips(chips(name, cores), total)


def of_chips(rows: Sequence[Chip], total: int | None = None) -> Bandwidth | None:
    """One answer from the rows that may be meant: the slowest, with the range where they differ."""
    fitting = [
        chip
        for chip in rows
        if chip.memory is None or total is None or abs(total / GIB - chip.memory) < 0.1 * chip.memory
    ]
    ordered = sorted(fitting or rows, key=lambda chip: chip.bandwidth)
    if not ordered:
        return None
    slowest, fastest = ordered[0], ordered[-1]
    vendor, site = next((vendor, site) for vendor, table, site in MAKERS if slowest in table)
    told = f"{slowest.name}, {slowest.cores} cores: {slowest.bits} bits x {slowest.rate:g} Gbit/s ({site})"
    same = slowest.bandwidth == fastest.bandwidth
    return Bandwidth(
        slowest.bandwidth,
        told if same else f"{told}, or {fastest.name} with {fastest.cores} cores",
        low=None if same else slowest.bandwidth,
        high=None if same else fastest.bandwidth,
        cores=slowest.cores,
        clock=slowest.clock,
        dies=slowest.dies,
        unpacks=slowest.unpacks,
        vendor=vendor,
    )


def chips(name: str, cores: int | None) -> list[Chip]:
    """Rows that a name can mean; the words must be the same, in any order."""
    wanted = [words(one) for one in _spelled(name)]
    found = [chip for chip in CHIPS if words(chip.name) in wanted]
    exact = [chip for chip in found if cores is None or chip.cores == cores]
    # The number of cores tells Apple's chips apart; what it does not match is another chip.
    return exact if exact or any(chip in apple.CHIPS for chip in found) else found


def words(name: str) -> frozenset[str]:
    """What is left of a name without maker, marks and series, so that drivers and people spell it alike."""
    marked = re.sub(r"\([^)]*\)", " ", name).lower()  # (R), (TM), (RADV NAVI31)
    return frozenset(re.sub(r"sxm\d$", "sxm", word) for word in re.findall(r"[a-z0-9]+", marked)) - NOISE


def _candidates(facts: Facts, gpu: Gpu) -> list[Chip]:
    found = chips(gpu.name, gpu.cores)
    if found or (facts.platform != "jetson" and gpu.capability not in ("12.1", *GFX)):
        return found
    if gpu.capability in GFX:
        return chips(GFX[gpu.capability], None)
    total = (facts.memory.total or 0) / GIB
    fits = [names for (kind, most), names in JETSONS.items() if kind == gpu.capability and 0 < total <= most]
    return [chip for chip in CHIPS if fits and chip.name in fits[0]]


def _spelled(name: str) -> list[str]:
    """Names in one: "Navi 31 [Radeon RX 7900 XT/7900 XTX]" are two."""
    inner = re.search(r"\[(.+)\]", name)
    if not inner:
        return [name]
    first, *rest = [part.strip() for part in inner[1].split("/")]
    series = re.match(r"(.*?)\d", first)
    return [first, *(f"{series[1] if series else ''}{part}" for part in rest)]


def _main_memory(facts: Facts) -> Bandwidth | None:
    model = facts.cpu.model or ""
    chip = next((gpu for gpu in facts.gpus if gpu.vendor == "apple"), None)
    if chip is not None:
        return find(facts, chip)
    board = memory.BOARDS.get((facts.platform, model))
    if board is not None:
        return Bandwidth(board, f"{facts.platform} with {model}: soldered LPDDR4 (raspberrypi.com)")
    if facts.platform == "jetson" and facts.gpus:
        return find(facts, facts.gpus[0])
    kinds = memory.find(model)
    if kinds is None:
        return None
    if kinds.is_fixed:
        return Bandwidth(kinds.likely, f"{model}: {kinds.channels} channels, soldered")
    return Bandwidth(
        kinds.likely,
        f"{model}: {kinds.channels} channels at {kinds.usual} MT/s taken; only root can read the modules, "
        f"{kinds.low / GB:.0f} to {kinds.high / GB:.0f} GB/s are possible",
        low=kinds.low,
        high=kinds.high,
    )
