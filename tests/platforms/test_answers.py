"""Answers of machines, written from the formats that their tools document."""

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.core.facts import Facts, Gpu
from fleet.platforms.probe import parse
from fleet.platforms.probe.amd import gfx
from fleet.platforms.probe.cpu import ranges

SAMPLES = Path(__file__).parent / "samples"
NAMES = sorted(path.stem for path in SAMPLES.glob("*.txt"))
GIB, MIB = 1 << 30, 1 << 20


def facts(name: str) -> Facts:
    return parse("here", (SAMPLES / f"{name}.txt").read_bytes(), "nonce", 1.0)


@pytest.mark.parametrize("name", NAMES)
def test_every_number_that_is_unknown_has_a_reason(name):
    known = facts(name)
    for path in (
        "cpu.model",
        "cpu.threads",
        "cpu.cores_performance",
        "memory.total",
        "memory.available",
        "uptime",
    ):
        value = known
        for word in path.split("."):
            value = getattr(value, word)
        assert (value is None) == (path in known.unknown), path
    assert all(known.unknown.values())


def test_memory_of_a_card_is_what_the_driver_leaves_free():
    known = facts("cuda-desktop")
    desktop, server = ("cuda", 12282 * MIB, 11847 * MIB, "8.9"), ("cuda", 24576 * MIB, None, "6.1")
    runtime = ("550.54.14", "12.4")
    assert known.gpus == (
        Gpu("nvidia", "NVIDIA GeForce RTX 4070", *desktop, None, *runtime, "GPU-1111", (), 2),
        Gpu("nvidia", "Tesla P40", *server, None, *runtime, "GPU-2222", (), 0),
    )
    assert known.unknown["gpus.1.memory_free"] == "the driver says [N/A]"


def test_a_driver_that_does_not_know_compute_capability_still_names_its_card():
    known = facts("old-driver")
    assert known.gpus == (
        Gpu(
            "nvidia",
            "NVIDIA GeForce GTX 1070",
            "cuda",
            8119 * MIB,
            8000 * MIB,
            None,
            None,
            "470.82.01",
            uuid="GPU-1111",
        ),
    )
    assert {"gpus.0.capability", "gpus.0.runtime", "gpus.0.processes"} <= set(known.unknown)


def test_a_card_without_memory_of_its_own_shares_the_processors():
    known = facts("unified-cuda")
    assert known.memory.unified
    assert known.gpus[0].memory_total is None
    assert known.gpus[0].capability == "12.1"
    assert known.arch == "arm64"


def test_a_card_without_a_driver_is_a_reason_not_a_gpu():
    known = facts("no-driver")
    assert known.gpus == ()
    assert "driver" in known.unknown["gpus"]


def test_no_card_at_all_needs_no_reason():
    assert "gpus" not in facts("hybrid-laptop").unknown


@pytest.mark.parametrize(
    ("name", "performance", "efficiency", "threads"),
    [
        ("cuda-desktop", 2, None, 4),
        ("hybrid-laptop", 1, 4, 6),
        ("small-cores-only", 4, None, 4),
        ("unified-cuda", 10, 10, 20),
        ("mac", 10, 4, 14),
        ("termux", None, None, 8),
        ("alpine-container", 16, None, 2),
    ],
)
def test_cores_of_each_kind_are_counted(name, performance, efficiency, threads):
    cpu = facts(name).cpu
    assert (cpu.cores_performance, cpu.cores_efficiency, cpu.threads) == (performance, efficiency, threads)


def test_a_container_has_what_it_is_allowed():
    memory = facts("alpine-container").memory
    assert (memory.total, memory.available) == (4 * GIB, 3 * GIB)


def test_columns_of_rocm_are_found_by_name_and_the_processors_own_gpu_is_left_out():
    (card,) = facts("rocm-two-cards").gpus
    assert (card.name, card.api, card.capability) == ("Radeon RX 7900 XTX", "hip", "gfx1100")
    assert (card.memory_total, card.memory_free) == (25753026560, 24753026560)


def test_cards_are_seen_without_their_tools():
    amd, intel = facts("amd-without-tools").gpus
    assert (amd.vendor, amd.api, amd.capability, amd.memory_total) == ("amd", "hip", "gfx90a", 68702699520)
    assert (intel.vendor, intel.api, intel.memory_total) == ("intel", "vulkan", 16 * GIB)


@pytest.mark.parametrize(
    ("name", "version", "libc"),
    [
        ("cuda-desktop", "Debian GNU/Linux 12 (bookworm)", "glibc 2.36"),
        ("alpine-container", "Alpine Linux v3.20", "musl 1.2.5"),
        ("termux", "Android (Termux)", None),
        ("mac", "macOS 15.2", "libSystem"),
    ],
)
def test_the_system_is_named(name, version, libc):
    known = facts(name)
    assert (known.os_version, known.libc) == (version, libc)


@pytest.mark.parametrize(
    ("name", "supervisors", "has_linger", "has_cron"),
    [
        ("cuda-desktop", ("systemd", "supervise"), False, True),
        ("unified-cuda", ("systemd", "supervise"), True, True),
        ("no-driver", ("supervise",), False, True),
        ("alpine-container", ("supervise",), None, False),
        ("mac", ("launchd", "supervise"), None, None),
    ],
)
def test_what_can_keep_a_server_alive(name, supervisors, has_linger, has_cron):
    known = facts(name)
    assert (known.supervisors, known.has_linger, known.has_cron) == (supervisors, has_linger, has_cron)


def test_versions_are_read_out_of_what_tools_say():
    versions = {name: tool.version for name, tool in facts("cuda-desktop").tools.items()}
    assert versions == {
        "cmake": "3.28.3",
        "ninja": "1.11.1",
        "cc": "13.2.0",
        "c++": "8.5.0",
        "clang": "14.0.6",
        "nvcc": "12.4",
        "ccache": "4.9.1",
        "hipcc": "6.2.41133",
        "git": None,
    }


def test_a_mac_has_one_pool_of_memory_and_says_its_gpu_cores():
    known = facts("mac")
    assert known.root == "/Users/ops/Library/Application Support/fleet"
    assert known.gpus == (Gpu("apple", "Apple M3 Max", "metal", None, None, None, 30, None),)
    assert known.memory.unified
    assert known.memory.total == 36 * GIB
    assert known.memory.available == 155000 * 16384
    assert known.memory.swap_used == int(1017.5 * MIB)
    assert known.uptime == 86400
    assert "FEAT_DotProd" in known.cpu.flags and "FEAT_SME" not in known.cpu.flags
    assert known.tools["cc"].version == "16.0.0"


def test_a_mac_that_says_nothing_is_full_of_reasons():
    known = facts("mac-bare")
    assert known.memory.total is None
    assert known.gpus[0].cores is None
    assert {"memory.total", "memory.available", "cpu.model", "gpus.0.cores", "uptime", "tools.cc"} <= set(
        known.unknown
    )


@pytest.mark.parametrize(
    ("name", "total", "free", "inodes"),
    [
        ("cuda-desktop", 263978520 * 1024, 150000000 * 1024, 16767216),
        ("alpine-container", 263978520 * 1024, 150000000 * 1024, None),
        ("mac", 971350180 * 1024, 400000000 * 1024, 4000000000),
    ],
)
def test_space_is_counted_whatever_the_disk_is_called(name, total, free, inodes):
    disk = facts(name).disk
    assert (disk.total, disk.free, disk.inodes_free) == (total, free, inodes)


@pytest.mark.parametrize("name", NAMES)
def test_an_answer_without_one_of_its_sections_is_still_facts(name):
    text = (SAMPLES / f"{name}.txt").read_text()
    blocks = re.findall(r"(?s)nonce section \S+\n.*?nonce status \d+\n", text)
    for block in blocks:
        if not block.startswith("nonce section system\n"):
            parse("here", text.replace(block, "").encode(), "nonce", 1.0)


@settings(max_examples=60)
@given(st.data())
def test_no_answer_of_a_host_breaks_a_parser(data):
    """Whatever stands in one section: facts, never a traceback."""
    text = (SAMPLES / f"{data.draw(st.sampled_from(NAMES))}.txt").read_text()
    blocks = re.findall(r"(?s)(nonce section (\S+)\n)(.*?)(nonce status \d+\n)", text)
    first, name, inside, last = data.draw(
        st.sampled_from([block for block in blocks if block[1] != "system"])
    )
    digits = st.text("0123456789", min_size=20, max_size=5000)
    words = st.one_of(
        st.text(), digits, st.sampled_from(["-", "%", "[", '"', "{", "=", ":", "\x00", "\u00b2", "\n"])
    )
    place = data.draw(st.integers(0, len(inside)))
    changed = (
        inside[:place]
        + "".join(data.draw(st.lists(words, max_size=5)))
        + inside[place + data.draw(st.integers(0, 9)) :]
    )
    answer = text.replace(first + inside + last, f"{first}{changed}\n{last}").encode("utf-8", "surrogatepass")
    assert parse("here", answer, "nonce", 1.0).host == "here"
    assert name


def test_ranges_and_targets_are_spelled_as_the_kernel_does():
    assert ranges("0-3,8,10-11\n") == {0, 1, 2, 3, 8, 10, 11}
    assert [gfx(value) for value in (110000, 90010, 100302, 110501)] == [
        "gfx1100",
        "gfx90a",
        "gfx1032",
        "gfx1151",
    ]
