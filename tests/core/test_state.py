"""What events add up to."""

from fleet.core import ages
from fleet.core.events import (
    Connected,
    Event,
    Heartbeat,
    HostDone,
    HostFailed,
    LinkLost,
    Measured,
    Notice,
    Sampled,
    ServerSampled,
    StepFailed,
)
from fleet.core.snapshot import dump, load
from fleet.core.state import BUCKET, LOG, History, Known, State, beginning, reduce, reduce_all

KNOWN = (Known("rtx", servers=("chat",)), Known("mac"))


def told(*events: Event, known: tuple[Known, ...] = KNOWN) -> State:
    return reduce_all(beginning(known), events)


def beat(ts: float, host: str = "rtx") -> Heartbeat:
    return Heartbeat(ts=ts, run="c", host=host)


def serving(ts: float, host: str = "rtx", **values: object) -> ServerSampled:
    given = {"server": "chat", "state": "busy", "generation_tps": 50.0} | values
    return ServerSampled(ts=ts, run="c", host=host, **given)  # type: ignore[arg-type]


def test_reducing_leaves_the_old_state_as_it_was():
    before = told(beat(1.0))
    after = reduce(before, beat(2.0))
    assert before.hosts["rtx"].seen == 1.0
    assert after.hosts["rtx"].seen == 2.0
    assert after.hosts["mac"] is before.hosts["mac"]


def test_events_one_by_one_and_all_at_once_add_up_to_the_same():
    events = [
        beat(1.0),
        serving(1.0),
        LinkLost(ts=2.0, run="c", host="rtx", message="gone"),
        beat(3.0, "mac"),
    ]
    state = beginning(KNOWN)
    for event in events:
        state = reduce(state, event)
    assert state == told(*events)


def test_a_host_that_is_not_in_the_inventory_is_shown_too():
    assert "new" in told(beat(1.0, "new")).hosts


def test_a_sign_of_life_ends_the_errors_of_the_link():
    state = told(
        HostFailed(ts=1.0, run="c", host="rtx", kind="unreachable", message="timeout", next="doctor rtx")
    )
    assert state.hosts["rtx"].error is not None
    assert reduce(state, beat(2.0)).hosts["rtx"].error is None


def test_a_sign_of_life_does_not_hide_that_a_step_failed():
    failed = StepFailed(
        ts=1.0,
        run="d",
        host="rtx",
        step="s",
        phase="build",
        done=0,
        total=1,
        kind="step",
        message="no",
        next=None,
    )
    state = reduce(told(failed), beat(2.0))
    assert state.hosts["rtx"].error is not None
    assert reduce(state, HostDone(ts=3.0, run="d", host="rtx", changed=True)).hosts["rtx"].error is None


def test_the_log_of_a_host_is_a_ring_and_samples_are_not_in_it():
    state = told(*(Notice(ts=n, run="c", host="rtx", message=str(n)) for n in range(200)), beat(201.0))
    assert len(state.hosts["rtx"].log) == LOG
    assert state.hosts["rtx"].log[-1].ts == 199


def test_history_fills_cells_and_leaves_gaps():
    history = History()
    for at, value in ((100.0, 10.0), (101.0, 20.0), (100.0 + 4 * BUCKET, 30.0)):
        history = history.add(at, value)
    assert history.cells(5, 100.0 + 4 * BUCKET) == (15.0, None, None, None, 30.0)


def test_history_moves_on_while_nothing_is_measured():
    history = History().add(100.0, 10.0)
    assert history.cells(3, 100.0 + 3 * BUCKET) == (10.0, None, None)


def test_a_cell_that_has_just_begun_is_no_gap():
    history = History().add(100.0, 10.0)
    assert history.cells(2, 100.0 + BUCKET) == (None, 10.0)


def test_one_cell_without_a_look_is_no_gap():
    history = History().add(100.0, 10.0).add(100.0 + 2 * BUCKET, 20.0)
    assert history.cells(3, 100.0 + 2 * BUCKET) == (10.0, 10.0, 20.0)


def test_history_is_bounded():
    history = History()
    for number in range(1000):
        history = history.add(number * BUCKET + 1, 1.0)
    assert len(history.past) == 240


def test_what_was_measured_is_kept_beside_the_samples():
    measured = Measured(ts=2.0, run="m", host="rtx", server="chat", generation_tps=61.0, ttft=0.2)
    server = told(measured, serving(3.0)).hosts["rtx"].servers["chat"]
    assert server.measured == measured
    assert server.seen == 3.0


def test_the_interval_between_looks_at_a_server_is_learned_and_bounded():
    state = told(serving(1.0), serving(6.0))
    assert state.hosts["rtx"].servers["chat"].interval == 5.0
    state = reduce(state, serving(500.0))
    assert state.hosts["rtx"].servers["chat"].interval == 5.0
    assert reduce(state, serving(501.0)).hosts["rtx"].servers["chat"].interval == 1.0


def test_several_servers_of_a_host_add_up():
    state = told(beat(1.0), serving(1.0), serving(1.0, server="code", generation_tps=11.0))
    assert ages.speed(state.hosts["rtx"], 1.0, 1.0) == 61.0


def test_a_snapshot_comes_back_as_old_as_it_is():
    state = told(Connected(ts=9.0, run="c", host="rtx", seconds=0.1), beat(10.0), serving(10.0))
    state = reduce(state, Sampled(ts=10.0, run="c", host="rtx", memory_used=5, memory_total=10))
    back = load(dump(state), KNOWN)
    host = back.hosts["rtx"]
    assert host.seen == 10.0
    assert host.sample is not None
    assert host.sample.memory_used == 5
    assert host.servers["chat"].sample == serving(10.0)
    assert ages.host_word(host, 10_000.0, 1.0) == "stale"
    assert ages.host_word(back.hosts["mac"], 10_000.0, 1.0) == "unknown"


def test_a_snapshot_that_cannot_be_read_is_no_snapshot():
    for text in ("", "{", "[]", '{"schema": "fleet.snapshot/1", "hosts": [{"name": "rtx"}, 5, null]}'):
        assert load(text, KNOWN) == beginning(KNOWN)


def test_hosts_that_left_the_inventory_are_not_brought_back_by_a_snapshot():
    assert set(load(dump(told(beat(1.0, "old"))), KNOWN).hosts) == {"rtx", "mac"}
