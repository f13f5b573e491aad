"""Which hosts a selector means."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.core.errors import UsageError
from fleet.core.selectors import declared, is_on, select, split_server, without

HOSTS = {"gpu-1": ("gpu", "lab"), "gpu-2": ("gpu",), "mac": ("apple", "lab"), "pi": ()}
STATES = {"gpu-1": "ready", "gpu-2": "down", "mac": "ready"}
BACKENDS = {"gpu-1": "cuda", "gpu-2": "cuda", "mac": "metal"}
MODELS = {"gpu-1": {"qwen3-8b", "gemma"}, "mac": {"qwen3-14b"}}


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("mac", "mac"),
        ("gpu-*", "gpu-1 gpu-2"),
        ("gpu-[2-9]", "gpu-2"),
        ("@lab", "gpu-1 mac"),
        ("@*", "gpu-1 gpu-2 mac"),
        ("all", "gpu-1 gpu-2 mac pi"),
        ("", "gpu-1 gpu-2 mac pi"),
        ("pi,gpu-1", "gpu-1 pi"),
        ("pi gpu-1", "gpu-1 pi"),
        ("@gpu+@lab", "gpu-1"),
        ("@gpu+@lab,pi", "gpu-1 pi"),
        ("@lab+^mac", "gpu-1"),
        ("all,^mac", "gpu-1 gpu-2 pi"),
        ("^mac", "gpu-1 gpu-2 pi"),
        ("^mac all", "gpu-1 gpu-2 pi"),
        ("^@gpu", "mac pi"),
        ("state:down", "gpu-2"),
        ("^state:down", "gpu-1 mac pi"),
        ("backend:cuda", "gpu-1 gpu-2"),
        ("backend:cuda+state:ready", "gpu-1"),
        ("model:qwen*", "gpu-1 mac"),
    ],
)
def test_a_selector_means_hosts_in_order_of_the_inventory(typed: str, meant: str) -> None:
    found = select(typed.split(), HOSTS, states=STATES, backends=BACKENDS, models=MODELS)
    assert " ".join(found) == meant


@pytest.mark.parametrize(
    ("typed", "what", "remedy"),
    [
        ("mca", "no host called 'mca'", "one of: mac"),
        ("gpu-3", "no host called 'gpu-3'", "one of: gpu-2, gpu-1"),
        ("MAC", "no host matches 'MAC'", "one of: mac"),
        ("x*", "no host matches 'x*'", "one of: gpu-1, gpu-2, mac"),
        ("mac,^mca", "no host called 'mca'", "one of: mac"),
        ("mac,^mac", "no host matches 'mac,^mac'", None),
        ("@gpu+mac", "no host matches '@gpu+mac'", None),
        ("@gqu", "no host has the tag '@gqu'", "one of: @gpu"),
        ("state:up", "no state called 'up'", None),
        ("state:asleep", "no host matches 'state:asleep'", None),
        ("colour:red", "no selector called 'colour:'", "one of: backend:, model:, state:"),
        ("mac,", "an empty selector", None),
        ("--help", "no host matches '--help'", None),
        ("a\x1b[31m", "no host matches 'a\ufffd[31m'", None),
    ],
)
def test_nothing_found_is_an_error_that_names_the_nearest(typed: str, what: str, remedy: str | None) -> None:
    with pytest.raises(UsageError) as wrong:
        select([typed], HOSTS, states=STATES, backends=BACKENDS, models=MODELS)
    assert wrong.value.what == what
    assert wrong.value.exit_code == 2
    assert wrong.value.next
    if remedy is not None:
        assert wrong.value.next == remedy


def test_a_state_needs_hosts_that_were_asked() -> None:
    with pytest.raises(UsageError, match="needs hosts that were asked"):
        select(["state:down"], HOSTS)


def test_without_hosts_all_is_nobody_and_a_name_is_an_error() -> None:
    assert select([], {}) == ()
    with pytest.raises(UsageError) as wrong:
        select(["mac"], {})
    assert wrong.value.next == "fleet host add NAME ADDRESS"


@pytest.mark.parametrize("on", [["@gpu"], ["all", "^pi"], ["gpu-*,mac", "^gpu-1"], ["^@lab"]])
def test_where_a_server_is_declared_is_the_same_asked_from_either_side(on: list[str]) -> None:
    assert declared(on, HOSTS) == tuple(host for host, tags in HOSTS.items() if is_on(on, host, tags))


def test_a_selector_can_be_rid_of_a_host() -> None:
    assert without("mac", "mac") is None
    assert without("^mac", "mac") is None
    assert without("mac,pi", "mac") == "pi"
    assert without("@mac", "mac") == "@mac"


def test_a_server_may_be_named_with_its_host() -> None:
    assert split_server("chat@rtx") == ("chat", "rtx")
    assert split_server("chat") == ("chat", None)
    for wrong in ("@rtx", "chat@", "chat@all", "a@b@c", "Chat", ""):
        with pytest.raises(UsageError):
            split_server(wrong)


@settings(max_examples=150)
@given(st.lists(st.text("abgpu-12@^+,:*?[]!all ", max_size=12) | st.text(max_size=6), max_size=4))
def test_whatever_is_typed_hosts_or_a_usage_error_come_out(items: list[str]) -> None:
    try:
        found = select(items, HOSTS, states=STATES, backends=BACKENDS, models=MODELS)
    except UsageError as wrong:
        assert wrong.next
    else:
        assert found
        assert list(found) == [host for host in HOSTS if host in found]
