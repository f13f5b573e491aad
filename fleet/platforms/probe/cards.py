"""What several readers of graphics cards need."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from fleet.core.facts import Gpu
from fleet.platforms.base import Section

MIB = 1 << 20
SMALLEST = 1 << 30  # bytes; a card with less is the processor's own, no card to plan with
NVIDIA, AMD, INTEL = "0x10de", "0x1002", "0x8086"
TIMED_OUT = (124, 142, 143)  # of timeout, and of a program that SIGALRM or SIGTERM ended


@dataclass(frozen=True, slots=True)
class Found:
    """Cards, and reasons for what is unknown, by path of the fact."""

    cards: tuple[Gpu, ...] = ()
    unknown: Mapping[str, str] = field(default_factory=dict)
    is_unified: bool = False  # a card takes its memory from the processor's

    def after(self, count: int) -> Mapping[str, str]:
        """The reasons, if so many other cards come before these."""
        return {
            re.sub(r"^gpus\.([0-9]+)\.", lambda match: f"gpus.{int(match[1]) + count}.", path): reason
            for path, reason in self.unknown.items()
        }


def drm_cards(drm: Section) -> list[dict[str, str]]:
    """The files of each card below /sys/class/drm, in order of their numbers."""
    cards: dict[int, dict[str, str]] = {}
    for card, name, value in re.findall(
        r"(?m)^card([0-9]{1,3})/(?:device/)?(?:tile0/)?(\w+):(.*)$", drm.text
    ):
        kept = cards.setdefault(int(card), {})
        if name == "uevent":
            name, _, value = value.partition("=")
        kept.setdefault(name, value.strip())
    return [cards[index] for index in sorted(cards)]


def place(slot: str | None) -> int | None:
    """The location number of a PCI address: 0000:03:00.0 -> 0x300, as kfd and rocminfo count."""
    match = re.search(r"([0-9a-fA-F]{2}):([0-9a-fA-F]{2})\.([0-7])$", slot or "")
    return int(match[1], 16) << 8 | int(match[2], 16) << 3 | int(match[3]) if match else None
