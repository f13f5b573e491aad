"""How much memory a host has for one more model."""

from dataclasses import replace

import pytest

from fleet.core.facts import Build, Device, Gpu, Memory
from fleet.models.repack import Q4_K, Q6_K, reordered
from fleet.models.room import DRIVER_SHARE, MARGIN, pools
from tests.models.values import BARE, GIB, M3_MAX, MIB, MTL0, ORIN, RTX_4070, TWO_3090, nvidia


def test_a_host_without_a_device_has_main_memory_alone():
    (host,) = pools(BARE, "cpu")
    assert (host.name, host.available) == ("host", 28 * GIB - MARGIN)


def test_what_the_driver_keeps_of_a_card_is_not_there():
    card, _ = pools(RTX_4070, "cuda")
    # llama.cpp saw 11866 of 12282 MiB on this very card
    assert card.name == "CUDA0"
    assert abs(card.available - (11950 - 416 - 1024) * MIB) < MIB


def test_what_a_build_saw_of_a_card_is_better_than_a_rule():
    device = Device("CUDA0", "NVIDIA GeForce RTX 4070", 11903 * MIB, None)
    asked = replace(RTX_4070, builds=(Build("f", "cuda", 11434, (device,)),))
    assert pools(asked, "cuda")[0].available == (11950 - (12282 - 11903) - 1024) * MIB


def test_what_the_desktop_holds_is_not_there_and_is_named():
    busy = replace(RTX_4070, gpus=(nvidia("NVIDIA GeForce RTX 4070", 12282, 9000),))
    card = pools(busy, "cuda")[0]
    assert card.available < 9000 * MIB
    assert any("other programs hold 3.2 GiB" in note for note in card.notes)


@pytest.mark.parametrize(
    ("memory", "limit"),
    # Source: recommendedMaxWorkingSetSize of an M2 Max (that build printed MiB), M4 Max and two M3 Max
    [(32, 21845.34 * MIB), (36, 28991.03e6), (48, 38654.71e6), (128, 103079.22e6)],
)
def test_what_is_assumed_of_an_apple_gpu_is_below_every_limit_that_was_seen(memory, limit):
    mac = replace(M3_MAX, memory=Memory(memory * GIB, memory * GIB, True, None, None))
    assert 0.85 * limit < pools(mac, "metal")[0].total <= limit


def test_each_card_is_a_pool():
    assert [(pool.name, pool.is_host) for pool in pools(TWO_3090, "cuda")] == [
        ("CUDA0", False),
        ("CUDA1", False),
        ("host", True),
    ]


def test_what_the_predecessor_holds_is_its_successors():
    busy = replace(RTX_4070, gpus=(nvidia("NVIDIA GeForce RTX 4070", 12282, 6000),))
    alone, again = pools(busy, "cuda")[0], pools(busy, "cuda", returned={"CUDA0": 3 * GIB})[0]
    # its context of 416 MiB ends with it
    assert again.available == alone.available + 3 * GIB + int(12282 * MIB * DRIVER_SHARE)
    assert pools(busy, "cuda", returned={"CUDA0": 99 * GIB})[0].available < 12282 * MIB


def test_a_card_that_does_not_say_what_is_free_is_unknown_and_not_empty():
    silent = replace(RTX_4070, gpus=(nvidia("NVIDIA GeForce RTX 4070", 12282, None),))
    card = pools(silent, "cuda")[0]
    assert card.available is None
    assert "does not say" in card.notes[0]


def test_the_limit_of_a_mac_is_assumed_until_a_build_names_it():
    assumed = pools(M3_MAX, "metal")[0]
    assert abs(assumed.available - 0.66 * 36 * GIB) < MIB
    assert any("assumed" in note for note in assumed.notes)
    asked = replace(M3_MAX, builds=(Build("f", "metal", 11434, (MTL0,)),))
    assert pools(asked, "metal")[0].available == 27648 * MIB


def test_a_limit_that_somebody_set_counts():
    told = replace(M3_MAX, memory=replace(M3_MAX.memory, gpu_most=29 * GIB))
    # but never more than main memory has to give
    assert pools(told, "metal")[0].available == 29 * GIB
    full = replace(told, memory=replace(told.memory, available=10 * GIB))
    assert pools(full, "metal")[0].available == 9 * GIB


def test_two_servers_on_one_mac_add_up():
    # Metal tells each program its own use alone, so that both would believe to own all of it.
    assert pools(M3_MAX, "metal", held={"MTL0": 20 * GIB})[0].available < 4 * GIB


def test_a_gpu_without_memory_of_its_own_has_that_of_the_host():
    gpu, host = pools(ORIN, "cuda")
    assert gpu.is_unified
    assert gpu.available == host.available == 6 * GIB - MARGIN


def test_a_device_that_no_tool_shows_is_known_from_the_build():
    device = Device("CUDA0", "a card behind something", 24 * GIB, 20 * GIB)
    found = replace(BARE, builds=(Build("f", "cuda", 11434, (device,)),))
    assert pools(found, "cuda")[0].available == 20 * GIB - MARGIN


def test_a_host_that_does_not_tell_its_memory_is_unknown():
    silent = replace(BARE, memory=Memory(None, None, False, None, None), unknown={"memory": "no /proc"})
    assert pools(silent, "cpu")[0].available is None
    assert pools(silent, "cpu")[0].notes == ("no /proc",)


@pytest.mark.parametrize(
    ("facts", "backend", "kinds"),
    [
        (BARE, "cpu", {Q4_K}),
        (replace(BARE, cpu=replace(BARE.cpu, flags=("sse4_2",))), "cpu", set()),
        (RTX_4070, "cuda", set()),
        (M3_MAX, "metal", {Q4_K, Q6_K}),
        (ORIN, "cpu", {Q4_K, Q6_K}),
    ],
)
def test_weights_that_a_processor_wants_in_another_order_are_kept_twice(facts, backend, kinds):
    assert reordered(facts, backend) & {Q4_K, Q6_K} == kinds


def test_an_unknown_vendor_has_no_pool_of_its_own():
    other = replace(BARE, gpus=(Gpu("intel", "Arc", "sycl", 8 * GIB, 7 * GIB, None, None, None),))
    assert [pool.name for pool in pools(other, "cpu")] == ["host"]
