"""How a server does, read from its own answers."""

from dataclasses import replace
from pathlib import Path

import pytest

from fleet.core.errors import ProbeError
from fleet.core.facts import Slot
from fleet.servers.slots import Rate, health, is_sleeping, parse_slots, props, rate

HTTP = Path(__file__).parent / "recordings" / "http"
BUSY = Slot(0, 78, True, 60, 5, 65, 2048)
IDLE = Slot(1, None, False, None, None, None, 2048)


def answer(name):
    head, _, body = (HTTP / f"{name}.http").read_text().partition("\n\n")
    return int(head.split()[1]), body.encode()


def test_slots_that_never_worked_know_only_their_size():
    found = parse_slots(answer("slots_idle")[1])
    assert found == tuple(Slot(number, None, False, None, None, None, 2048) for number in range(4))


def test_a_busy_slot_says_its_task_and_how_far_it_is():
    first, *others = parse_slots(answer("slots_busy")[1])
    assert (first.id, first.task, first.is_processing, first.decoded, first.prompt) == (0, 78, True, 60, 5)
    assert first.held == 66
    assert not any(slot.is_processing for slot in others)


@pytest.mark.parametrize("name", ["err_slots_disabled", "err_401_slots", "err_404", "props"])
def test_what_is_no_list_of_slots_is_an_error(name):
    with pytest.raises(ProbeError):
        parse_slots(answer(name)[1])


@pytest.mark.parametrize(
    ("name", "sleeps"), [("props_sleeping", True), ("props_awake", False), ("props", False)]
)
def test_props_say_whether_it_sleeps(name, sleeps):
    assert is_sleeping(answer(name)[1]) is sleeps
    assert props(answer(name)[1]).context == 2048 or sleeps


@pytest.mark.parametrize(
    ("status", "body", "state"),
    [
        (*answer("health_ready"), "ready"),
        (*answer("health_busy"), "ready"),
        (*answer("health_sleeping"), "ready"),
        (503, b'{"error":{"message":"Loading model","type":"unavailable_error","code":503}}', "loading"),
        (200, b"<html>welcome</html>", "silent"),
        (200, b'{"status":"error"}', "silent"),
        (200, b"[1]", "silent"),
        (502, b"bad gateway", "silent"),
        (200, b"[" * 100000, "silent"),
    ],
)
def test_only_a_llama_server_is_ready(status, body, state):
    assert health(status, body) == state


def test_a_rate_is_the_difference_of_the_same_task():
    later = replace(BUSY, decoded=80, prompt=105)
    assert rate((BUSY, IDLE), (later, IDLE), 2.0) == Rate(10.0, 50.0)


def test_a_new_task_and_a_counter_that_fell_are_left_out():
    assert rate((BUSY,), (replace(BUSY, task=79, decoded=3),), 1.0) == Rate(None, None)
    assert rate((BUSY,), (replace(BUSY, decoded=3, prompt=5),), 1.0) == Rate(None, 0.0)


def test_idle_is_nought_and_unknown_is_none():
    assert rate((IDLE,), (IDLE,), 1.0) == Rate(0.0, 0.0)
    assert rate((IDLE,), (replace(IDLE, task=5, is_processing=True, decoded=9),), 1.0) == Rate(None, None)
    assert rate((BUSY,), (BUSY,), 0.0) == Rate(None, None)


def test_slots_add_up():
    two = replace(BUSY, id=1, task=80)
    after = (replace(BUSY, decoded=70), replace(two, decoded=90))
    assert rate((BUSY, two), after, 1.0).generation == 40.0


def test_a_count_that_no_server_reaches_is_unknown():
    def seen(decoded: str):
        return parse_slots(
            f'[{{"id":0,"id_task":1,"is_processing":true,"next_token":[{{"n_decoded":{decoded}}}]}}]'
        )

    assert rate(seen("0"), seen("1" + "0" * 400), 1.0).generation is None
