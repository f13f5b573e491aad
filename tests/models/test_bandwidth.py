"""How fast a device reads its memory, by exact name and number of cores."""

from dataclasses import replace

import pytest

from fleet.core.facts import Cpu, Facts, Gpu, Memory
from fleet.models import bandwidth
from fleet.models.chips import memory
from tests.commands.values import facts

GIB = 2**30


def gpu(name: str, vendor: str = "nvidia", total: int | None = None, **known: object) -> Gpu:
    plain = Gpu(vendor, name, "cuda", total, None, None, None, None)
    return replace(plain, **known)  # type: ignore[arg-type]


def host(
    model: str | None, platform: str = "linux", gpus: tuple[Gpu, ...] = (), total: int = 32 * GIB
) -> Facts:
    return replace(
        facts(),
        platform=platform,
        cpu=Cpu(model, 8, None, 8, ()),
        memory=Memory(total, None, False, None, None),
        gpus=gpus,
    )


@pytest.mark.parametrize(
    ("name", "vendor", "gigabytes"),
    [
        ("NVIDIA GeForce RTX 4070", "nvidia", 504),
        ("NVIDIA GeForce RTX 4070 Ti SUPER", "nvidia", 672),
        ("NVIDIA GeForce RTX 4060 Laptop GPU", "nvidia", 256),
        ("NVIDIA GeForce RTX 3090", "nvidia", 936),
        ("NVIDIA L40S", "nvidia", 864),
        ("Tesla T4", "nvidia", 320),
        ("NVIDIA H100 80GB HBM3", "nvidia", 3350),
        ("NVIDIA A100-SXM4-80GB", "nvidia", 2039),
        ("NVIDIA RTX 6000 Ada Generation", "nvidia", 960),
        ("AMD Radeon RX 7900 XTX", "amd", 960),
        ("Radeon RX 7900 XT", "amd", 800),
        ("AMD Radeon RX 7900 XTX (RADV NAVI31)", "amd", 960),
        ("Intel(R) Arc(TM) B580 Graphics", "intel", 456),
        ("Intel(R) Arc(tm) B580 Graphics (BMG G21)", "intel", 456),
        ("NVIDIA GB10", "nvidia", 273),
    ],
)
def test_a_card_is_found_as_its_driver_names_it(name: str, vendor: str, gigabytes: float) -> None:
    found = bandwidth.find(host(None), gpu(name, vendor))
    assert found is not None
    assert found.bytes_per_second / 1e9 == pytest.approx(gigabytes, rel=0.005)
    assert found.vendor == vendor
    assert found.source


@pytest.mark.parametrize(
    ("name", "cores", "gigabytes"),
    [
        ("Apple M1", 8, 68.3),
        ("Apple M3 Pro", 18, 150),
        ("Apple M3 Max", 30, 300),
        ("Apple M3 Max", 40, 400),
        ("Apple M4 Max", 32, 410),
        ("Apple M4 Max", 40, 546),
        ("Apple M3 Ultra", 80, 819),
        ("Apple M5 Max", 40, 614),
    ],
)
def test_cores_tell_chips_of_one_name_apart(name: str, cores: int, gigabytes: float) -> None:
    found = bandwidth.find(host(name), gpu(name, "apple", cores=cores))
    assert found is not None
    assert found.bytes_per_second / 1e9 == pytest.approx(gigabytes, rel=0.005)


def test_an_apple_chip_of_unknown_cores_is_a_range_and_the_slower_is_taken() -> None:
    found = bandwidth.find(host(None), gpu("Apple M3 Max", "apple"))
    assert found is not None
    assert (found.bytes_per_second, found.range) == (300e9, (300e9, 400e9))


def test_memory_tells_cards_of_one_name_apart() -> None:
    small = bandwidth.find(host(None), gpu("NVIDIA GeForce RTX 3060", total=8 * GIB))
    large = bandwidth.find(host(None), gpu("NVIDIA GeForce RTX 3060", total=12 * GIB))
    assert small is not None
    assert large is not None
    assert (small.bytes_per_second, large.bytes_per_second) == (240e9, 360e9)


def test_two_cards_in_one_name_are_told_apart_by_memory_or_are_the_same() -> None:
    navi31 = gpu("Navi 31 [Radeon RX 7900 XT/7900 XTX]", "amd", 24 * GIB)
    navi21 = gpu("Navi 21 [Radeon RX 6800/6800 XT / 6900 XT]", "amd", 16 * GIB)
    fast, alike = bandwidth.find(host(None), navi31), bandwidth.find(host(None), navi21)
    assert fast is not None
    assert alike is not None
    assert (fast.bytes_per_second, alike.range) == (960e9, (512e9, 512e9))


def test_a_gpu_inside_a_ryzen_ai_max_is_known_by_its_gfx() -> None:
    found = bandwidth.find(host(None), gpu("AMD Radeon Graphics", "amd", capability="gfx1151"))
    assert found is not None
    assert found.bytes_per_second == 256e9


def test_a_jetson_without_a_name_is_known_by_capability_and_memory() -> None:
    nano = gpu("NVIDIA tegra234", capability="8.7")
    found = bandwidth.find(host("Cortex-A78AE", "jetson", (nano,), 7_945_689_088), nano)
    assert found is not None
    low, high = (round(rate / 1e9) for rate in found.range)
    assert (low, high) == (68, 102)


def test_an_unknown_card_is_none_and_says_so() -> None:
    unknown = gpu("NVIDIA GeForce RTX 9999")
    assert bandwidth.find(host(None), unknown) is None
    assert "RTX 9999" in bandwidth.why(host(None), unknown)


def test_a_part_of_a_card_is_not_given_the_speed_of_the_whole() -> None:
    split = gpu("NVIDIA H100 80GB HBM3", instances=("MIG-1",))
    assert bandwidth.find(host(None), split) is None
    assert "MIG" in bandwidth.why(host(None), split)


def test_main_memory_is_a_range_that_only_root_could_narrow() -> None:
    found = bandwidth.find(host("13th Gen Intel(R) Core(TM) i7-13700H"), None)
    assert found is not None
    assert found.bytes_per_second == pytest.approx(83.2e9)
    assert found.range == (pytest.approx(25.6e9), pytest.approx(102.4e9))
    assert "root" in found.source


@pytest.mark.parametrize(
    ("model", "likely"),
    [
        ("AMD Ryzen 9 5950X 16-Core Processor", 51.2),
        ("AMD Ryzen 9 9950X 16-Core Processor", 89.6),
        ("AMD RYZEN AI MAX+ 395 w/ Radeon 8060S", 256),
        ("AMD EPYC 9354 32-Core Processor", 460.8),
        ("AMD EPYC 7763 64-Core Processor", 204.8),
        ("13th Gen Intel(R) Core(TM) i7-1370P", 83.2),
        ("Intel(R) Core(TM) i7-8750H CPU @ 2.20GHz", 38.4),
        ("Intel(R) Xeon(R) Platinum 8480+", 307.2),
        ("Intel(R) N100", 38.4),
    ],
)
def test_main_memory_follows_from_what_the_processor_takes(model: str, likely: float) -> None:
    found = bandwidth.find(host(model), None)
    assert found is not None
    assert found.bytes_per_second / 1e9 == pytest.approx(likely)
    assert found.range[0] <= found.bytes_per_second <= found.range[1]


def test_a_raspberry_pi_5_reads_17_gigabytes_a_second() -> None:
    found = bandwidth.find(host("Cortex-A76", "raspberry-pi"), None)
    assert found is not None
    assert found.bytes_per_second / 1e9 == pytest.approx(17.1, rel=0.01)


def test_an_apple_processor_reads_the_memory_of_its_chip() -> None:
    mac = host("Apple M3 Max", "macos", (gpu("Apple M3 Max", "apple", cores=30),))
    found = bandwidth.find(mac, None)
    assert found is not None
    assert found.bytes_per_second == 300e9


def test_a_processor_that_tells_no_name_is_none_with_a_reason() -> None:
    assert bandwidth.find(host(None), None) is None
    assert "measured" in bandwidth.why(host(None), None)


def test_names_in_the_tables_are_told_apart() -> None:
    keys = [(bandwidth.words(chip.name), chip.cores, chip.memory) for chip in bandwidth.CHIPS]
    assert len(keys) == len(set(keys))


def test_every_kind_of_memory_is_ordered() -> None:
    assert not [row for row in memory.TABLE if not row.slowest <= row.usual <= row.fastest]
