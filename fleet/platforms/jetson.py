"""NVIDIA Jetson: a board whose GPU takes its memory from the processor's."""

import re
from collections.abc import Mapping
from dataclasses import replace

from fleet.core.facts import Gpu
from fleet.core.text import safe_line
from fleet.platforms import linux
from fleet.platforms.base import Platform, Section, System
from fleet.platforms.probe.answer import one

# nvidia,tegraNNN of the device tree -> compute capability.
# Source: rbonghi/jetson_stats, jtop/core/jetson_variables.py.
CAPABILITIES = {
    "tegra210": "5.3",
    "tegra186": "6.2",
    "tegra194": "7.2",
    "tegra234": "8.7",
    "tegra264": "11.0",
}


def is_it(found: Mapping[str, Section]) -> bool:
    return _chip(found) is not None


def read(found: Mapping[str, Section]) -> System:
    chip = _chip(found) or "tegra"
    system = linux.on(linux.read(found), _title(found))
    unknown = dict(system.unknown)
    # Up to JetPack 6 there is no nvidia-smi, or one that says nothing but the name.
    own, others = _own(system.gpus)
    if own is None:
        unknown.pop("gpus", None)
        own = Gpu("nvidia", f"NVIDIA {chip}", "cuda", None, None, CAPABILITIES.get(chip), None, None)
        reasons = {"memory_total": "it is the processor's"}
        system = replace(system, gpus=(own, *others))
        unknown |= {f"gpus.0.{name}": reason for name, reason in reasons.items()}
    elif own.capability is None and chip in CAPABILITIES:
        own = replace(own, capability=CAPABILITIES[chip])
        system = replace(
            system, gpus=tuple(own if card.memory_total is None else card for card in system.gpus)
        )
    if own.capability is not None:
        unknown.pop("gpus.0.capability", None)
    else:
        unknown["gpus.0.capability"] = f"fleet does not know the chip {chip}"
    return replace(system, memory=replace(system.memory, unified=True), unknown=unknown)


def _own(cards: tuple[Gpu, ...]) -> tuple[Gpu | None, tuple[Gpu, ...]]:
    """The chip's own GPU, and cards in a slot of the board."""
    own = next((card for card in cards if card.vendor == "nvidia" and card.memory_total is None), None)
    return own, tuple(card for card in cards if card is not own)


def _chip(found: Mapping[str, Section]) -> str | None:
    names = (re.fullmatch(r"nvidia,(tegra[0-9]+)", name.strip()) for name in linux.compatible(found))
    return next((match[1] for match in names if match), None)


def _title(found: Mapping[str, Section]) -> str:
    """Jetson, with the release of NVIDIA's Linux for it where the board says it."""
    text = one(found, "board").text
    release = re.search(r"# R([0-9]+) \(release\), REVISION: ([0-9.]+)", text)
    model = re.search(r"(?m)^model=(.*Jetson.*)$", text)
    title = safe_line(model[1], 80) if model else "Jetson"
    return f"{title} (L4T {release[1]}.{release[2]})" if release else title


platform = Platform("Jetson", "Linux", "linux", "", "", read, is_it)
