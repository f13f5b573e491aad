"""What a host answers about its servers."""

import pytest
from hypothesis import given
from hypothesis import strategies as some

from fleet.supervisors.instances import parse_instances

BLOCK = """server chat
release 0123456789ab
previous ba9876543210
supervisor systemd
key /r/services/chat/key
boot b1
listen /r/run/31e06f7d.sock
model qwen3-8b
backend cuda
pid 4242
running 0123456789ab
since 3600
proven yes
restarts 2
state running
exit 137
end
"""


def test_a_block_is_an_instance():
    (one,) = parse_instances(BLOCK)
    assert (one.server, one.release, one.previous) == ("chat", "0123456789ab", "ba9876543210")
    assert (one.state, one.is_proven, one.pid, one.since, one.restarts, one.exit_code) == (
        "running",
        True,
        4242,
        3600,
        2,
        137,
    )
    assert (one.listen, one.model, one.backend, one.supervisor) == (
        "/r/run/31e06f7d.sock",
        "qwen3-8b",
        "cuda",
        "systemd",
    )
    assert one.held is None


def test_half_a_block_is_no_instance():
    assert parse_instances(BLOCK + BLOCK.removesuffix("end\n")) == parse_instances(BLOCK)


def test_what_is_not_said_is_unknown():
    (one,) = parse_instances("server chat\nstate stopped\nend\n")
    assert (one.release, one.pid, one.since, one.restarts, one.exit_code, one.listen) == (None,) * 6
    assert (one.state, one.is_proven, one.supervisor) == ("stopped", False, "supervise")


def test_a_hold_without_a_reason_is_still_a_hold():
    (one,) = parse_instances("server chat\nheld \nend\n")
    assert one.held == ""


def test_a_log_is_data():
    (one,) = parse_instances(
        "server chat\nstate failed\nlog \x1b[31mred\x1b[0m\nlog end\nlog server x\nend\n"
    )
    assert one.log_tail == ("\ufffd[31mred\ufffd[0m", "end", "server x")


@pytest.mark.parametrize("number", ["-1", "1e3", "x", "9" * 40, "\u0665"])
def test_what_is_no_number_is_unknown(number):
    (one,) = parse_instances(f"server chat\nrestarts {number}\nend\n")
    assert one.restarts is None


@given(some.text())
def test_no_answer_makes_it_stumble(text):
    parse_instances(f"server x\n{text}\nend\n")


@pytest.mark.parametrize("name", ["../../../.bashrc.d/x", "/etc/cron.d/x", "a b", "$(id)", "-n", "all", ""])
def test_a_name_that_no_inventory_could_give_is_no_instance(name):
    assert parse_instances(f"server {name}\nstate running\nlisten /r/run/a.sock\nend\n") == ()


@pytest.mark.parametrize(
    "place", ["nonsense", "127.0.0.1:99999", "127.0.0.1:", "h:22", "1.2.3.4:²", "/" * 200]
)
def test_a_listener_that_nobody_can_connect_to_is_unknown(place):
    (one,) = parse_instances(f"server chat\nstate running\nlisten {place}\nend\n")
    assert one.listen is None
