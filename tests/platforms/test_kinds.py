"""Kinds of machines: recognised by what they say, with their processors and memory."""

import pytest

from fleet.platforms.base import PLATFORMS
from tests.platforms.composed import GIB, MAC, known, linux, mac


def test_a_new_kind_of_machine_needs_no_questions_of_its_own():
    for name, kind in PLATFORMS.all():
        is_family = kind.is_it is None
        assert is_family == (name == kind.os)
        assert bool(kind.questions) == bool(kind.script) == is_family


@pytest.mark.parametrize(
    ("facts", "platform", "os"),
    [
        (linux(release="5.15.153.1-microsoft-standard-WSL2"), "wsl", "linux"),
        (linux(release="4.4.0-22621-Microsoft"), "wsl", "linux"),
        (linux("aarch64", board="compatible=nvidia,p3737\ncompatible=nvidia,tegra234"), "jetson", "linux"),
        (linux("aarch64", board="compatible=raspberrypi,4-model-b"), "raspberry-pi", "linux"),
        (linux("aarch64", cpuinfo="Model\t: Raspberry Pi 4 Model B Rev 1.4"), "raspberry-pi", "linux"),
        (linux("aarch64", more="android=yes"), "termux", "linux"),
        (linux("aarch64", board="compatible=radxa,rock-5b\ncompatible=rockchip,rk3588"), "linux", "linux"),
        (linux(), "linux", "linux"),
        (known(MAC.format(machine="arm64")), "macos", "macos"),
        (known(MAC.format(machine="x86_64")), "macos-intel", "macos"),
        (known(MAC.format(machine="x86_64"), sysctl="hw.optional.arm64: 1"), "macos", "macos"),
    ],
)  # fmt: skip
def test_every_kind_of_machine_is_recognised_by_what_it_says(facts, platform, os):
    assert (facts.platform, facts.os) == (platform, os)


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("two sockets", (4, None)),
        ("cores by name", (2, 1)),
        ("cores by capacity", (2, 2)),
        ("one kind, other boost", (2, None)),
    ],
)
def test_cores_of_machines_of_all_shapes(name, kinds):
    lines = {
        "two sockets": "".join(
            f"cpu{n}/topology/thread_siblings_list:{n % 4},{n % 4 + 4}\n" for n in range(8)
        ),
        "cores by name": "".join(f"cpu{n}/topology/thread_siblings_list:{n}\n" for n in range(3))
        + "../../cpu_core/cpus:0-1\n",
        "cores by capacity": "".join(
            f"cpu{n}/topology/thread_siblings_list:{n}\ncpu{n}/cpu_capacity:{718 if n < 2 else 1024 - n}\n"
            for n in range(4)
        ),
        "one kind, other boost": "".join(
            f"cpu{n}/topology/thread_siblings_list:{n}\ncpu{n}/cpufreq/cpuinfo_max_freq:{525 + 45 * n}0000\n"
            for n in range(2)
        ),
    }[name]
    nodes = "node0/cpulist:0-3\nnode1/cpulist:4-7\nnode2/cpulist:"
    cpu = linux(topology=lines, nodes=nodes).cpu
    assert (cpu.cores_performance, cpu.cores_efficiency) == kinds
    assert cpu.numa_nodes == 2


def test_the_strictest_of_nested_groups_counts_and_files_in_memory_give_way():
    limits = "nproc=16\nlockable=unlimited\ncpu=400000 100000\ncpu=200000 100000\n" + "".join(
        f"memory={most * GIB} {held * GIB} {inactive * GIB}\n"
        for most, held, inactive in ((8, 6, 4), (32, 31, 1))
    )
    facts = linux(limits=limits, cpuinfo="processors\t: 16")
    assert facts.cpu.threads == 2
    assert (facts.memory.total, facts.memory.available) == (8 * GIB, 2 * GIB)
    assert facts.memory.lockable == 8 * GIB


@pytest.mark.parametrize(
    ("swaps", "is_memory"),
    [
        ("/dev/zram0 partition 1 0 5", True),
        ("/dev/zram0 partition 1 0 5\n/swapfile file 1 0 -2", False),
        ("", False),
    ],
)
def test_swap_is_memory_only_where_all_of_it_is_compressed(swaps, is_memory):
    assert linux(swaps=f"Filename Type Size Used Priority\n{swaps}").memory.swap_is_memory is is_memory


def test_a_mac_of_three_kinds_of_cores_counts_the_slower_ones_together():
    facts = mac("hw.perflevel0.physicalcpu: 6\nhw.perflevel1.physicalcpu: 12\nhw.perflevel2.physicalcpu: 2")
    assert (facts.cpu.cores_performance, facts.cpu.cores_efficiency) == (6, 14)


def test_an_ultra_has_one_gpu_and_what_its_owner_allowed_it():
    facts = mac(
        "hw.memsize: 549755813888\nhw.pagesize: 16384\niogpu.wired_limit_mb: 458752",
        ioreg='  "model" = "Apple M3 Ultra"\n  "gpu-core-count" = 80',
    )
    assert [(card.name, card.cores) for card in facts.gpus] == [("Apple M3 Ultra", 80)]
    assert facts.memory.gpu_most == 448 * GIB
    assert "memory.gpu_most" not in facts.unknown


def test_a_mac_that_was_told_nothing_decides_itself_what_its_gpu_may_hold():
    assert mac("iogpu.wired_limit_mb: 0").unknown["memory.gpu_most"] == "macOS decides it"
    assert mac("").memory.gpu_most is None


def test_an_intel_mac_computes_with_its_processor():
    facts = mac("hw.physicalcpu: 6\nhw.logicalcpu: 12\nhw.memsize: 17179869184", machine="x86_64")
    assert (facts.gpus, facts.memory.unified) == ((), False)
    assert (facts.cpu.cores_performance, facts.cpu.cores_efficiency, facts.cpu.threads) == (6, None, 12)
    assert "Intel" in facts.unknown["gpus"]
    assert facts.arch == "x86_64"


def test_libraries_are_known_with_where_they_lie_and_where_they_were_looked_for():
    said = "cudart=/usr/local/cuda/lib64/libcudart.so\nsearched=/usr/local/cuda\nsearched=/usr/include\nbad=x"
    facts = linux(libraries=said)
    assert dict(facts.libraries) == {"cudart": "/usr/local/cuda/lib64/libcudart.so"}
    assert facts.searched == ("/usr/local/cuda", "/usr/include")


@pytest.mark.parametrize(
    ("machine", "bits", "arch"),
    [
        ("aarch64", "64", "arm64"),
        ("aarch64", "32", "arm"),
        ("armv7l", "32", "armv7l"),
        ("x86_64", "", "x86_64"),
    ],
)
def test_a_system_of_32_bits_under_a_kernel_of_64_is_what_its_programs_are(machine, bits, arch):
    assert linux(machine, more=f"bits={bits}").arch == arch
