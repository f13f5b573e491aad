"""How many tokens a second a model gives, before anybody has measured it.

Every token reads all (active) weights once, and every layer is a chain of kernels that wait for
each other. So its time has two terms, on each device that holds layers:

    bytes read / bandwidth that is reached  +  layers x cycles of a layer / clock

`Constants` says why each number is there; each is one for all chips of its kind.

Source: fitted on 123 public rows (`benchmarks/speed_rows.csv`, SPEED.md beside this), from llama.cpp
    discussions 4167 and 15013, XiongjieDai/GPU-Benchmarks-on-LLM-Inference, geerlingguy/ai-benchmarks
    and llmfit's community runs. `benchmarks/speed.py` prints predicted beside measured.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from fleet.core.render import age_text
from fleet.models.bandwidth import Bandwidth
from fleet.models.chips.base import GB
from fleet.models.quants import Quant


@dataclass(frozen=True, slots=True)
class Constants:
    """What chips and llama.cpp's kernels have in common.

    Attributes:
        reached: share of the specified bandwidth. Refresh, turnarounds and page misses keep about
            a tenth of any DRAM's.
        bridge: share of that where a chip is two dies: half of what is read crosses between them.
        in_flight: bytes/s of a multiprocessor (NVIDIA) or compute unit (AMD). It keeps so many
            reads under way (Little's law); memory that is faster than all of them together
            (A100, H100) is not filled by one token at a time.
        cuda, metal, other: clock cycles of a layer. Its kernels wait for each other, which neither
            width nor bandwidth shortens. That is why M-Max and Ultra chips, wide but low in clock,
            stay below their bandwidth. HIP, Vulkan and SYCL launch each kernel by itself.
        cuda_before, metal_before: the same before llama.cpp replayed CUDA graphs, and before it
            ran Metal kernels side by side.
    """

    reached: float
    bridge: float
    in_flight: float
    cuda: float
    cuda_before: float
    metal: float
    metal_before: float
    other: float


FITTED = Constants(0.91, 0.95, 11.8 * GB, 135e3, 185e3, 135e3, 230e3, 175e3)
CUDA_GRAPHS = 2800  # about that build, May 2024: pull request 6766
METAL_SIDE_BY_SIDE = 6450  # about that build, September 2025: pull request 15929
CLOCK = {"cuda": 2.2, "metal": 1.4, "hip": 2.4, "vulkan": 2.4, "sycl": 2.2}  # GHz, of a chip in no table
# A processor's share of its memory's bandwidth: Raspberry Pi 5 0.60, i9-13900K 0.68, many-core servers less.
CPU_REACHED = (0.38, 0.60, 0.75)
CPU_MEASURED = (0.85, 0.95, 1.0)  # of what was measured for reading
HANDOVER = 50e-6  # seconds for a processor and a GPU to hand the activations of a token over; an estimate
# Nine of ten rows lie between these, each device predicted by a fit that had not seen it.
KNOWN = (0.87, 1.10)
UNKNOWN = (0.75, 1.20)  # a chip in no table, of which only the bandwidth was given
BOUNDS = (0.4, 1.5)  # a correction outside them says that something else is wrong
OWN = (0.92, 1.08)  # around a host's own measurement
FRESH = 30 * 24 * 3600.0  # seconds; a host changes with drivers, builds and dust


@dataclass(frozen=True, slots=True)
class Part:
    """What one device does for each token.

    Attributes:
        api: cuda, metal, hip, vulkan, sycl or cpu.
        weights: bytes read for a token: of experts only the active ones, of embeddings one row.
        kv: bytes of the KV cache that are read; grows with the context in use.
    """

    device: Bandwidth
    api: str
    weights: int
    layers: int
    kv: int = 0
    quant: Quant | None = None


@dataclass(frozen=True, slots=True)
class Factor:
    """What a host really gives, for each token/s that was predicted for it."""

    ratio: float
    age: float  # seconds since it was measured
    count: int  # servers it was measured on


@dataclass(frozen=True, slots=True)
class Speed:
    """Tokens a second of one conversation."""

    tps: float
    low: float
    high: float
    ceiling: float  # nothing can be faster: bandwidth / bytes
    reason: str


def active(dense: int, experts: int, used: int | None, count: int | None) -> int:
    """Bytes of weights that a token reads.

    Args:
        dense: bytes that every token reads: attention, shared experts, norms, output.
        experts: bytes of all experts together.
        used, count: experts that a token goes through, of how many.
    """
    return dense + (experts * used // count if used and count else experts)


def decode(
    parts: Sequence[Part],
    build: int | None = None,
    factor: Factor | None = None,
    known: Constants = FITTED,
) -> Speed | None:
    """The speed of a model whose layers lie on these devices; they work one after another.

    Args:
        build: llama.cpp's build number; None is today's.
        factor: what this host's own measurements say.

    Returns:
        None where nothing is read.
    """
    parts = [part for part in parts if part.weights + part.kv > 0]
    if not parts:
        return None
    crossings = HANDOVER * (len(parts) - 1)
    slow, likely, fast = (
        sum(times) + crossings for times in zip(*(_times(p, build, known) for p in parts), strict=True)
    )
    ceiling = 1 / sum((part.weights + part.kv) / part.device.range[1] for part in parts)
    tps, low, high = 1 / likely, 1 / slow, 1 / fast
    reason = "; ".join(_said(part, build) for part in parts)
    if factor is not None:
        tps *= factor.ratio
        if factor.age <= FRESH:
            low, high = tps * OWN[0], tps * OWN[1]
        else:
            low, high = low * factor.ratio, high * factor.ratio
        reason += f"; corrected by {factor.ratio:.2f}, measured on this host {age_text(factor.age)} ago"
    return Speed(min(tps, ceiling), min(low, ceiling), min(high, ceiling), ceiling, reason)


def learned(seen: Sequence[tuple[float, float, float]], now: float) -> Factor | None:
    """What a host's own measurements say of the predictions for it.

    Args:
        seen: tokens/s measured, tokens/s predicted without correction, Unix time; of each server.

    Returns:
        The middle of the ratios, held within bounds; None where nothing was measured.
    """
    ratios = sorted(
        (measured / predicted, at) for measured, predicted, at in seen if measured > 0 < predicted
    )
    if not ratios:
        return None
    ratio, at = ratios[len(ratios) // 2]
    return Factor(min(max(ratio, BOUNDS[0]), BOUNDS[1]), max(0.0, now - at), len(ratios))


def layer(part: Part, build: int | None = None, known: Constants = FITTED) -> float:
    """Seconds that a layer takes beside its reading."""
    match part.api:
        case "cpu":
            return 0.0
        case "cuda":
            cycles = known.cuda_before if build is not None and build < CUDA_GRAPHS else known.cuda
        case "metal":
            cycles = known.metal_before if build is not None and build < METAL_SIDE_BY_SIDE else known.metal
        case _:
            cycles = known.other
    return cycles / ((part.device.clock or CLOCK.get(part.api, CLOCK["vulkan"])) * 1e9)


def _times(part: Part, build: int | None, known: Constants) -> tuple[float, float, float]:
    """Seconds a token takes there: if it goes badly, likely, if it goes well."""
    read = part.weights + part.kv
    low, high = part.device.range
    if part.api == "cpu":
        worst, usual, best = CPU_MEASURED if part.device.is_measured else CPU_REACHED
        return read / (low * worst), read / (part.device.bytes_per_second * usual), read / (high * best)
    worst, best = KNOWN if part.device.cores is not None else UNKNOWN
    own = layer(part, build, known) * part.layers
    slow, likely, fast = (
        max(read / _reached(part, most, known), _unpacking(part)) + own
        for most in (low, part.device.bytes_per_second, high)
    )
    return slow / worst, likely, fast / best


def _reached(part: Part, bandwidth: float, known: Constants = FITTED) -> float:
    """Bytes/s that really arrive."""
    device = part.device
    if device.is_measured:
        return bandwidth
    reached = known.reached * bandwidth * (known.bridge if device.dies > 1 else 1)
    if device.vendor in ("nvidia", "amd") and device.cores is not None:
        return min(reached, known.in_flight * device.cores)
    return reached


def _unpacking(part: Part) -> float:
    """Seconds for taking K-quants apart, where that can be the limit (M1, M2)."""
    device, quant = part.device, part.quant
    if not (device.unpacks and device.cores and device.clock and quant is not None and quant.is_k):
        return 0.0
    return part.weights * 8 / quant.bits / (device.cores * device.clock * 1e9 * device.unpacks)


def _said(part: Part, build: int | None) -> str:
    read = f"{(part.weights + part.kv) / GB:.2f} GB a token"
    if part.api == "cpu":
        low, high = (bandwidth / GB for bandwidth in part.device.range)
        rate = f"{low:.0f} to {high:.0f}" if low != high else f"{low:.0f}"
        return f"processor: {read}, about {CPU_REACHED[1]:.0%} of {rate} GB/s"
    reached = _reached(part, part.device.bytes_per_second) / GB
    waits = layer(part, build) * 1e3
    unpacked = _unpacking(part) > (part.weights + part.kv) / (reached * GB)
    limit = ", unpacking the weights takes longer than reading them" if unpacked else ""
    return f"{part.api}: {read} at {reached:.0f} GB/s, {part.layers} layers of {waits:.3f} ms{limit}"
