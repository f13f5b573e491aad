"""What a filter text means."""

import pytest

from fleet.core.events import ServerSampled
from fleet.core.state import HostState, ServerState
from fleet.tui.filters import matcher

SAMPLE = ServerSampled(ts=1.0, run="c", host="gpu-1", server="chat", state="busy", model="qwen3-8b")
HOST = HostState("gpu-1", tags=("lab",), backend="cuda", servers={"chat": ServerState(SAMPLE, 1.0)})


@pytest.mark.parametrize(
    ("text", "is_shown"),
    [
        ("", True),
        ("gpu", True),
        ("GPU-[0-9]", True),
        ("mac", False),
        ("!mac", True),
        ("!gpu", False),
        ("state:busy", True),
        ("state:down", False),
        ("!state:down", True),
        ("backend:cuda", True),
        ("model:qwen", True),
        ("@lab", True),
        ("@home", False),
        ("chat", True),
        ("a(", False),
    ],
)
def test_a_filter_shows_or_hides(text, is_shown):
    test, _ = matcher(text)
    assert test(HOST, "busy") is is_shown


def test_a_broken_expression_is_taken_literally_and_said():
    _, problem = matcher("a(")
    assert problem is not None
    assert "literally" in problem
