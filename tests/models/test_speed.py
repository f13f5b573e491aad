"""How many tokens a second a model gives, before anybody has measured it."""

from dataclasses import replace

import pytest

from fleet.models import quants, speed
from fleet.models.bandwidth import Bandwidth, named
from fleet.models.speed import Part

NOW = 1_800_000_000.0
Q4 = quants.find("Q4_K_M")
GB = 1e9


def chip(name: str, cores: int | None = None) -> Bandwidth:
    found = named(name, cores)
    assert found is not None
    return found


def part(name: str, api: str, weights: int, layers: int, cores: int | None = None) -> Part:
    return Part(chip(name, cores), api, weights, layers, quant=Q4)


def told(parts: list[Part], **known: object) -> speed.Speed:
    found = speed.decode(parts, **known)  # type: ignore[arg-type]
    assert found is not None
    return found


QWEN_8B = 4_677_723_968  # bytes of Qwen3-8B Q4_K_M without its token embedding
LAPTOP = Bandwidth(83.2 * GB, "two modules of DDR5-5200", low=25.6 * GB, high=102.4 * GB)


@pytest.mark.parametrize(
    ("name", "api", "cores", "weights", "layers", "measured"),
    [
        # AlexsJones/llmfit, community runs of September 2026
        ("RX 7900 XT", "hip", None, QWEN_8B, 36, 111.46),
        ("RX 7900 XT", "hip", None, 19_324_574_368, 64, 31.58),
        ("RTX 5070", "cuda", None, 8_564_178_304, 40, 59.01),
        ("RTX 2080", "cuda", None, QWEN_8B, 36, 69.34),
        ("M4 Pro", "metal", 20, QWEN_8B, 36, 46.16),
        ("M4 Pro", "metal", 20, 8_564_178_304, 40, 26.64),
        # geerlingguy/beowulf-ai-cluster issue 17, b7315
        ("M3 Ultra", "metal", 80, 41_908_996_352, 80, 14.41),
    ],
)
def test_chips_of_all_makers_give_what_others_measured_on_them(
    name: str, api: str, cores: int | None, weights: int, layers: int, measured: float
) -> None:
    found = told([part(name, api, weights, layers, cores)])
    assert found.tps == pytest.approx(measured, rel=0.06)
    assert found.low < measured < found.high < found.ceiling


def test_a_layer_costs_cycles_so_a_wide_chip_of_low_clock_stays_below_its_bandwidth() -> None:
    """Four times the memory of M2 Pro is not four times the speed: the layers take as long."""
    pro, ultra = part("M2 Pro", "metal", QWEN_8B, 36, 19), part("M2 Ultra", "metal", QWEN_8B, 36, 76)
    assert speed.layer(pro) == speed.layer(ultra)
    assert told([ultra]).tps < 3.5 * told([pro]).tps


def test_old_builds_wait_longer_for_each_layer() -> None:
    # llama.cpp discussion 4167, build 8e672ef of November 2023: M2 Ultra, 7B Q4_0, 94.27 tokens/s
    llama = Part(chip("M2 Ultra", 76), "metal", 3_748_792_893, 32, quant=quants.find("Q4_0"))
    assert told([llama], build=1550).tps == pytest.approx(94.27, rel=0.06)
    assert told([llama], build=1550).tps < told([llama], build=9000).tps == told([llama]).tps


def test_fast_memory_is_not_filled_by_a_chip_with_few_reads_under_way() -> None:
    # XiongjieDai/GPU-Benchmarks-on-LLM-Inference: Llama-3-70B Q4_K_M, 22.11 of 47 possible tokens/s
    found = told([part("A100 80GB PCIe", "cuda", 41_908_996_352, 80)], build=2700)
    assert found.tps == pytest.approx(22.11, rel=0.06)
    assert found.tps < 0.6 * found.ceiling


def test_unpacking_k_quants_is_the_limit_of_the_first_apple_chips_only() -> None:
    old, new = (
        part("M1 Ultra", "metal", 8_562_055_680, 48, 48),
        part("M3 Ultra", "metal", 8_562_055_680, 48, 60),
    )
    assert "unpacking" in told([old]).reason
    assert "unpacking" not in told([new]).reason


def test_no_speed_is_above_bandwidth_divided_by_bytes() -> None:
    for rate in (1.0, 1.2, 5.0):
        found = told([part("RTX 4070", "cuda", QWEN_8B, 36)], factor=speed.Factor(rate, 60.0, 1))
        assert found.tps <= found.ceiling
        assert found.high <= found.ceiling
        assert found.ceiling == pytest.approx(504 * GB / QWEN_8B)


def test_a_processor_reaches_a_part_of_its_memory() -> None:
    # geerlingguy/ai-benchmarks: Raspberry Pi 5, DeepSeek-R1 14B Q4_K_M
    found = told([Part(Bandwidth(17.1 * GB, "Pi 5"), "cpu", 8_562_055_680, 48)])
    assert found.tps == pytest.approx(1.20, rel=0.05)


def test_what_nobody_can_read_from_a_laptop_makes_its_range_wide() -> None:
    found = told([Part(LAPTOP, "cpu", QWEN_8B, 36)])
    assert found.low < found.tps / 3
    assert "26 to 102 GB/s" in found.reason


def test_a_few_layers_in_main_memory_are_a_cliff_and_no_slope() -> None:
    # llmfit community, RTX 5070 with i9-13900HK: Qwen3-32B spills and gives 4.42 tokens/s, 14B gives 59.
    card = part("RTX 5070", "cuda", 10_700_000_000, 35)
    rest = Part(LAPTOP, "cpu", 19_324_574_368 - 10_700_000_000, 29)
    found = told([card, rest])
    assert found.low < 4.42 < found.high
    assert found.tps < told([part("RTX 5070", "cuda", 19_324_574_368, 64)]).tps / 5


def test_a_second_card_adds_memory_and_no_speed() -> None:
    whole = part("RTX 3090", "cuda", QWEN_8B, 36)
    half = replace(whole, weights=QWEN_8B // 2, layers=18)
    assert told([half, half]).tps == pytest.approx(told([whole]).tps, rel=0.02)


def test_of_experts_only_the_active_ones_are_read() -> None:
    assert speed.active(1_000, 12_800, used=8, count=128) == 1_000 + 800
    assert speed.active(1_000, 12_800, used=None, count=None) == 13_800


def test_a_longer_context_is_slower_by_the_keys_and_values_that_are_read() -> None:
    short = part("RTX 4070", "cuda", QWEN_8B, 36)
    long = replace(short, kv=32_768 * 144 * 1024)
    assert told([long]).tps < 0.6 * told([short]).tps
    assert told([long]).ceiling < told([short]).ceiling


def test_a_chip_of_which_only_the_bandwidth_is_known_has_a_wider_range() -> None:
    known = told([part("RTX 4070", "cuda", QWEN_8B, 36)])
    unknown = told([Part(Bandwidth(504 * GB, "somebody"), "cuda", QWEN_8B, 36)])
    assert unknown.high / unknown.low > known.high / known.low


def test_what_a_host_measured_corrects_what_is_predicted_for_it() -> None:
    factor = speed.learned([(40.0, 50.0, NOW - 7200)], NOW)
    assert factor == speed.Factor(0.8, 7200.0, 1)
    before, after = (
        told([Part(LAPTOP, "cpu", QWEN_8B, 36)]),
        told([Part(LAPTOP, "cpu", QWEN_8B, 36)], factor=factor),
    )
    assert after.tps == pytest.approx(0.8 * before.tps)
    assert after.high / after.low < 1.2 < before.high / before.low
    assert "measured on this host 2h ago" in after.reason


def test_an_old_measurement_corrects_but_does_not_make_us_sure() -> None:
    plain = told([part("RTX 4070", "cuda", QWEN_8B, 36)])
    old = told([part("RTX 4070", "cuda", QWEN_8B, 36)], factor=speed.Factor(0.9, 90 * 86400.0, 1))
    assert old.tps == pytest.approx(0.9 * plain.tps)
    assert old.high / old.low == pytest.approx(plain.high / plain.low)


def test_a_measurement_that_cannot_be_true_is_held_within_bounds() -> None:
    assert speed.learned([(1.0, 100.0, NOW)], NOW) == speed.Factor(0.4, 0.0, 1)
    assert speed.learned([(900.0, 100.0, NOW)], NOW) == speed.Factor(1.5, 0.0, 1)
    assert speed.learned([], NOW) is None
    assert speed.learned([(0.0, 100.0, NOW), (5.0, 0.0, NOW)], NOW) is None


def test_a_host_with_several_servers_is_corrected_by_the_middle_one() -> None:
    seen = [(30.0, 100.0, NOW), (90.0, 100.0, NOW - 60), (95.0, 100.0, NOW - 120)]
    assert speed.learned(seen, NOW) == speed.Factor(0.9, 60.0, 3)


def test_memory_that_was_measured_is_not_reduced_again() -> None:
    measured = Part(Bandwidth(60 * GB, "measured by reading 1 GiB", is_measured=True), "cpu", QWEN_8B, 36)
    assert told([measured]).tps == pytest.approx(0.95 * 60 * GB / QWEN_8B)


def test_nothing_to_read_has_no_speed() -> None:
    assert speed.decode([]) is None
    assert speed.decode([part("RTX 4070", "cuda", 0, 0)]) is None
