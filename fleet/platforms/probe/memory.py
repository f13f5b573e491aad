"""Main memory of a Linux host: the smaller of what the machine has and what this program is allowed."""

import re
from collections.abc import Mapping

from fleet.core.facts import Memory
from fleet.platforms.base import Section
from fleet.platforms.probe.answer import number, pairs, said

KIB = 1024


def memory(info: Section, limits: Section, swaps: Section) -> tuple[Memory, Mapping[str, str]]:
    """Bytes, and reasons for what is unknown.

    Args:
        info: `/proc/meminfo`; its kB are 1024 bytes.
        limits: `memory=MOST HELD INACTIVE` for each control group that has a limit.
        swaps: `/proc/swaps`.
    """
    kib = {key: int(value) * KIB for key, value in re.findall(r"(?m)^(\w+):\s+([0-9]{1,15}) kB", info.text)}
    total, available = kib.get("MemTotal"), kib.get("MemAvailable")
    for words in re.findall(r"(?m)^memory=([0-9]{1,18}) ([0-9]{1,18}) ([0-9]{0,18})$", limits.text):
        most, held, inactive = (int(word or 0) for word in words)
        if most >= kib.get("MemTotal", most + 1):
            continue  # as good as none
        left = max(most - max(held - inactive, 0), 0)
        total = most if total is None else min(most, total)
        available = left if available is None else min(left, available)
    unknown = {}
    if total is None:
        unknown["memory.total"] = said(info, "no MemTotal in /proc/meminfo")
    if available is None:
        unknown["memory.available"] = "no MemAvailable in /proc/meminfo (a kernel before 3.14)"
    swap, swap_free = kib.get("SwapTotal"), kib.get("SwapFree")
    told = pairs(limits.text)
    page, lockable = number(told.get("page")), limit(told.get("lockable"), total)
    if page is None:
        unknown["memory.page"] = "no getconf"
    if lockable is None:
        unknown["memory.lockable"] = "the shell there does not know ulimit -l"
    found = Memory(
        total=total,
        available=available,
        unified=False,
        swap_total=swap,
        swap_used=swap - swap_free if swap is not None and swap_free is not None else None,
        page=page,
        swap_is_memory=is_memory(swaps),
        lockable=lockable,
    )
    return found, unknown


def limit(text: str | None, total: int | None) -> int | None:
    """Bytes of `ulimit -l`, which counts in 1024; all there is where nothing limits it."""
    if text == "unlimited":
        return total
    amount = number(text)
    return amount * KIB if amount is not None else None


def is_memory(swaps: Section) -> bool:
    """Every swap is compressed memory (zram): what goes there takes room from what it should spare."""
    names = [line.split()[0] for line in swaps.text.splitlines()[1:] if line.split()]
    return bool(names) and all(re.fullmatch(r"(?:/dev/)?(?:block/)?zram[0-9]+", name) for name in names)
