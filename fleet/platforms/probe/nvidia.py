"""NVIDIA's cards, from what nvidia-smi says."""

import re
from collections.abc import Mapping

from fleet.core.facts import Gpu
from fleet.core.text import safe_line
from fleet.platforms.base import Section
from fleet.platforms.probe.answer import MISSING, number, said
from fleet.platforms.probe.cards import MIB, TIMED_OUT, Found

# A driver that has no such number for a card with memory of its own says something else in brackets.
# Source: GB10 and Jetson answer [N/A]; HARDWARE recordings hold all other brackets.
MOST = 1 << 50  # bytes of a card
SHARED = ("[N/A]", "N/A", "[Not Supported]")


def nvidia_cards(
    query: Section,
    has_card: bool,
    banner: Section = MISSING,
    apps: Section = MISSING,
    parts: Section = MISSING,
) -> Found:
    """One card for each line of the table.

    nvidia-smi says its errors on standard output: without the exit status they would
    read as a card's name. A cell that starts with `[` is unknown, not zero.

    Args:
        query: `nvidia-smi --query-gpu=... --format=csv`, the names of its columns first.
        has_card: a card of NVIDIA is on the bus.
        banner: `nvidia-smi` alone, or `nvidia-smi --version`.
        apps: uuid and pid of each program that computes.
        parts: `nvidia-smi -L`, where a card was split.
    """
    if query.status in (127, None):
        reason = "an NVIDIA card is there, but no nvidia-smi: its driver is not installed"
        return Found((), {"gpus": reason} if has_card else {})
    if query.status in TIMED_OUT:
        return Found((), {"gpus": f"nvidia-smi did not answer in time (it ended with {query.status})"})
    if query.status != 0:
        return Found((), {"gpus": f"nvidia-smi ended with {query.status}: {said(query, 'it said nothing')}"})
    rows = table(query.text)
    if not rows:
        return Found((), {"gpus": f"nvidia-smi named no card: {said(query, 'it said nothing')}"})
    version = re.search(r"CUDA (?:UMD )?Version\s*:\s*([0-9]+\.[0-9]+)", banner.text)
    runtime = version[1] if version and banner.status == 0 else None
    split = instances(parts.text) if parts.status == 0 else {}
    cards: list[Gpu] = []
    unknown: dict[str, str] = {}
    is_unified = False
    for row in rows:
        path, index = f"gpus.{len(cards)}", number(row.get("index"))
        total, free = (_bytes(row.get(name, "")) for name in ("memory.total", "memory.free"))
        total = total if total and total < MOST else None
        free = free if free is not None and total is not None and free <= total else None
        uuid = _cell(row.get("uuid"))
        card = Gpu(
            vendor="nvidia",
            name=row["name"],
            api="cuda",
            memory_total=total,
            memory_free=free,
            capability=_capability(row.get("compute_cap", "")),
            cores=None,
            driver=_cell(row.get("driver_version")),
            runtime=runtime,
            uuid=uuid,
            instances=split.get(len(cards) if index is None else index, ()),
            processes=_processes(apps, uuid, len(rows)),
        )
        is_unified = is_unified or row.get("memory.total") in SHARED
        unknown |= _reasons(path, card, row)
        cards.append(card)
    return Found(tuple(cards), unknown, is_unified)


def table(text: str) -> list[dict[str, str]]:
    """Rows by name of the column, from a table that names its columns first.

    A row with more cells than there are columns has commas in the product's name; one
    with fewer is none.
    """
    head: list[str] = []
    rows = []
    for line in text.splitlines():
        cells = [safe_line(cell, 200) for cell in line.split(",")]
        if not head:
            names = [cell.partition(" [")[0] for cell in cells]
            head = names if {"name", "memory.total"} <= set(names) else []
            continue
        more = len(cells) - len(head)
        if more < 0 or len(cells) > 1000:
            continue
        at = head.index("name")
        cells[at : at + more + 1] = [", ".join(cells[at : at + more + 1])]
        rows.append(dict(zip(head, cells, strict=True)))
    return rows


def instances(text: str) -> Mapping[int, tuple[str, ...]]:
    """The uuids of the parts of each card that was split, by the card's index."""
    found: dict[int, tuple[str, ...]] = {}
    card = None
    for line in text.splitlines():
        if match := re.match(r"GPU ([0-9]{1,3}): ", line):
            card = int(match[1])
        elif card is not None and (match := re.match(r"\s+MIG .*\(UUID: (MIG-[\w/-]{1,100})\)", line)):
            found[card] = (*found.get(card, ()), match[1])
    return found


def _processes(apps: Section, uuid: str | None, cards: int) -> int | None:
    if apps.status != 0:
        return None
    owners = re.findall(r"(?m)(GPU-[\w-]+), *(?:[0-9]+)\b", apps.text)
    return len(owners) if cards == 1 else owners.count(uuid or "")


def _reasons(path: str, card: Gpu, row: Mapping[str, str]) -> Mapping[str, str]:
    unknown = {}
    if card.capability is None:
        unknown[f"{path}.capability"] = "this driver does not say it"
    if card.memory_total is None:
        cell = row.get("memory.total", "")
        unknown[f"{path}.memory_total"] = (
            "the driver does not say it: the memory is shared with the processor"
            if cell in SHARED
            else f"the driver says {cell or 'nothing'}"
        )
    elif card.memory_free is None:
        unknown[f"{path}.memory_free"] = f"the driver says {row.get('memory.free') or 'nothing'}"
    if card.runtime is None:
        unknown[f"{path}.runtime"] = "nvidia-smi names no CUDA version"
    if card.processes is None:
        unknown[f"{path}.processes"] = "nvidia-smi does not list them"
    return unknown


def _cell(text: str | None) -> str | None:
    return None if not text or text.startswith("[") or text == "N/A" else text


def _capability(cell: str) -> str | None:
    return cell if re.fullmatch(r"[0-9]{1,2}\.[0-9]", cell) else None


def _bytes(cell: str) -> int | None:
    amount = number(cell.removesuffix(" MiB"))
    return amount * MIB if amount is not None else None
