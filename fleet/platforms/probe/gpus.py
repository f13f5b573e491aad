"""Graphics cards of a Linux host that llama.cpp can compute with."""

import re
from collections.abc import Mapping

from fleet.core.facts import Gpu
from fleet.platforms.base import Section
from fleet.platforms.probe.amd import amd_cards
from fleet.platforms.probe.answer import number, one
from fleet.platforms.probe.cards import INTEL, NVIDIA, SMALLEST, Found, drm_cards
from fleet.platforms.probe.nvidia import nvidia_cards
from fleet.platforms.probe.vulkan import Shown, named, shown, vulkan_cards


def gpus(found: Mapping[str, Section]) -> Found:
    """All cards of all vendors, and reasons for what is unknown about them.

    Args:
        found: the sections pci, nvidia and those that begin so, rocm, amd-smi, rocminfo,
            drm, kfd, vulkan.
    """
    vendors = re.findall(r"(?m)^\S+ 0x03\w* (0x\w+) ", one(found, "pci").text)
    nvidia = nvidia_cards(
        one(found, "nvidia"),
        NVIDIA in vendors,
        one(found, "nvidia-banner"),
        one(found, "nvidia-apps"),
        one(found, "nvidia-list"),
    )
    devices = shown(one(found, "vulkan"))
    intel = intel_cards(one(found, "drm"), devices)
    amd = amd_cards(found, devices, is_alone=not nvidia.cards and not intel)
    cards = (*nvidia.cards, *amd.cards, *intel)
    cards += vulkan_cards(devices, frozenset(card.vendor for card in cards))
    silent = {
        f"gpus.{index}.memory_total": "nothing but vulkaninfo names this card, and it does not say it"
        for index, card in enumerate(cards)
        if card.api == "vulkan" and card.memory_total is None
    }
    for index, card in enumerate(cards):
        if card.vendor == "intel" and card.memory_total is not None:
            silent[f"gpus.{index}.memory_free"] = "the kernel does not show what is in use"
    unknown = {**nvidia.unknown, **amd.after(len(nvidia.cards)), **silent}
    return Found(cards, unknown, nvidia.is_unified or amd.is_unified)


def intel_cards(drm: Section, devices: tuple[Shown, ...] = ()) -> tuple[Gpu, ...]:
    """Cards with memory of their own (Arc); what is free of it, the kernel does not show."""
    found = []
    for files in drm_cards(drm):
        total = number(files.get("lmem_total_bytes")) or number(files.get("physical_vram_size_bytes"))
        if files.get("vendor") == INTEL and total and total >= SMALLEST:
            name = named(devices, INTEL, files.get("device")) or f"Intel {files.get('device', 'GPU')}"
            found.append(Gpu("intel", name, "vulkan", total, None, None, None, None))
    return tuple(found)
