"""Slow is not wedged: what counters and CPU time say together."""

import os
from dataclasses import replace

import pytest

from fleet.core.facts import Slot
from fleet.watch.progress import CPU, Progress, cpu_seconds
from tests.platforms.shells import SHELLS, told

BUSY = Slot(0, 7, True, 60, 5, 65, 2048)


def standing(seconds: int, cpu: float, gpu: float | None = None, is_silent: bool = False) -> Progress:
    """A busy server that was looked at each second and did not move; `cpu` is its share of a core."""
    progress = Progress()
    progress.slots(0, (BUSY,))
    for now in range(1, seconds + 1):
        progress.silent(now) if is_silent else progress.slots(now, (BUSY,))
        if progress.wants_reading(now):
            progress.read(now, 100 + now * cpu, gpu)
    return progress


@pytest.mark.parametrize("is_silent", [False, True])
def test_one_that_stands_still_and_computes_nothing_is_wedged_within_a_minute(is_silent):
    progress = standing(46, cpu=0.001, is_silent=is_silent)
    word, reason = progress.judged(46, "busy", None, is_silent)
    assert word == "wedged" and "46 s" in reason
    assert not standing(44, cpu=0.001).is_wedged(44)


def test_one_that_computes_is_never_wedged_and_stays_busy_while_it_is_silent():
    for progress in (standing(3600, cpu=0.9), standing(3600, cpu=0.0, gpu=0.5)):
        assert progress.judged(3600, "busy", None, False) == ("busy", None)
        word, reason = progress.judged(3600, "degraded", "no answer", True)
        assert word == "busy" and "3600 s" in reason


def test_one_that_moves_again_was_not_wedged():
    progress = standing(100, cpu=0.0)
    assert progress.is_wedged(100)
    progress.slots(101, (replace(BUSY, decoded=61),))
    assert not progress.is_wedged(101) and progress.judged(101, "busy", None, False) == ("busy", None)


def test_one_with_nothing_to_do_does_not_stand_still():
    progress = standing(100, cpu=0.0)
    progress.slots(101, (replace(BUSY, is_processing=False),))
    assert progress.since is None and not progress.wants_reading(500)


def test_where_its_work_cannot_be_read_nothing_is_claimed():
    progress = standing(40, cpu=0.0)
    progress.read(50, None, None)
    assert not progress.is_wedged(100)


@pytest.mark.parametrize("shell", SHELLS)
def test_the_work_of_a_process_is_read_in_every_shell(shell, tmp_path):
    said = told(shell, tmp_path, CPU, PID=str(os.getpid()))
    assert 0 < cpu_seconds(said) < 1e6
    assert cpu_seconds(told(shell, tmp_path, CPU, PID="999999999")) is None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("ticks 1234 100", 12.34),
        ("time   3:27.86", 207.86),
        ("time 01:02:03", 3723.0),
        ("time 2-01:00:00", 176400.0),
        ("time ", None),
        ("ticks 5 0", None),
        ("\x1b[2J", None),
        ("", None),
    ],
)
def test_cpu_time_is_read_as_ps_and_proc_print_it(text, seconds):
    assert cpu_seconds(text) == seconds
