"""How large a server may be on its host: context, cache type and layers, from what stays as it is.

Two questions, both before anything moves. What is best: the largest context that leaves the host
room for itself and for its other servers. What is possible at all: it fits when nothing else runs.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from fleet.core.errors import PlanError
from fleet.core.facts import Facts
from fleet.core.plan import size_text
from fleet.core.proof import Expected
from fleet.models import kv, placement
from fleet.models.fit import fit
from fleet.models.judge import speeds, unmeasured
from fleet.models.layout import Layout
from fleet.models.placement import Model, Placement
from fleet.models.repack import reordered
from fleet.models.room import Pool, lessened
from fleet.models.wish import Wish
from fleet.servers.companions import notes
from fleet.servers.context import choose
from fleet.servers.memory import cache_ram
from fleet.servers.settings import Sized, Sizing
from fleet.servers.shares import Case, named, recommended, taken, whole, wished

MIB = 2**20
MOST_CHANGES = 3  # that are named


def size(
    host: str,
    case: Case,
    others: Iterable[Case],
    facts: Facts,
    backend: str,
    build: int | None,
) -> Sized:
    """What is recommended, expected, and to be said.

    Args:
        others: servers that are wanted on the same host; their models take memory too.
        build: number of the llama.cpp that will run.

    Raises:
        PlanError: it cannot fit, not even alone; `next` names what to change.
    """
    found = _size(host, case, tuple(others), case.extra.weights, facts, backend, build)
    context = found.sizing.context
    if case.extra.draft is None or context is None:
        return found
    # What a draft remembers depends on the context, and that on the room: the first look counted
    # weights alone, so its context is too long rather than too short.
    needs = case.extra.bytes(replace(wished(case.server), context=context))
    return _size(host, case, tuple(others), needs, facts, backend, build)


def _size(
    host: str,
    case: Case,
    others: tuple[Case, ...],
    beside: int,
    facts: Facts,
    backend: str,
    build: int | None,
) -> Sized:
    """As size, with so many bytes for what is served with the model."""
    layout = case.layout
    said = notes(case.extra, beside)
    if not layout.formula:
        weights = layout.sums.total
        reason = f"{layout.why or 'its kind is unlike others'}; llama-fit-params on the host can tell"
        return Sized(Sizing(None, None, None, None, weights, reason), notes=said)
    wanted = wished(case.server, cache_ram(facts) * MIB)
    lent = beside + taken(case, others, facts, backend, build)
    pools = named(recommended(facts, backend, lent), wanted)
    if any(pool.available is None for pool in pools):
        reason = "; ".join(pool.notes[0] for pool in pools if pool.available is None and pool.notes)
        return Sized(Sizing(None, None, None, None, layout.sums.total, reason), notes=said)
    kept_twice = reordered(facts, backend)

    def placed(one: Wish) -> Placement:
        return _best(Model(layout, one, build=build, reordered=kept_twice), pools)

    def filled(one: Wish) -> Placement:
        return placement.filled(Model(layout, one, build=build, reordered=kept_twice), pools)

    chosen, reason, kv_reason = choose(case.server, wanted, layout, (filled, placed), pools)
    if wanted.context is not None or not placement.holds(placed(chosen), pools):
        _check(host, case, chosen, beside, facts, backend, build)
    best = placed(chosen)
    is_whole = best.is_whole(layout) if best.devices else None
    sizing = Sizing(
        context=kv.context(layout, chosen),
        kv_type=None if chosen.kv_type_k == wanted.kv_type_k else chosen.kv_type_k,
        is_whole=is_whole,
        layers=best.gpu_layers,
        experts=best.experts_on_host,
        weights=layout.sums.total,
        reason=reason,
        kv_reason=kv_reason,
    )
    expected, why = _expected(case, wanted, chosen, best, facts, backend, build, is_whole)
    if expected.bytes is not None:
        expected = replace(expected, bytes=expected.bytes + beside)
    if case.extra.draft is not None:
        expected = replace(expected, tps=None, low=None, high=None)
        why = "how many drafts are accepted depends on the text"
    return Sized(
        sizing,
        expected,
        (_needs(expected, chosen.cache_ram, why), *said, *_notes(best, layout, pools, is_whole)),
    )


def _best(model: Model, pools: tuple[Pool, ...]) -> Placement:
    """Where --fit of llama.cpp would put it: of a mixture the experts leave the devices first."""
    found = placement.filled(model, pools)
    if not found.devices or found.gpu_layers == model.most or not model.layout.sums.experts:
        return found
    low, high = 1, model.layout.layers
    while low < high:
        middle = (low + high) // 2
        if placement.filled(model, pools, middle).gpu_layers == model.most:
            high = middle
        else:
            low = middle + 1
    other = placement.filled(model, pools, low)
    return other if other.gpu_layers == model.most else found


def _check(
    host: str, case: Case, chosen: Wish, beside: int, facts: Facts, backend: str, build: int | None
) -> None:
    """Refuses what cannot fit even if nothing else runs there.

    Raises:
        PlanError: names what is lacking, and the best change.
    """
    pools = named(lessened(whole(facts, backend), beside), chosen)
    model = Model(case.layout, chosen, build=build, reordered=reordered(facts, backend))
    if placement.holds(_best(model, pools), pools):
        return
    found = fit(case.layout, chosen, pools, build=build, reordered=reordered(facts, backend))
    enough = [change.what for change in found.changes if change.fits][:MOST_CHANGES]
    raise PlanError(
        f"server {case.name}: {case.server.model} does not fit: {found.why}",
        host=host,
        next=f"fleet fit {case.server.model} --host {host}"
        + (f", or in [servers.{case.name}]: {'; or '.join(enough)}" if enough else ""),
        kind="does-not-fit",
    )


def _expected(
    case: Case,
    wanted: Wish,
    chosen: Wish,
    best: Placement,
    facts: Facts,
    backend: str,
    build: int | None,
    is_whole: bool | None,
) -> tuple[Expected, str | None]:
    """What the start should show: no prompts are cached yet, and the context is empty.

    Returns:
        It, and what its speed stands on, or why that is unknown.
    """
    is_by_hand = (
        wanted.gpu_layers is not None or wanted.experts_on_host or "override-tensor" in case.server.args
    )
    empty = replace(best, uses=tuple(replace(use, kv=0) for use in best.uses))
    speed = speeds(facts, backend, case.layout, chosen, build)(empty)
    expected = Expected(
        sum(use.logged for use in best.uses) - chosen.cache_ram,
        None if is_by_hand else is_whole,
        *((speed.tps, speed.low, speed.high) if speed is not None else (None, None, None)),
    )
    return expected, unmeasured(facts, backend) if speed is None else speed.reason


def _needs(expected: Expected, lent: int, why: str | None) -> str:
    cached = f", and up to {size_text(lent)} for cached prompts" if lent else ""
    speed = "its speed here is unknown"
    if expected.low is not None and expected.high is not None:
        speed = f"{expected.low:.0f}-{expected.high:.0f} tokens/s are expected"
    reason = f" ({why})" if why else ""
    return f"needs {size_text(expected.bytes or 0)} of memory{cached}; {speed}{reason}"


def _notes(best: Placement, layout: Layout, pools: tuple[Pool, ...], is_whole: bool | None) -> Iterator[str]:
    if is_whole is False:
        on = ", ".join(use.pool for use in best.devices)
        what = f"{best.gpu_layers} of {layout.layers + 1} layers on {on}"
        if best.experts_on_host:
            what += f" without the experts of {best.experts_on_host}"
        yield f"fits only in part: {what}, {size_text(best.host.weights)} in main memory: slower"
    elif not placement.holds(best, pools):
        yield "it fits, but leaves the host little memory for anything else"
