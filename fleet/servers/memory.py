"""How much of a host's main memory a server may have for itself: locked weights and cached prompts."""

from collections.abc import Iterator

from fleet.core.facts import Facts
from fleet.core.plan import Choice, size_text
from fleet.models.repack import reordered
from fleet.servers.devices import device
from fleet.servers.flags import HELP

GIB = 2**30
CACHE_SHARE = 16  # of the host's memory one part in so many is lent to cached prompts
CACHE_MOST = 2048  # MiB; llama-server's default of 8192 is more than a laptop can lend
LOCK_SHARE = 0.5  # of the memory; what is locked is lacking everywhere else


def lent(facts: Facts, backend: str, weights: int | None) -> Iterator[Choice]:
    """The settings of it.

    Args:
        weights: bytes of the model's; None where nobody knows.
    """
    mode, why = load_mode(facts, backend, weights)
    yield Choice("load-mode", mode, why, "swap and ulimit -l of this host")
    mib = cache_ram(facts)
    why = f"MiB of main memory for prompts that come again: a {CACHE_SHARE}th of it, at most {CACHE_MOST}"
    if not mib:
        why = "none: the memory of this host is unknown"
    yield Choice("cache-ram", mib, why, HELP)


def load_mode(facts: Facts, backend: str, weights: int | None) -> tuple[str | None, str]:
    """Whether the weights are kept from being swapped, and why.

    Source: reference HARDWARE.md 12: lock on hosts with swap, where the limit allows it; on
        macOS locked memory counts against what Metal may have.
    """
    memory = facts.memory
    if device(backend) is not None:
        return None, "not locked: the weights lie on the device"
    if weights is None:
        return None, "not locked: the size of the weights is unknown"
    if not memory.swap_total:
        return None, "not locked: no swap that they could go to"
    if memory.lockable is None:
        return None, "not locked: how much may be locked is unknown"
    if memory.lockable < weights:
        most, need = size_text(memory.lockable), size_text(weights)
        return None, f"not locked: {most} may be locked, the weights have {need}"
    is_twice = bool(reordered(facts, backend))  # beside what is locked
    if memory.total is None or weights * (1 + is_twice) > memory.total * LOCK_SHARE:
        return None, f"not locked: {'twice ' * is_twice}the weights are more than half of the memory"
    return "mmap+mlock", f"the weights ({size_text(weights)}) stay out of the swap"


def cache_ram(facts: Facts) -> int:
    """MiB of host memory for cached prompts: a sixteenth of it, at most 2048, 0 where unknown."""
    if facts.memory.total is None:
        return 0
    whole = round(facts.memory.total / GIB)  # so that the kernel's share changes nothing
    return min(CACHE_MOST, whole * 1024 // CACHE_SHARE)
