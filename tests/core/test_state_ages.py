"""How old a value may be, and the one word for a host."""

import pytest

from fleet.core import ages
from fleet.core.events import (
    Connected,
    Event,
    Heartbeat,
    HostFailed,
    LinkLost,
    Sampled,
    ServerSampled,
    StepStarted,
)
from fleet.core.state import HostState, Known, State, beginning, reduce_all


@pytest.mark.parametrize(
    ("age", "interval", "lost", "word"),
    [
        (None, 1.0, None, "unknown"),
        (0.0, 1.0, None, "fresh"),
        (2.0, 1.0, None, "fresh"),
        (2.1, 1.0, None, "aging"),
        (5.0, 1.0, None, "aging"),
        (5.1, 1.0, None, "stale"),
        (9.9, 5.0, None, "fresh"),
        (25.1, 5.0, None, "stale"),
        (59.0, 30.0, None, "fresh"),
        (60.1, 30.0, None, "stale"),
        (600.0, 1.0, None, "stale"),
        (600.1, 1.0, None, "down"),
        (6.0, 1.0, 1.0, "stale"),
        (20.0, 1.0, 5.0, "down"),
    ],
)
def test_the_age_of_a_value_decides_what_it_is_worth(age, interval, lost, word):
    assert ages.age_state(age, interval, lost) == word


def host(*events: Event, part_time: bool = False) -> HostState:
    return reduce_all(beginning([Known("rtx", part_time=part_time)]), events).hosts["rtx"]


def server(word: str, ts: float = 100.0, name: str = "chat") -> ServerSampled:
    return ServerSampled(ts=ts, run="c", host="rtx", server=name, state=word, generation_tps=5.0)


BEAT = Heartbeat(ts=100.0, run="c", host="rtx")
LOST = LinkLost(ts=103.0, run="c", host="rtx", message="no keepalive")
SWAPPING = Sampled(ts=100.0, run="c", host="rtx", swap_in=4e6)
STEP = StepStarted(ts=100.0, run="d", host="rtx", step="build", phase="build", done=0, total=2)


@pytest.mark.parametrize(
    ("events", "now", "word"),
    [
        ((), 100.0, "unknown"),
        ((BEAT,), 100.0, "ready"),
        ((BEAT, server("ready")), 101.0, "ready"),
        ((BEAT, server("ready"), server("busy", name="code")), 101.0, "busy"),
        ((BEAT, server("loading")), 101.0, "loading"),
        ((BEAT, server("busy"), server("wedged", name="code")), 101.0, "degraded"),
        ((BEAT, server("busy"), SWAPPING), 101.0, "swapping"),
        ((BEAT, server("sleeping"), SWAPPING), 101.0, "ready"),
        ((BEAT, STEP), 101.0, "deploying"),
        ((BEAT,), 106.0, "stale"),
        ((BEAT, LOST), 106.0, "stale"),
        ((BEAT, LOST), 120.0, "down"),
        ((BEAT, LOST, Heartbeat(ts=121.0, run="c", host="rtx")), 121.0, "ready"),
    ],
)
def test_the_state_of_a_host_is_one_word(events, now, word):
    assert ages.host_word(host(*events), now, 1.0) == word


def test_a_host_that_is_gone_is_stale_within_6_seconds_and_down_within_20():
    gone = host(BEAT, LOST)
    words = [ages.host_word(gone, 100.0 + second, 1.0) for second in range(25)]
    assert words.index("stale") <= 6
    assert words.index("down") <= 20


def test_a_part_time_host_that_is_absent_is_asleep_and_no_problem():
    never = HostFailed(ts=100.0, run="c", host="rtx", kind="unreachable", message="no route", next=None)
    assert ages.host_word(host(never, part_time=True), 101.0, 1.0) == "asleep"
    assert ages.host_word(host(BEAT, LOST, part_time=True), 130.0, 1.0) == "asleep"
    assert not ages.is_problem("asleep")


def test_a_host_that_was_never_reached_is_down():
    refused = HostFailed(ts=100.0, run="c", host="rtx", kind="auth", message="no key fits", next=None)
    assert ages.host_word(host(refused), 101.0, 1.0) == "down"


def fleet(*events: Event) -> State:
    return reduce_all(beginning([Known("a"), Known("b"), Known("c")]), events)


def test_stale_values_are_in_no_total_and_the_total_names_its_base():
    events = [
        event
        for name, ts in (("a", 100.0), ("b", 100.0), ("c", 50.0))
        for event in (
            Connected(ts=ts, run="c", host=name, seconds=0.1),
            ServerSampled(
                ts=ts, run="c", host=name, server="chat", state="busy", generation_tps=10.0, deferred=1
            ),
        )
    ]
    total = ages.totals(fleet(*events), 101.0)
    assert (total.generation, total.queued, total.base, total.hosts) == (20.0, 2, 2, 3)
    assert (total.ok, total.warn, total.down) == (2, 1, 0)


def test_a_total_of_nothing_known_is_unknown_and_not_0():
    total = ages.totals(fleet(), 101.0)
    assert (total.generation, total.queued, total.base) == (None, None, 0)


def test_a_server_is_never_fresher_than_its_host():
    gone = host(BEAT, server("busy", ts=119.0), LOST)
    state = gone.servers["chat"]
    assert ages.server_word(state, ages.freshness(gone, 120.0, 1.0), 120.0) == "down"
    assert ages.speed(gone, 120.0, 1.0) is None
