"""The memory that one server of a host may have for good, beside the host and its other servers."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from fleet.core.facts import Facts
from fleet.models import placement, room, wish
from fleet.models.layout import Layout
from fleet.models.placement import Model
from fleet.models.repack import reordered
from fleet.models.room import Pool
from fleet.models.wish import Wish
from fleet.servers.companions import NONE, Extra
from fleet.servers.flags import translate
from fleet.servers.memory import cache_ram
from fleet.servers.settings import EMBEDDING_BATCH

if TYPE_CHECKING:
    from fleet.core.inventory import Server

MIB, GIB = 2**20, 2**30
RESERVE = 2 * GIB  # bytes of main memory that the system and its people keep, beside what stays free
RESERVE_SHARE = 8  # but no more than one part in so many
ENOUGH = 8192  # tokens of context that a server wants at least


@dataclass(frozen=True, slots=True)
class Case:
    """One server on one host."""

    name: str
    server: "Server"
    layout: Layout
    extra: Extra = NONE  # what is served with its model


def wished(server: "Server", cache_ram: int = 0) -> Wish:
    """What costs memory of what a server is started with.

    Args:
        cache_ram: bytes lent to cached prompts.
    """
    given, _ = translate(server.args)
    found = wish.wish(server, cache_ram, given)
    if server.kind != "chat" and "ubatch-size" not in given:
        return replace(found, ubatch=min(EMBEDDING_BATCH, found.context or EMBEDDING_BATCH))
    return found


def named(pools: tuple[Pool, ...], wanted: Wish) -> tuple[Pool, ...]:
    """Main memory, and the devices that the wish names; one nobody knows has unknown memory."""
    if wanted.devices is None:
        return pools
    there = {pool.name: pool for pool in pools}
    unknown = ("no build and no driver here has shown how much memory it has",)
    return (
        *(there.get(name, Pool(name, name, None, None, notes=unknown)) for name in wanted.devices),
        *(pool for pool in pools if pool.is_host),
    )


def recommended(facts: Facts, backend: str, taken: int = 0) -> tuple[Pool, ...]:
    """The memory that a server may have for good: what is there, less what others need.

    Not what is free this minute: that would be another recommendation at every look.

    Args:
        taken: bytes that the host's other servers need.
    """
    found = []
    for pool in room.lessened(whole(facts, backend), taken):
        keep = min(RESERVE, (pool.total or 0) // RESERVE_SHARE) if pool.is_host else 0
        available = None if pool.available is None else max(0, pool.available - keep)
        found.append(replace(pool, available=available))
    return tuple(_within(pool, found[-1]) for pool in found)


def _within(pool: Pool, host: Pool) -> Pool:
    """What a device has of main memory is no more than a server may have of that."""
    if not pool.is_unified or pool.available is None or host.available is None:
        return pool
    return replace(pool, available=min(pool.available, host.available))


def whole(facts: Facts, backend: str) -> tuple[Pool, ...]:
    """The memory of the host when nothing runs on it.

    Main memory counts in whole GiB, as it is sold: what the kernel says changes by some MiB from
    boot to boot, and a context that changed with it would restart servers.
    """
    total = facts.memory.total
    total = None if total is None else -(-total // GIB) * GIB
    quiet = replace(
        facts,
        memory=replace(facts.memory, total=total, available=total),
        gpus=tuple(replace(gpu, memory_free=gpu.memory_total) for gpu in facts.gpus),
        builds=tuple(
            replace(build, devices=tuple(replace(each, free=each.total) for each in build.devices))
            for build in facts.builds
        ),
    )
    return room.pools(quiet, backend)


def taken(case: Case, others: tuple[Case, ...], facts: Facts, backend: str, build: int | None) -> int:
    """Bytes that the host's other servers are left: what they need, and their part of the rest."""
    others = tuple(other for other in others if _meet(case, other))
    need = sum(_least(other, facts, backend, build) for other in others)
    growing = sum(1 for each in (case, *others) if each.server.context is None)
    if case.server.context is not None or growing < 2:
        return need
    pools = recommended(facts, backend)
    scarce = [pool for pool in pools if not pool.is_host] or pools
    have = sum(pool.available or 0 for pool in scarce)
    rest = max(0, have - need - _least(case, facts, backend, build))
    return need + rest * (growing - 1) // growing


def _meet(one: Case, other: Case) -> bool:
    """Whether they may lie on the same device."""
    mine, its = wished(one.server).devices, wished(other.server).devices
    return mine is None or its is None or not mine or not its or bool(set(mine) & set(its))


def _least(case: Case, facts: Facts, backend: str, build: int | None) -> int:
    """Bytes that another server of the host needs at least."""
    if not case.layout.formula:
        return case.layout.sums.total + case.extra.weights
    wanted = wished(case.server, cache_ram(facts) * MIB)
    if wanted.context is None:
        wanted = replace(wanted, context=min(ENOUGH, case.layout.trained or ENOUGH))
    model = Model(case.layout, wanted, build=build, reordered=reordered(facts, backend))
    placed = placement.whole(model, whole(facts, backend))
    return (sum(use.total for use in placed.devices) or placed.host.total) + case.extra.bytes(wanted)
