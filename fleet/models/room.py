"""How much memory a host has for one more model: a pool for each device, and one for main memory.

What the desktop and other programs hold is already missing from what the driver calls free.
Two things are not: Apple's GPU reports its limit to each program as if it were alone, so what our
other servers hold there is taken off here; and what the instance that is being replaced holds is
given back to its successor.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from fleet.backends.base import BACKENDS
from fleet.core.facts import Facts, Gpu
from fleet.core.plan import size_text

MARGIN = 2**30  # bytes that stay free on each device, and in main memory: --fit-target of llama.cpp
# A driver keeps this share of a card for itself and for a program's context.
# Source: RTX 4070, 12282 MiB in nvidia-smi, "Total VRAM: 11866 MiB" in llama.cpp b8586.
DRIVER_SHARE = 1 - 11866 / 12282
# Of main memory, where the GPU's limit was never asked for. Source: 66.7 % on a 32 GB M2 Max, 74 to
# 84 % on others (llmfit PR 754, ollama issue 434, antirez/ds4 PR 893): the least that was seen.
APPLE_SHARE = 0.66
HOST = "host"


@dataclass(frozen=True, slots=True)
class Pool:
    """Memory of one kind."""

    name: str  # as llama.cpp calls the device: CUDA0, MTL0; or host
    title: str
    total: int | None  # bytes
    available: int | None  # bytes for one more model, after what is kept free; None: nobody knows
    is_unified: bool = False  # a part of main memory, not beside it
    notes: tuple[str, ...] = ()  # what was taken off or assumed, for people

    @property
    def is_host(self) -> bool:
        return self.name == HOST


def pools(
    facts: Facts,
    backend: str,
    held: Mapping[str, int] | None = None,
    returned: Mapping[str, int] | None = None,
) -> tuple[Pool, ...]:
    """Devices of the backend in llama.cpp's order, then main memory.

    Args:
        backend: what llama.cpp computes with there.
        held: bytes by pool that our other servers hold. Needed for Apple's GPU alone.
        returned: bytes by pool that end with the instance which is replaced.
    """
    held, returned = held or {}, returned or {}
    host = _host(facts, returned)
    kind = BACKENDS.take(backend)
    prefix = kind.device
    if prefix is None:
        return (host,)
    devices = tuple(
        _device(f"{prefix}{number}", gpu, facts, host, held, returned)
        for number, gpu in enumerate(kind.gpus(facts))
    )
    return (*(devices or _said(facts, prefix, returned)), host)


def spread(pools: Sequence[Pool], count: int) -> dict[str, int]:
    """Where so many bytes lie beside a model: on the devices in equal shares, the rest in main memory."""
    devices = [pool for pool in pools if not pool.is_host and pool.available is not None]
    share = count if len(devices) < 2 else count // len(devices)
    found = {pool.name: min(share, pool.available or 0) for pool in devices}
    return found | {HOST: count - sum(found.values())}


def lessened(pools: tuple[Pool, ...], taken: int) -> tuple[Pool, ...]:
    """The memory without so many bytes; what a unified device holds is main memory's too."""
    shares = spread(pools, taken)
    shares[HOST] += sum(shares.get(pool.name, 0) for pool in pools if pool.is_unified)
    return tuple(
        pool
        if pool.available is None
        else replace(pool, available=max(0, pool.available - shares.get(pool.name, 0)))
        for pool in pools
    )


def _device(
    name: str, gpu: Gpu, facts: Facts, host: Pool, held: Mapping[str, int], returned: Mapping[str, int]
) -> Pool:
    total = _asked(facts, name)
    if gpu.api == "metal":
        return _apple(name, gpu, facts, host, held.get(name, 0), total)
    if gpu.memory_total is None or gpu.memory_free is None:
        if facts.memory.unified and host.available is not None:
            return Pool(name, gpu.name, facts.memory.total, host.available, True, ("it shares main memory",))
        why = facts.unknown.get("gpus") or f"the driver does not say how much memory of {gpu.name} is free"
        return Pool(name, gpu.name, gpu.memory_total, None, False, (why,))
    driver = max(0, gpu.memory_total - total) if total else int(gpu.memory_total * DRIVER_SHARE)
    back = returned.get(name, 0)
    # A program that ends gives its context back with its buffers.
    free = min(gpu.memory_free + back + (driver if back else 0), gpu.memory_total) - driver
    notes = [f"{size_text(MARGIN)} stay free, {size_text(driver)} are the driver's"]
    busy = gpu.memory_total - gpu.memory_free - back
    if busy > 0:
        notes.append(f"other programs hold {size_text(busy)}")
    return Pool(name, gpu.name, gpu.memory_total, max(0, free - MARGIN), False, tuple(notes))


def _apple(name: str, gpu: Gpu, facts: Facts, host: Pool, held: int, asked: int | None) -> Pool:
    """A part of main memory, up to a limit that the system sets."""
    limit, why = asked, "the limit that Metal names"
    if facts.memory.gpu_most:
        limit, why = facts.memory.gpu_most, "iogpu.wired_limit_mb"
    if limit is None and facts.memory.total is not None:
        limit = int(facts.memory.total * APPLE_SHARE)
        why = f"{APPLE_SHARE:.0%} of memory, assumed until a build there names the limit"
    if limit is None or host.available is None:
        return Pool(name, gpu.name, limit, None, True, ("nobody knows how much memory is available",))
    notes = [f"the GPU may hold {size_text(limit)}: {why}"]
    if held:
        notes.append(f"our other servers hold {size_text(held)} of that")
    return Pool(name, gpu.name, limit, max(0, min(limit - held, host.available)), True, tuple(notes))


def _host(facts: Facts, returned: Mapping[str, int]) -> Pool:
    title, available = "main memory", facts.memory.available
    if available is None:
        why = facts.unknown.get("memory") or facts.unknown.get("memory.available") or "the host did not say"
        return Pool(HOST, title, facts.memory.total, None, False, (why,))
    # On unified memory a device's bytes come back to the same pool.
    back = sum(returned.values()) if facts.memory.unified else returned.get(HOST, 0)
    free = available + back
    if facts.memory.total is not None:
        free = min(free, facts.memory.total)
    return Pool(
        HOST, title, facts.memory.total, max(0, free - MARGIN), False, (f"{size_text(MARGIN)} stay free",)
    )


def _said(facts: Facts, prefix: str, returned: Mapping[str, int]) -> tuple[Pool, ...]:
    """Devices that only a build there knows of: a machine behind RPC, a GPU no tool shows."""
    found = {
        device.name: device
        for build in facts.builds
        for device in build.devices
        if device.name.startswith(prefix)
    }
    return tuple(
        Pool(
            device.name,
            device.title,
            device.total,
            None if device.free is None else max(0, device.free + returned.get(device.name, 0) - MARGIN),
            notes=("as the build's --list-devices said when it was proven",),
        )
        for device in found.values()
    )


def _asked(facts: Facts, name: str) -> int | None:
    """Bytes that llama.cpp itself saw on the device."""
    return next(
        (device.total for build in facts.builds for device in build.devices if device.name == name), None
    )
