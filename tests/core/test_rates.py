"""Rates, hours and shares, with the clock as a value."""

import pytest

from fleet.core.rates import Quiet, Shares, allowed, quiet, rate

MB = 10**6


@pytest.mark.parametrize(
    ("text", "bytes_a_second"),
    [("50M", 50 * MB), ("50 MB/s", 50 * MB), ("48MiB/s", 48 << 20), ("400Mbit/s", 50 * MB), ("1.5k", 1500)],
)
def test_a_rate_is_bytes_a_second(text, bytes_a_second):
    assert rate(text) == bytes_a_second


@pytest.mark.parametrize("text", ["", "fast", "-5M", "0", "10", "5 i", "5T", "50M; rm"])
def test_what_is_no_rate_is_refused(text):
    with pytest.raises(ValueError, match="should be"):
        rate(text)


def test_quiet_hours_go_over_midnight():
    hours = quiet("22:00-06:00 20M")
    assert hours == Quiet(22 * 60, 6 * 60, 20 * MB)
    assert [hours.holds(at * 60) for at in (21, 22, 0, 5, 6)] == [False, True, True, True, False]


@pytest.mark.parametrize("text", ["", "22-06 20M", "22:00-24:00 20M", "22:00-06:00", "08:00-08:00 1M"])
def test_what_is_no_hours_is_refused(text):
    with pytest.raises(ValueError, match="should be"):
        quiet(text)


def test_the_lower_rate_counts_while_it_holds():
    hours = quiet("08:00-18:00 20M")
    assert allowed(50 * MB, hours, 9 * 60) == 20 * MB
    assert allowed(50 * MB, hours, 19 * 60) == 50 * MB
    assert allowed(None, hours, 19 * 60) is None


def test_pieces_are_let_through_at_the_rate():
    shares, now = Shares(), 100.0
    for _ in range(50):
        shares.ask("a", MB)
    while shares:
        now += shares.wait(now)
        shares.pop(now, 10 * MB)
    assert now + shares.wait(now) - 100.0 == pytest.approx(5.0, abs=0.11)


def test_hosts_share_equally_whatever_the_size_of_their_pieces_and_whoever_came_first():
    shares, now, sent, owners = Shares(), 0.0, {"a": 0, "b": 0}, {}
    sizes = {"a": 300_000, "b": 70_000}

    def ask(owner):
        owners[shares.ask(owner, sizes[owner])] = owner

    for _ in range(4):  # four streams to a, before b has one
        ask("a")
    ask("b")
    while sum(sent.values()) < 50 * MB:
        now += shares.wait(now)
        owner = owners.pop(shares.pop(now, MB))
        sent[owner] += sizes[owner]
        ask(owner)
    assert sent["a"] == pytest.approx(sent["b"], rel=0.05)


def test_what_one_host_leaves_is_for_the_others():
    shares, now = Shares(), 0.0
    for _ in range(10):
        shares.ask("a", MB)
    while shares:
        now += shares.wait(now)
        shares.pop(now, MB)
    shares.ask("b", MB)
    assert shares.wait(now) <= 1.0
