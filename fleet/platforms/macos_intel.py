"""macOS on a processor of Intel: llama.cpp computes with the processor alone."""

from collections.abc import Mapping
from dataclasses import replace

from fleet.platforms import macos
from fleet.platforms.base import Platform, Section, System
from fleet.platforms.probe.answer import one, pairs

METAL = "the graphics of Intel Macs are of no use to llama.cpp"  # 1536 MiB, llama.cpp issue 8886


def is_it(found: Mapping[str, Section]) -> bool:
    """A shell of Apple silicon that Rosetta translates says x86_64 too, but the kernel knows better."""
    machine = pairs(one(found, "system").text).get("machine")
    return machine == "x86_64" and pairs(one(found, "sysctl").text, ":").get("hw.optional.arm64") != "1"


def read(found: Mapping[str, Section]) -> System:
    system = macos.read(found)
    unknown = {
        path: why for path, why in system.unknown.items() if path not in ("gpus.0.cores", "memory.gpu_most")
    }
    pool = replace(system.memory, unified=False, gpu_most=None)
    return replace(system, gpus=(), memory=pool, unknown=unknown | {"gpus": METAL})


platform = Platform("macOS on Intel", "Darwin", "macos", "", "", read, is_it)
