"""What `vulkaninfo --summary` lists. A driver that computes on the processor (llvmpipe) is no card."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from fleet.core.facts import Gpu
from fleet.core.text import safe_line
from fleet.platforms.base import Section
from fleet.platforms.probe.cards import AMD, INTEL, NVIDIA

VENDORS: Mapping[str, str] = {NVIDIA: "nvidia", AMD: "amd", INTEL: "intel"}
# Mesa's layer over Direct3D 12 shows the card of Windows again; it is too incomplete to compute with.
LAYERED = ("DRIVER_ID_MESA_DOZEN",)


@dataclass(frozen=True, slots=True)
class Shown:
    """A device of a Vulkan driver."""

    vendor: str  # as on the bus: 0x10de
    device: str
    kind: str  # DISCRETE_GPU, INTEGRATED_GPU, VIRTUAL_GPU
    name: str


def shown(answer: Section) -> tuple[Shown, ...]:
    """Graphics processors, each once: two drivers may list the same one.

    The loader's warnings come before the devices, in both streams.
    """
    found: dict[object, Shown] = {}
    for place, block in enumerate(re.split(r"(?m)^GPU[0-9]+:\s*$", answer.text)[1:]):
        told = dict(re.findall(r"(?m)^\s+(\w+)\s+= (.*)$", block))
        kind = told.get("deviceType", "").strip().removeprefix("PHYSICAL_DEVICE_TYPE_")
        if kind not in ("DISCRETE_GPU", "INTEGRATED_GPU", "VIRTUAL_GPU"):
            continue
        if told.get("driverID", "").strip() in LAYERED:
            continue
        one = Shown(
            told.get("vendorID", "").strip().lower(),
            told.get("deviceID", "").strip().lower(),
            kind,
            safe_line(told.get("deviceName", "unnamed"), 100),
        )
        found.setdefault(told.get("deviceUUID", "").strip() or place, one)
    return tuple(found.values())


def vulkan_cards(devices: tuple[Shown, ...], seen: frozenset[str]) -> tuple[Gpu, ...]:
    """Cards of vendors of which nothing else was seen; their memory is not said.

    Args:
        seen: vendors of the cards that are known already.
    """
    return tuple(
        Gpu(VENDORS[one.vendor], one.name, "vulkan", None, None, None, None, None)
        for one in devices
        if one.kind == "DISCRETE_GPU" and one.vendor in VENDORS and VENDORS[one.vendor] not in seen
    )


def named(devices: tuple[Shown, ...], vendor: str, device: str | None) -> str | None:
    """How a driver calls the device that the bus calls so."""
    return next((one.name for one in devices if (one.vendor, one.device) == (vendor, device)), None)
