"""Which columns fit."""

import pytest

from fleet.tui.columns import BY_KEY, HOST, at, head, layout


def keys(width, names=("rtx",), **more):
    return [column.key for column in layout(width, names, **more)]


def test_80_columns_show_what_the_person_on_call_needs():
    assert keys(80) == ["host", "state", "backend", "model", "gen", "slots", "q", "kv", "mem", "age"]


def test_110_columns_add_memory_temperature_and_history():
    assert set(keys(110)) - set(keys(80)) == {"ram", "temp", "history"}


def test_below_80_columns_are_dropped_from_the_right():
    wide = keys(80)
    for width in range(60, 80):
        assert keys(width) == wide[: len(keys(width))]


def test_below_60_only_host_state_and_speed_are_left():
    assert keys(59) == keys(40) == ["host", "state", "gen"]


@pytest.mark.parametrize("width", [*range(1, 260, 3)])
@pytest.mark.parametrize("name", ["rtx", "a-host-with-a-very-long-name.example.org"])
def test_no_layout_is_wider_than_the_screen(width, name):
    assert sum(column.width + 1 for column in layout(width, (name,))) <= width


def test_a_long_host_name_takes_from_the_model():
    narrow, long = layout(80, ("rtx",)), layout(80, ("gpu-node-0123456",))
    assert long[0].width > narrow[0].width
    assert [column.key for column in long] == [column.key for column in narrow]


def test_chosen_columns_come_instead():
    assert keys(80, wanted=("host", "disk", "swap")) == ["host", "disk", "swap"]


def test_the_host_stays_while_the_others_scroll():
    assert keys(80, skip=2)[:2] == ["host", "model"]


def test_the_sorted_column_has_an_arrow():
    (text, _) = head(layout(80, ("rtx",)), "gen", True, True)[0]
    assert "GEN t/s v" in text


def test_a_click_finds_its_column():
    columns = layout(80, ("rtx",))
    assert at(columns, 1) == "host"
    assert at(columns, 79) == "age"
    assert at(columns, 200) is None


def test_every_column_has_a_title():
    assert len(BY_KEY) == len(HOST)
