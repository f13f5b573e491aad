"""Values as a few cells, and cells that a terminal cannot be attacked with."""

import pytest
from rich.cells import cell_len

from fleet.tui import paint
from fleet.tui.text import Steady, age_text, gauge, gib_text, rate_text, short_text, span_text, spark

EVIL = "a\x1b]0;x\x07\x1b[31m\r\n\u202e[red]\x9b漢\u200b"


@pytest.mark.parametrize(
    ("rate", "text"),
    [(None, "--"), (0.0, "0.0"), (6.24, "6.2"), (99.96, "100"), (412.4, "412"), (41_234.0, "41 k")],
)
def test_rates_have_one_decimal_under_100(rate, text):
    assert rate_text(rate) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "--"), (0.0, "1s"), (1.9, "1s"), (2.0, "2s"), (99.0, "99s"), (240.0, "4m"), (90_000.0, "25h")],
)
def test_ages_fit_into_three_cells(seconds, text):
    assert age_text(seconds) == text


def test_spans_name_two_units():
    assert [span_text(n) for n in (5, 190, 7440, 187_200)] == ["5s", "3m10", "2h04", "2d4h"]


def test_bytes_are_gib_and_unknown_is_never_0():
    assert (gib_text(None), gib_text(22.1 * 2**30), short_text(4.7 * 2**30)) == ("--", "22.1", "4.7G")


def test_a_gap_in_history_is_a_gap_on_the_screen():
    assert spark((0.0, None, 8.0), False) == "▁ █"
    assert spark((0.0, None, 8.0), True) == "_ #"


def test_a_gauge_of_something_unknown_says_so():
    assert (gauge(0.5, 10), gauge(None, 6)) == ("[####----]", "[????]")


def test_the_last_digit_does_not_tremble():
    steady = Steady()
    assert [steady.value("h", "gen", value, 0.1) for value in (61.4, 61.45, 61.36, 61.6)] == [
        61.4,
        61.4,
        61.4,
        61.6,
    ]


def test_zero_is_shown_at_once():
    steady = Steady()
    assert [steady.value("h", "gen", value, 0.1) for value in (0.05, 0.0, 0.05)] == [0.05, 0.0, 0.05]


@pytest.mark.parametrize("text", ["plain", "漢字漢字", EVIL, "", "é" * 30, "x" * 50])
@pytest.mark.parametrize("width", [0, 1, 2, 5, 9, 40])
@pytest.mark.parametrize("align", ["left", "right"])
def test_a_cell_is_exactly_as_wide_as_its_column(text, width, align):
    assert cell_len(paint.fit(text, width, align)) == width


@pytest.mark.parametrize("width", [1, 7, 30])
def test_a_line_is_exactly_as_wide_as_the_screen(width):
    row = paint.segments(((EVIL, "bad"), ("漢字" * 9, "ok"), ("tail", "")), width, paint.ANSI)
    assert sum(cell_len(segment.text) for segment in row) == width


def test_what_is_drawn_holds_no_control_character():
    drawn = "".join(segment.text for segment in paint.segments(((EVIL, ""),), 60, paint.ANSI)) + paint.fit(
        EVIL, 60
    )
    assert all(letter.isprintable() for letter in drawn)
    assert "[red]" in drawn


def test_neighbours_of_one_tone_become_one_segment():
    assert len(paint.segments((("a", ""), ("b", ""), ("c", "ok"), ("d", "ok")), 4, paint.ANSI)) == 2
