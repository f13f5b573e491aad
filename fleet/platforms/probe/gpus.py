"""Graphics cards of a Linux host that llama.cpp can compute with."""

import csv
import re
from collections.abc import Mapping

from fleet.core.facts import Gpu
from fleet.core.text import safe_line
from fleet.platforms.base import Section
from fleet.platforms.probe.answer import number, said

MIB = 1 << 20
SMALLEST = 1 << 30  # bytes; a card with less is the processor's own, no card to plan with
NVIDIA, AMD, INTEL = "0x10de", "0x1002", "0x8086"
# Jetson: nvidia,tegraNNN of the device tree -> compute capability.
# Source: rbonghi/jetson_stats, jtop/core/jetson_variables.py.
TEGRA = {"tegra210": "5.3", "tegra186": "6.2", "tegra194": "7.2", "tegra234": "8.7", "tegra264": "11.0"}

Found = tuple[tuple[Gpu, ...], Mapping[str, str]]


def gpus(pci: Section, nvidia: Section, rocm: Section, drm: Section, kfd: Section, board: Section) -> Found:
    """All cards, and reasons for what is unknown about them.

    Args:
        pci: address, class, vendor and device of each display card.
        nvidia: the CSV of `nvidia-smi --query-gpu`.
        rocm: the CSV of `rocm-smi`.
        drm: `cardN/FILE:VALUE` lines below /sys/class/drm.
        kfd: `gfx_target_version N` of each node.
        board: `compatible=` lines of the device tree.
    """
    vendors = re.findall(r"(?m)^\S+ 0x03\w* (0x\w+) ", pci.text)
    cards, unknown = nvidia_cards(nvidia, has_card=NVIDIA in vendors)
    if not cards and (tegra := tegra_card(board)):
        cards, unknown = (tegra,), {}
    more = amd_tool_cards(rocm) if rocm.status == 0 else ()
    if not more:
        more = amd_kernel_cards(drm, kfd)
    return (*cards, *more, *intel_cards(drm)), unknown


def nvidia_cards(answer: Section, has_card: bool) -> Found:
    """From lines of index, name, [compute capability,] driver, MiB in all, MiB free.

    nvidia-smi says its errors on standard output: without the exit status they would
    read as a card's name. A cell that starts with `[` is unknown, not zero.
    """
    if answer.status != 0:
        if answer.status in (127, None):
            reason = "an NVIDIA card is there, but no nvidia-smi: its driver is not installed"
            return (), {"gpus": reason} if has_card else {}
        return (), {"gpus": f"nvidia-smi ended with {answer.status}: {said(answer, 'it said nothing')}"}
    cards: list[Gpu] = []
    unknown: dict[str, str] = {}
    for row in _rows(answer.text.splitlines()):
        cells = [safe_line(cell, 200) for cell in row]
        if len(cells) < 5 or number(cells[0]) is None:
            continue
        total, free = (_mebibytes(cell) for cell in cells[-2:])
        has_capability = len(cells) > 5 and re.fullmatch(r"\d+\.\d+|\[.*\]", cells[-4]) is not None
        capability = cells[-4] if has_capability and not cells[-4].startswith("[") else None
        name = ", ".join(cells[1 : -4 if has_capability else -3])
        path = f"gpus.{len(cards)}"
        if capability is None:
            unknown[f"{path}.capability"] = "this driver does not say it"
        if total is None:
            unknown[f"{path}.memory_total"] = (
                "the driver does not say it: the memory is shared with the processor"
            )
        cards.append(Gpu("nvidia", name, "cuda", total, free, capability, None, _cell(cells[-3])))
    if not cards:
        unknown["gpus"] = f"nvidia-smi named no card: {said(answer, 'it said nothing')}"
    return tuple(cards), unknown


def tegra_card(board: Section) -> Gpu | None:
    """The GPU of a Jetson, which takes its memory from the processor's."""
    if match := re.search(r"(?m)^compatible=nvidia,(tegra\w+)$", board.text):
        chip = match[1]
        return Gpu("nvidia", f"NVIDIA {chip}", "cuda", None, None, TEGRA.get(chip), None, None)
    return None


def amd_tool_cards(answer: Section) -> tuple[Gpu, ...]:
    """From rocm-smi's CSV, by the names of its columns; their order differs between versions."""
    lines = [line for line in answer.text.splitlines() if line.strip()]
    start = next((i for i, line in enumerate(lines) if line.lower().startswith("device,")), len(lines))
    head, *rows = _rows(lines[start:]) or [[]]
    cards = []
    for row in rows:
        cells = {key.strip().lower(): safe_line(value, 200) for key, value in zip(head, row, strict=False)}
        total = number(cells.get("vram total memory (b)"))
        used = number(cells.get("vram total used memory (b)"))
        if not total or total < SMALLEST:
            continue
        target = cells.get("gfx version", "")
        cards.append(
            Gpu(
                "amd",
                cells.get("card series") or cells.get("card model") or "AMD GPU",
                "hip",
                total,
                max(total - used, 0) if used is not None else None,
                target if target.startswith("gfx") else None,
                None,
                None,
            )
        )
    return tuple(cards)


def amd_kernel_cards(drm: Section, kfd: Section) -> tuple[Gpu, ...]:
    """From what the kernel shows without any tool."""
    targets = [
        gfx(int(value)) for value in re.findall(r"gfx_target_version ([0-9]{1,9})\b", kfd.text) if int(value)
    ]
    cards = _cards(drm)
    amd = [files for files in cards if files.get("vendor") == AMD]
    found = []
    for index, files in enumerate(amd):
        total, used = number(files.get("mem_info_vram_total")), number(files.get("mem_info_vram_used"))
        if not total or total < SMALLEST:
            continue
        target = targets[index] if len(targets) == len(amd) else None
        free = max(total - used, 0) if used is not None else None
        found.append(Gpu("amd", f"AMD {files.get('device', 'GPU')}", "hip", total, free, target, None, None))
    return tuple(found)


def intel_cards(drm: Section) -> tuple[Gpu, ...]:
    """Cards with memory of their own (Arc)."""
    found = []
    for files in _cards(drm):
        total = number(files.get("lmem_total_bytes"))
        if files.get("vendor") == INTEL and total and total >= SMALLEST:
            found.append(
                Gpu("intel", f"Intel {files.get('device', 'GPU')}", "vulkan", total, None, None, None, None)
            )
    return tuple(found)


def gfx(target: int) -> str:
    """gfx_target_version 90010 -> gfx90a."""
    return f"gfx{target // 10000}{target // 100 % 100:x}{target % 100:x}"


def _cards(drm: Section) -> list[dict[str, str]]:
    cards: dict[int, dict[str, str]] = {}
    for card, name, value in re.findall(r"(?m)^card([0-9]{1,3})/(?:device/)?(\w+):(.*)$", drm.text):
        cards.setdefault(int(card), {})[name] = value.strip()
    return [cards[index] for index in sorted(cards)]


def _rows(lines: list[str]) -> list[list[str]]:
    """Cells of comma-separated lines; lines that are none are left out."""
    found = []
    for line in lines:
        try:
            found += list(csv.reader([line], skipinitialspace=True))
        except csv.Error:
            continue
    return found


def _cell(text: str) -> str | None:
    return None if text.startswith("[") or not text or text == "N/A" else text


def _mebibytes(cell: str) -> int | None:
    amount = number(cell.removesuffix(" MiB"))
    return amount * MIB if amount is not None else None
