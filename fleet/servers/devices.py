"""Which devices a server computes on."""

from collections.abc import Mapping

from fleet.backends.base import BACKENDS
from fleet.core.facts import Build, Facts


def device(backend: str) -> str | None:
    """The prefix that a device of this backend has; None for the CPU."""
    return BACKENDS.take(backend).device


def device_names(facts: Facts, backend: str, build: Build | None = None) -> tuple[str, ...]:
    """`CUDA0 CUDA1`, or `none` for the CPU: as the build listed them, else one for each GPU."""
    prefix = device(backend)
    if prefix is None:
        return ("none",)
    if found := listed(backend, build):
        return tuple(found)
    count = len(BACKENDS.take(backend).gpus(facts)) or 1
    return tuple(f"{prefix}{number}" for number in range(count))


def device_totals(facts: Facts, backend: str, build: Build | None = None) -> tuple[int | None, ...]:
    """Bytes of each device, in the order of their names."""
    if found := listed(backend, build):
        return tuple(found.values())
    return tuple(gpu.memory_total for gpu in BACKENDS.take(backend).gpus(facts))


def listed(backend: str, build: Build | None) -> Mapping[str, int | None]:
    """The devices that a build of this backend showed when it was proven, and their bytes."""
    prefix = device(backend)
    if build is None or prefix is None:
        return {}
    return {one.name: one.total for one in build.devices if one.name.startswith(prefix)}
