"""Tables that people read."""

from fleet.core.render import WIDTH, shortened, table, wrapped

NAME = "rack-7-" + "a" * 46 + "-gpu-01"


def test_a_table_that_fits_is_left_as_it_is() -> None:
    assert table(("HOST", "STATE"), [("a", "ready")], WIDTH) == ["HOST  STATE", "a     ready"]


def test_a_wide_table_loses_the_middle_of_its_longest_cells_and_no_short_one() -> None:
    other = NAME[:-1] + "2"
    lines = table(("HOST", "SERVER", "STATE"), [(NAME, NAME, "ready"), (other, "chat", "down")], WIDTH)
    assert max(map(len, lines)) <= WIDTH
    assert lines[1].endswith("ready")
    assert lines[1].split()[0] != lines[2].split()[0]
    assert lines[2].split()[1] == "chat"


def test_a_shortened_name_keeps_both_ends() -> None:
    assert shortened("gpu-01", 6) == "gpu-01"
    assert shortened("rack-7-gpu-01", 9) == "rac..u-01"


def test_a_wrapped_sentence_never_cuts_a_name() -> None:
    lines = wrapped(f"{NAME}: {NAME} failed: exit 1")
    assert max(map(len, lines)) <= WIDTH
    assert " ".join(line.strip() for line in lines) == f"{NAME}: {NAME} failed: exit 1"
