"""What really reaches a terminal: bytes of a real process on a pseudo-terminal."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.tui import Terminal, story
from fleet.core.errors import UsageError
from fleet.tui.options import Options, check_terminal, environment, is_utf8

# A title, a colour of its own, bidirectional and C1 controls, as the hostile story sends them.
RAW = ("\x1b]0;", "b\x1b[31mc", "\u202e", "\x9b", "owned\x07")


@pytest.fixture
def opened() -> Iterator[list[Terminal]]:
    terminals: list[Terminal] = []
    yield terminals
    for terminal in terminals:
        terminal.close()


def test_hostile_text_never_reaches_the_terminal_raw(opened):
    terminal = story("--hosts", "3", "--hostile", "--clock", "1790000000", size=(140, 40))
    opened.append(terminal)
    terminal.wait_for("rtx4070")
    terminal.read(1.0)
    for keys in ("G", "\r", "3", "\r", "?", "q", "1", "/"):
        terminal.write(keys)
        terminal.read(0.4)
    for _ in range(60):
        if "漢字".encode() in terminal.said and b"[red]" in terminal.said:
            break
        terminal.read(0.5)
    said = terminal.said.decode("utf-8", "replace")
    assert "漢字" in said
    assert "[red]" in said
    for text in RAW:
        assert text not in said


def test_nothing_is_sent_while_nothing_changes(opened):
    terminal = story("--hosts", "20", "--share", "0", "--calm", "--past", "90", "--clock", "1790000000")
    opened.append(terminal)
    terminal.wait_for("GEN t/s")
    quiet: list[int] = []
    while quiet[-3:] != [0, 0, 0]:
        assert len(quiet) < 60, quiet
        quiet.append(len(terminal.read(1.1)))


def test_a_fifth_of_300_hosts_changing_costs_less_than_4_kilobytes_a_second(opened):
    terminal = story("--hosts", "300", "--share", "0.2", "--calm", "--past", "90")
    opened.append(terminal)
    terminal.wait_for("GEN t/s")
    terminal.read(6.0)
    # on a busy machine the first pictures are drawn later, and each is larger than what changes
    assert any(len(terminal.read(5.0)) <= 5 * 4000 for _ in range(4))


def test_no_color_sends_no_colours_and_slow_no_mouse(opened):
    terminal = story("--hosts", "12", "--slow", environ={"NO_COLOR": "1"})
    opened.append(terminal)
    terminal.wait_for("GEN t/s")
    terminal.write("T3?")
    terminal.read(2.0)
    said = terminal.said.decode("utf-8", "replace")
    assert "38;2" not in said
    assert "48;2" not in said
    assert not re.search(r"\x1b\[[0-9;]*\b3[1-6]m", said)
    assert "1003h" not in said


@pytest.mark.parametrize(("flag", "is_there"), [("--no-mouse", False), ("--ascii", True)])
def test_the_mouse_is_reported_unless_it_is_turned_off(opened, flag, is_there):
    terminal = story("--hosts", "3", flag)
    opened.append(terminal)
    terminal.wait_for("GEN t/s")
    assert (b"1003h" in terminal.said) is is_there


def test_without_a_terminal_it_refuses_and_names_what_works():
    done = subprocess.run(
        [sys.executable, "-m", "fleet.tui.play"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "fleet status --watch --plain" in done.stderr


@pytest.mark.parametrize(
    ("stdin", "stdout", "term"),
    [(False, True, "xterm"), (True, False, "xterm"), (True, True, "dumb"), (True, True, "")],
)
def test_what_is_no_terminal_is_refused_with_exit_2(stdin, stdout, term):
    with pytest.raises(UsageError) as caught:
        check_terminal(stdin, stdout, {"TERM": term})
    assert caught.value.exit_code == 2
    assert caught.value.next == "fleet status --watch --plain"


def test_a_terminal_is_not_refused():
    check_terminal(True, True, {"TERM": "xterm"})


def test_slow_and_no_color_force_an_ansi_theme():
    assert Options(slow=True, theme="nord").theme_name == "ansi-dark"
    assert Options(no_color=True, theme="nord").theme_name == "ansi-dark"
    assert Options(theme="nord").theme_name == "nord"
    assert environment(Options(slow=True))["TEXTUAL_FPS"] == "10"
    assert environment(Options())["TEXTUAL_ANIMATIONS"] == "none"


@pytest.mark.parametrize(
    ("environ", "is_wide"),
    [({"LANG": "de_DE.UTF-8"}, True), ({"LC_ALL": "C", "LANG": "C.UTF-8"}, False), ({}, False)],
)
def test_the_locale_decides_what_may_be_drawn(environ, is_wide):
    assert is_utf8(environ) is is_wide


def test_the_door_costs_no_textual_until_it_is_opened():
    code = (
        "import fleet.tui.launch, fleet.tui.feed, sys; sys.exit(bool({'textual', 'rich'} & set(sys.modules)))"
    )
    root = Path(__file__).resolve().parents[2]
    environ = {**os.environ, "PYTHONPATH": str(root)}
    done = subprocess.run([sys.executable, "-c", code], cwd=root, env=environ, check=False)
    assert done.returncode == 0
