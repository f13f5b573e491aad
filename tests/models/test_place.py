"""Which servers go on which hosts, and what must go."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as some

from fleet.models.place import Option, Want, propose

GIB = 2**30
ROOMS = {
    ("rtx", "CUDA0"): 10 * GIB,
    ("rtx", "host"): 20 * GIB,
    ("mac", "MTL0"): 24 * GIB,
    ("mac", "host"): 30 * GIB,
}


def on_rtx(size: float, change: str | None = None) -> Option:
    return Option("rtx", {"CUDA0": int(size * GIB), "host": GIB}, 80.0, change)


def on_mac(size: float, change: str | None = None) -> Option:
    """Unified memory: what the GPU holds is main memory's too."""
    return Option("mac", {"MTL0": int(size * GIB), "host": int((size + 1) * GIB)}, 40.0, change)


def want(server: str, *options: Option, lack: str | None = None) -> Want:
    return Want(server, tuple(dict.fromkeys(one.host for one in options)), options, lack)


def test_what_fits_stays_on_all_its_hosts() -> None:
    found = propose([want("chat", on_rtx(5), on_mac(5)), want("embed", on_rtx(1))], ROOMS)
    assert [(choice.server, choice.option.host) for choice in found.chosen] == [
        ("chat", "rtx"),
        ("chat", "mac"),
        ("embed", "rtx"),
    ]
    assert found.gone == ()
    assert found.is_proven
    assert found.left["rtx", "CUDA0"] == 4 * GIB


def test_a_server_makes_room_for_one_that_can_go_nowhere_else() -> None:
    found = propose([want("chat", on_rtx(6), on_mac(6)), want("code", on_rtx(8))], ROOMS)
    assert [option.host for option in found.of("chat")] == ["mac"]
    assert [option.host for option in found.of("code")] == ["rtx"]


def test_what_must_go_is_the_least_and_the_later_of_the_inventory() -> None:
    found = propose([want(name, on_rtx(6)) for name in ("chat", "code", "vision")], ROOMS)
    assert [choice.server for choice in found.chosen] == ["chat"]
    assert [one.server for one in found.gone] == ["code", "vision"]
    assert found.is_proven
    assert "chat, code, vision can only go on rtx: they need 18.0 GiB at least, 10.0 GiB" in found.gone[0].why


def test_one_large_server_goes_rather_than_two_small_ones() -> None:
    found = propose([want("large", on_rtx(9)), want("a", on_rtx(5)), want("b", on_rtx(5))], ROOMS)
    assert [one.server for one in found.gone] == ["large"]


def test_a_change_is_proposed_only_where_nothing_fits_as_wished() -> None:
    packed = on_rtx(4, 'kv_type = "q8_0"')
    roomy = propose([want("chat", on_rtx(6), packed)], ROOMS)
    tight = propose([want("chat", on_rtx(6), packed), want("code", on_rtx(6))], ROOMS)
    assert [option.change for option in roomy.of("chat")] == [None]
    assert [option.change for option in tight.of("chat")] == ['kv_type = "q8_0"']
    assert tight.gone == ()


def test_a_gpu_of_unified_memory_takes_main_memory_too() -> None:
    busy = Option("mac", {"host": 10 * GIB}, 10.0)
    found = propose([want("chat", on_mac(22)), want("cpu", busy)], ROOMS)
    assert [one.server for one in found.gone] == ["cpu"]


def test_a_server_too_large_for_every_host_is_told_the_bytes() -> None:
    (gone,) = propose([want("giant", on_rtx(40))], ROOMS).gone
    assert "it alone is too large for every host it may go on: 40.0 GiB of CUDA0 on rtx, 10.0 GiB" in gone.why


def test_a_server_without_options_keeps_the_reason() -> None:
    (gone,) = propose([want("chat", lack="rtx did not answer")], ROOMS).gone
    assert gone.why == "rtx did not answer"


def test_where_the_search_is_cut_off_the_answer_is_not_called_proven() -> None:
    wants = [want(f"s{number}", on_rtx(1 + number / 7), on_mac(2 + number / 7)) for number in range(24)]
    found = propose(wants, ROOMS, most_steps=50)
    assert found.chosen
    assert not found.is_proven


def test_thirty_hosts_that_hold_everything_are_answered_at_once() -> None:
    rooms = {(f"h{number}", "CUDA0"): 10 * GIB for number in range(30)}
    options = [Option(f"h{number}", {"CUDA0": 6 * GIB}) for number in range(30)]
    found = propose([want(f"s{number}", *options) for number in range(30)], rooms)
    assert found.gone == ()
    assert len({option.host for choice in found.chosen for option in (choice.option,)}) == 30


def test_a_thousand_servers_are_placed_without_trying_all_ways() -> None:
    rooms = {(f"h{number}", "CUDA0"): 12 for number in range(40)}
    options = tuple(Option(f"h{number}", {"CUDA0": 3}) for number in range(40))
    found = propose([Want(f"s{number}", (), options) for number in range(1000)], rooms)
    assert len({choice.server for choice in found.chosen}) == 160
    assert not found.is_proven


sizes = some.lists(some.integers(1, 12), min_size=1, max_size=5)


@pytest.mark.parametrize("hosts", [1, 2])
@given(sizes=sizes)
def test_no_arrangement_by_hand_holds_more(hosts: int, sizes: list[int]) -> None:
    rooms = {(f"h{number}", "ram"): 12 for number in range(hosts)}
    wants = [
        want(f"s{number}", *(Option(f"h{host}", {"ram": size}) for host in range(hosts)))
        for number, size in enumerate(sizes)
    ]
    best = 0
    for places in product(range(hosts + 1), repeat=len(sizes)):
        used = [
            sum(size for size, at in zip(sizes, places, strict=True) if at == host) for host in range(hosts)
        ]
        if max(used) <= 12:
            best = max(best, sum(at < hosts for at in places))
    found = propose(wants, rooms)
    assert len({choice.server for choice in found.chosen}) == best
    assert all(size >= 0 for size in found.left.values())
