"""WSL: Linux under Windows, which lends it processors, memory and graphics cards."""

from collections.abc import Mapping
from dataclasses import replace

from fleet.platforms import linux
from fleet.platforms.base import Platform, Section, System
from fleet.platforms.probe.answer import one, pairs


def is_it(found: Mapping[str, Section]) -> bool:
    """Its kernel is called 5.15.79.1-microsoft-standard-WSL2; that of WSL 1 ends with -Microsoft."""
    return "microsoft" in _release(found)


def read(found: Mapping[str, Section]) -> System:
    system = linux.on(linux.read(found), "WSL2" if "wsl2" in _release(found) else "WSL")
    unknown = dict(system.unknown) | {"cpu.cores_performance": "WSL does not say which core is of which kind"}
    has_card = pairs(one(found, "board").text).get("dxg") == "yes"
    if has_card and not system.gpus and "gpus" not in unknown:
        unknown["gpus"] = "Windows lends a graphics card (/dev/dxg), but no nvidia-smi says which"
    processor = replace(system.cpu, cores_performance=None, cores_efficiency=None)
    return replace(system, cpu=processor, unknown=unknown)


def _release(found: Mapping[str, Section]) -> str:
    return pairs(one(found, "system").text).get("release", "").lower()


platform = Platform("WSL", "Linux", "linux", "", "", read, is_it)
