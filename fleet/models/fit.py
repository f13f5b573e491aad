"""Whether a model fits on a host as it is wished, what it takes there, and what to change if not."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from fleet.core.plan import size_text
from fleet.models import kv
from fleet.models.changes import Case, Change, changes
from fleet.models.layout import Layout
from fleet.models.placement import Model, Placement, Use, holds, whole
from fleet.models.room import Pool
from fleet.models.speed import Speed
from fleet.models.wish import Wish

Verdict = Literal["fits", "changes", "no", "unknown"]


@dataclass(frozen=True, slots=True)
class Fit:
    """The answer for one host.

    The bytes are those of the scarce memory: of the host's devices, or of main memory where it has
    none; what else lies in main memory is in `placement.host`.
    """

    verdict: Verdict
    weights: int | None
    kv: int | None  # keys, values and recurrent states
    compute: int | None
    other: int | None  # logits, cached prompts, reordered weights
    total: int | None
    available: int | None  # for one more model, after what stays free
    placement: Placement | None  # of the model as wished, fitting or not
    pools: tuple[Pool, ...]
    changes: tuple[Change, ...]
    speed: Speed | None  # as wished, where it fits
    why: str  # one sentence
    is_exact: bool = True  # False: computing is a guess, for want of a formula


def nothing(placed: Placement) -> None:
    """No speed."""


def fit(
    layout: Layout,
    wish: Wish,
    pools: Sequence[Pool],
    *,
    build: int | None = None,
    reordered: frozenset[int] = frozenset(),
    oracle: "Mapping[str, Use] | None" = None,
    rated: Callable[[Placement], Speed | None] = nothing,
) -> Fit:
    """The verdict.

    Args:
        build: number of the llama.cpp that will run; None for one of today.
        reordered: types of weights that this processor keeps twice (repack.reordered).
        oracle: what llama-fit-params said of the model as wished, by pool; asked where there is
            no formula.
        rated: the speed of a placement.

    Raises:
        PlanError: a cache type the model cannot have, or a context that nobody names.
    """
    pools = tuple(pools)
    unknown = [pool for pool in pools if pool.available is None]
    if not layout.formula and oracle is None:
        return _unknown(
            layout, wish, pools, build, reordered, f"{layout.why}: its memory has no formula here"
        )
    if unknown:
        why = f"the room of {unknown[0].name} is unknown: {'; '.join(unknown[0].notes)}"
        return _unknown(layout, wish, pools, build, reordered, why)

    silent = [pool.name for pool in pools if oracle is not None and pool.name not in oracle]
    if silent and wish.gpu_layers != 0:
        why = f"llama-fit-params there says nothing of {silent[0]}: its build may not see that device"
        return _unknown(layout, wish, pools, build, reordered, why)

    def sized(one: Layout, other: Wish) -> Model:
        return Model(one, other, build=build, reordered=reordered)

    model = sized(layout, wish)
    placed = whole(model, pools) if oracle is None else _told(model, pools, oracle)
    is_exact = oracle is not None or model.compute(1).is_known
    if holds(placed, pools):
        return _fit("fits", placed, pools, (), rated(placed), _fine(placed, pools), is_exact)
    found = changes(Case(layout, wish, pools, sized, rated)) if layout.formula else ()
    verdict: Verdict = "changes" if any(change.fits for change in found) else "no"
    kept = tuple(change for change in found if change.fits) or found
    return _fit(verdict, placed, pools, kept, None, _short(placed, pools), is_exact)


def _fit(
    verdict: Verdict,
    placed: Placement,
    pools: tuple[Pool, ...],
    found: tuple[Change, ...],
    speed: Speed | None,
    why: str,
    is_exact: bool,
) -> Fit:
    scarce = placed.devices or (placed.host,)
    return Fit(
        verdict,
        sum(use.weights for use in scarce),
        sum(use.kv for use in scarce),
        sum(use.compute for use in scarce),
        sum(use.other for use in scarce),
        sum(use.total for use in scarce),
        room(pools),
        placed,
        pools,
        found,
        speed,
        why,
        is_exact,
    )


def room(pools: Sequence[Pool]) -> int | None:
    """Bytes for one more model: on all devices, or in main memory without one."""
    scarce = [pool for pool in pools if not pool.is_host] or list(pools)
    if any(pool.available is None for pool in scarce):
        return None
    return sum(pool.available or 0 for pool in scarce)


def _unknown(
    layout: Layout,
    wish: Wish,
    pools: tuple[Pool, ...],
    build: int | None,
    reordered: frozenset[int],
    why: str,
) -> Fit:
    """No verdict; what is known all the same."""
    weights, cache, takes, other, total = layout.sums.total, None, None, None, None
    placed = None
    if layout.formula:
        placed = whole(Model(layout, wish, build=build, reordered=reordered), pools)
        scarce = placed.devices or (placed.host,)
        weights = sum(use.weights for use in scarce)
        cache, takes = kv.cache(layout, wish).total, sum(use.compute for use in scarce)
        other, total = sum(use.other for use in scarce), sum(use.total for use in scarce)
    return Fit(
        "unknown", weights, cache, takes, other, total, room(pools), placed, pools, (), None, why, False
    )


def _told(model: Model, pools: Sequence[Pool], oracle: "Mapping[str, Use]") -> Placement:
    """The placement with what the oracle measured in place of what a formula says."""
    placed = whole(model, pools)
    uses = []
    for use in placed.uses:
        said = oracle.get(use.pool, Use(use.pool))
        other = use.other if use.pool == placed.host.pool else 0
        uses.append(
            Use(
                use.pool,
                use.layers,
                said.weights,
                use.dense,
                use.experts,
                said.kv,
                said.compute,
                other,
            )
        )
    return Placement(tuple(uses), placed.gpu_layers, placed.split, placed.experts_on_host)


def _fine(placed: Placement, pools: Sequence[Pool]) -> str:
    scarce = placed.devices or (placed.host,)
    need = sum(use.total for use in scarce)
    where = ", ".join(use.pool for use in scarce)
    return f"all of it fits: {size_text(need)} of {size_text(room(pools) or 0)} on {where}"


def _short(placed: Placement, pools: Sequence[Pool]) -> str:
    """Which pool is too small, and by how much."""
    shared = 0
    for use, pool in zip(placed.uses, pools, strict=True):
        need = use.total + (shared if pool.is_host else 0)
        if pool.is_unified:
            shared += use.total
        if need > (pool.available or 0):
            lack = size_text(need - (pool.available or 0))
            name = "main memory" if pool.is_host else f"{pool.name} ({pool.title})"
            return f"{name} lacks {lack}: {size_text(need)} wanted, {size_text(pool.available or 0)} there"
    return "it does not fit"
