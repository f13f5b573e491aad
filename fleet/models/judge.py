"""The verdict on one model for one host, from its facts alone: also where nothing is built."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from fleet.backends.base import BACKENDS, choose, ranked
from fleet.core.errors import PlanError
from fleet.core.facts import Facts
from fleet.models import bandwidth, quants
from fleet.models.bandwidth import Bandwidth
from fleet.models.fit import Fit, fit
from fleet.models.layout import Layout, layout
from fleet.models.placement import Model, Placement, Use, whole
from fleet.models.repack import reordered
from fleet.models.room import HOST, Pool, lessened, pools, spread
from fleet.models.speed import Factor, Part, Speed, active, decode
from fleet.models.weights import Weights
from fleet.models.wish import Wish

if TYPE_CHECKING:
    from fleet.core.inventory import Host


def judge(
    facts: Facts,
    backend: str,
    model: Layout,
    wish: Wish,
    *,
    held: Mapping[str, int] | None = None,
    returned: Mapping[str, int] | None = None,
    oracle: Mapping[str, Use] | None = None,
    factor: Factor | None = None,
    ram: Bandwidth | None = None,
    beside: int = 0,
) -> Fit:
    """Whether the model fits there, and how fast it will be; also of a file that nobody has made yet.

    Args:
        backend: what llama.cpp computes with there.
        held, returned: as in room.pools.
        oracle: as in fit; asked where `model.formula` is False.
        factor: what the host's own measurements say of predicted speeds.
        ram: what they say of main memory, for a processor that no table has.
        beside: bytes of what is served with it; they are taken off the room.

    Raises:
        PlanError: the wish names a device that is not there, or as fit.
    """
    build = number(facts, backend)
    return fit(
        model,
        wish,
        lessened(usable(pools(facts, backend, held, returned), wish), beside),
        build=build,
        reordered=reordered(facts, backend),
        oracle=oracle,
        rated=speeds(facts, backend, model, wish, build, factor, ram),
    )


def likely(wish: "Host", facts: Facts) -> tuple[str, tuple[str, ...]]:
    """The backend that a build there has, or should have once what it lacks is installed; and why.

    Raises:
        PlanError: nothing there computes at all, or the inventory names what is not there.
    """
    try:
        name, _, notes = choose(wish, facts)
        return name, notes
    except PlanError as error:
        wanted = [name for name in ranked(facts) if wish.backend in (None, "auto", name)]
        if not wanted:
            raise
        return wanted[0], (f"{error.what}; judged as if that were mended: {error.next}",)


def number(facts: Facts, backend: str) -> int | None:
    """The build number of the newest llama.cpp for that backend; None where there is none."""
    return max((one.number for one in facts.builds if one.backend == backend and one.number), default=None)


def takes(
    facts: Facts, backend: str, weights: Weights, wish: Wish, beside: int = 0, mapped: int = 0
) -> dict[str, int]:
    """Bytes by pool that a running server of ours holds, by its own arguments.

    Pages of a mapped file count as available to everybody, so main memory's are not among them.

    Args:
        beside: bytes of what is served with its model.
        mapped: bytes of that whose file stays mapped where no device holds it.

    Raises:
        PlanError: the header lacks what no model can do without, or the wish names a device that is
            not there.
    """
    found = usable(pools(facts, backend), wish)
    placed = whole(
        Model(layout(weights.header, weights.sums), wish, reordered=reordered(facts, backend)), found
    )
    shares, host = spread(found, beside), placed.host
    held = {use.pool: use.total + shares.get(use.pool, 0) for use in placed.devices}
    free = host.weights + min(mapped, shares[HOST])
    held[HOST] = host.logged + shares[HOST] - (free if wish.mapped else 0)
    return held


def usable(found: tuple[Pool, ...], wish: Wish) -> tuple[Pool, ...]:
    """The devices that the wish names, and main memory.

    Raises:
        PlanError: it names one that is not there.
    """
    if wish.devices is None:
        return found
    names = [pool.name for pool in found if not pool.is_host]
    for name in wish.devices:
        if name not in names:
            known = ", ".join(names) or "none"
            raise PlanError(f"there is no device {name} here", next=f"devices = one of: {known}")
    chosen = {pool.name: pool for pool in found}
    return (*(chosen[name] for name in wish.devices), found[-1])


def speeds(
    facts: Facts,
    backend: str,
    model: Layout,
    wish: Wish,
    build: int | None = None,
    factor: Factor | None = None,
    ram: Bandwidth | None = None,
) -> Callable[[Placement], Speed | None]:
    """How fast a placement is: one conversation, its part of the context half full."""
    gpus = BACKENDS.take(backend).gpus(facts)
    quant = quants.of_file(model.file_type) if model.file_type is not None else None
    own = replace(wish, parallel=max(1, wish.parallel))

    def part(number: int, use: Use) -> Part | None:
        index = re.search(r"\d+$", use.pool)  # CUDA1 is the second, also where it is the only one used
        number = int(index[0]) if index else number
        gpu = gpus[number] if use.pool != HOST and number < len(gpus) else None
        device = bandwidth.find(facts, gpu) if use.pool == HOST or gpu is not None else None
        if device is None and use.pool == HOST:
            device = ram
        if device is None:
            return None
        read = active(use.dense, use.experts, model.used or None, model.experts or None)
        api = "cpu" if gpu is None else backend
        return Part(device, api, read, use.layers, use.kv // own.parallel // 2, quant)

    def rated(placed: Placement) -> Speed | None:
        busy = [(number, use) for number, use in enumerate(placed.uses) if use.dense or use.experts]
        parts = [part(number, use) for number, use in busy]
        known = [one for one in parts if one is not None]
        return decode(known, build, factor) if known and len(known) == len(parts) else None

    return rated


def unrated(facts: Facts, backend: str, found: Fit) -> str | None:
    """Why nothing is said of its speed, with what would help; None where something is, or nothing fits."""
    if found.verdict not in ("fits", "changes") or found.speed or any(one.speed for one in found.changes):
        return None
    return unmeasured(facts, backend)


def unmeasured(facts: Facts, backend: str) -> str | None:
    """Why the bandwidth of what computes there is unknown, with what would help; None where it is not."""
    gpus = BACKENDS.take(backend).gpus(facts)
    lacks = [gpu for gpu in (*gpus, None) if bandwidth.find(facts, gpu) is None]
    return bandwidth.why(facts, lacks[0]) if lacks else None
