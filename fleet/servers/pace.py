"""The tokens/s to expect of a model where its layers lie, before it has started."""

from fleet.core.facts import Facts, Gpu
from fleet.models import bandwidth
from fleet.models.layout import Layout
from fleet.models.placement import Placement, Use
from fleet.models.speed import Part, Speed, active, decode


def pace(placed: Placement, layout: Layout, facts: Facts, backend: str, build: int | None) -> Speed | None:
    """The speed of one conversation that has just begun; None where a device is in no table."""
    gpus = [gpu for gpu in facts.gpus if gpu.api == backend]
    parts = []
    for number, use in enumerate(placed.uses):
        is_host = number == len(placed.devices)
        if not use.dense and not use.experts:
            continue
        if not is_host and number >= len(gpus):
            return None
        part = _part(use, layout, facts, None if is_host else gpus[number], "cpu" if is_host else backend)
        if part is None:
            return None
        parts.append(part)
    return decode(parts, build)


def _part(use: Use, layout: Layout, facts: Facts, gpu: Gpu | None, api: str) -> Part | None:
    device = bandwidth.find(facts, gpu)
    if device is None:
        return None
    return Part(device, api, active(use.dense, use.experts, layout.used, layout.experts), use.layers)
