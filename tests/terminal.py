"""Ends of commands, as a person at a terminal sees them."""

import socket

from tests.controller import Ended
from tests.printed import parse


def closed_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def says(ended: Ended, code: int, *words: str) -> None:
    """The exit code, the words on standard error, a next command that can be typed, no traceback."""
    assert ended.code == code, ended
    assert "Traceback" not in ended.err, ended
    for word in words:
        assert word in ended.err, ended
    assert code == 0 or "-> next: " in ended.err, ended
    for line in ended.err.splitlines():
        if line.startswith("-> next: fleet "):
            parse(line.removeprefix("-> next: ").partition(", ")[0])
