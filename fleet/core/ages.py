"""How old a value may be before it is doubted, and the one word that a state is."""

from collections.abc import Iterable
from dataclasses import dataclass

from fleet.core.state import HostState, ServerState, State

STALE_MOST = 60.0  # seconds
DOWN = 600.0  # seconds without a sample, the link being up
LOST = 19.0  # seconds without a sign of life, the link being gone; one below 20 for the tick

FRESH, AGING, STALE, GONE, NEVER = "fresh", "aging", "stale", "down", "unknown"
OK = frozenset({"ready", "busy", "loading", "deploying", "sleeping"})
WARN = frozenset({"degraded", "swapping", "stale", "wedged", "failed"})
BAD = frozenset({"down"})
UNWELL = frozenset({"failed", "wedged", "degraded"})


def age_state(age: float | None, interval: float, lost: float | None = None) -> str:
    """How much a value of that age is worth.

    Args:
        age: seconds since it was measured; None where it never was.
        interval: seconds between measurements.
        lost: seconds since the link broke; None while it is up.

    Returns:
        `fresh`, `aging` (shown with ~), `stale` (dim, in no total), `down` (not shown)
        or `unknown` (never measured).
    """
    if age is None:
        return NEVER
    if age > DOWN or (lost is not None and age >= LOST):
        return GONE
    if age > min(5 * interval, STALE_MOST):
        return STALE
    return AGING if age > 2 * interval else FRESH


def host_age(host: HostState, now: float) -> float | None:
    """Seconds since the host's last sign of life."""
    return None if host.seen is None else max(now - host.seen, 0.0)


def freshness(host: HostState, now: float, interval: float) -> str:
    """What the host's values are worth now; from an old snapshot they are stale, not down."""
    if host.lost is None and host.seen is not None and now - host.seen <= 2 * interval:
        return FRESH  # nearly always
    lost = None if host.lost is None else max(now - host.lost, 0.0)
    fresh = age_state(host_age(host, now), interval, lost)
    has_tried = host.linked or lost is not None or host.error is not None
    return fresh if has_tried or fresh in (NEVER, FRESH) else STALE


def server_freshness(server: ServerState, host: str, now: float) -> str:
    """The server's own; never better than the host's."""
    if host in (GONE, STALE):
        return host
    return age_state(None if server.seen is None else max(now - server.seen, 0.0), server.interval)


def host_word(host: HostState, now: float, interval: float) -> str:
    """The host's state as one word of the legend."""
    fresh = freshness(host, now, interval)
    absent = "asleep" if host.part_time else "down"
    if fresh == GONE:
        return absent
    if fresh == NEVER:
        return "unknown" if host.error is None else absent
    if fresh == STALE:
        return "stale"
    if host.job is not None:
        return "deploying"
    words = {s.sample.state for s in host.servers.values() if s.sample is not None}
    if words & UNWELL:
        return "degraded"
    is_serving = "busy" in words or "ready" in words
    if is_serving and host.sample is not None and (host.sample.swap_in or 0.0) > 0:
        return "swapping"
    if "busy" in words:
        return "busy"
    return "loading" if "loading" in words and not is_serving else "ready"


def server_word(server: ServerState, host: str, now: float) -> str:
    """A server's state; `host` is the freshness of the host it is on."""
    if server.sample is None:
        return "unknown"
    fresh = server_freshness(server, host, now)
    return fresh if fresh in (STALE, GONE) else server.sample.state


def speed(host: HostState, now: float, interval: float, which: str = "generation_tps") -> float | None:
    """Tokens/s of the host's servers together; None where none is known and recent."""
    fresh = freshness(host, now, interval)
    found = None
    for server in host.servers.values():
        if server.sample is None or server_freshness(server, fresh, now) in (STALE, GONE, NEVER):
            continue
        rate = getattr(server.sample, which)
        if rate is not None:
            found = rate + (found or 0.0)
    return found


def is_problem(word: str) -> bool:
    return word in WARN or word in BAD


@dataclass(frozen=True, slots=True)
class Totals:
    hosts: int
    ok: int
    warn: int
    down: int
    rest: int  # asleep, unknown, drained, stopped
    generation: float | None  # tokens/s
    prompt: float | None
    queued: int | None
    base: int  # hosts whose values are in the sums


def totals(state: State, now: float, words: Iterable[str] | None = None) -> Totals:
    """Sums over the hosts whose values are recent; stale ones are left out and not guessed."""
    hosts = state.hosts.values()
    said = list(words) if words is not None else [host_word(h, now, state.interval) for h in hosts]
    generation: float | None = None
    prompt: float | None = None
    queued: int | None = None
    base = 0
    for host, word in zip(hosts, said, strict=True):
        if word in ("stale", "down", "asleep", "unknown"):
            continue
        base += 1
        for server in host.servers.values():
            sample = server.sample
            if sample is None or server_freshness(server, FRESH, now) in (STALE, GONE):
                continue
            if sample.generation_tps is not None:
                generation = sample.generation_tps + (generation or 0.0)
            if sample.prompt_tps is not None:
                prompt = sample.prompt_tps + (prompt or 0.0)
            if sample.deferred is not None:
                queued = sample.deferred + (queued or 0)
    ok = sum(word in OK for word in said)
    warn = sum(word in WARN for word in said)
    down = sum(word in BAD for word in said)
    return Totals(len(said), ok, warn, down, len(said) - ok - warn - down, generation, prompt, queued, base)
