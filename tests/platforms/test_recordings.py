"""Every recorded output that the probe reads, errors included."""

import re
from pathlib import Path

import pytest

from fleet.platforms import linux, macos
from fleet.platforms.base import Section
from fleet.platforms.probe import gpus
from fleet.platforms.probe.answer import pairs
from fleet.platforms.probe.cpu import cpu
from fleet.platforms.probe.tools import version
from tests.platforms.machines import RECORDINGS

pytestmark = pytest.mark.skipif(not RECORDINGS.is_dir(), reason="../shared/recordings is not there")

MIB = 1 << 20
NOTHING = Section("", 0)
SECTIONS = (
    "system os-release libc uptime cpuinfo topology limits meminfo board pci drm kfd nvidia rocm disk inodes "
    "systemd cron sw_vers sysctl vm_stat ioreg xcode"
).split()
FIELDS = ("index", "name", "compute_cap", "driver_version", "memory.total", "memory.free")


def text(name: str) -> str:
    recorded = (RECORDINGS / name).read_text()
    return recorded.partition("\n")[2] if recorded.startswith("$ ") else recorded


def query(name: str) -> Section:
    """The probe's columns of a recorded table with all columns, without units."""
    head, *rows = [line.split(", ") for line in text(name).splitlines() if line.strip()]
    columns = [re.sub(r" \[.*", "", cell) for cell in head]
    places = [columns.index(field) for field in FIELDS]
    return Section(
        "\n".join(", ".join(row[place].removesuffix(" MiB") for place in places) for row in rows), 0
    )


@pytest.mark.parametrize(
    ("machine", "name", "capability", "total"),
    [
        ("nvidia-linux-rtx-4080-super-595.71.05", "NVIDIA GeForce RTX 4080 SUPER", "8.9", 16376),
        ("nvidia-linux-l40s-595.80", "NVIDIA L40S", "8.9", 46068),
        ("nvidia-linux-h100-mig-590.48.01", "NVIDIA H100 80GB HBM3", "9.0", 81559),
    ],
)
@pytest.mark.parametrize("when", ["idle", "load"])
def test_a_real_query_gives_its_card(machine, name, capability, total, when):
    (card,), unknown = gpus.nvidia_cards(query(f"{machine}/{when}.query-gpu.txt"), has_card=True)
    assert (card.name, card.capability, card.memory_total) == (name, capability, total * MIB)
    assert 0 < card.memory_free < card.memory_total
    assert unknown == {}


@pytest.mark.parametrize(
    ("file", "status"),
    [
        ("nvidia-smi.nvml-mismatch.exit18.stdout.txt", 18),
        ("nvidia-smi.driver-not-loaded.exit9.txt", 9),
        ("nvidia-smi.no-devices.txt", 6),
        ("nvidia-smi.no-devices.txt", 0),
        ("nvidia-smi.unknown-field.stdout.txt", 2),
        ("nvidia-smi.unknown-field.stdout.txt", 0),
    ],
)
def test_an_error_of_nvidia_smi_is_a_reason_and_never_a_card(file, status):
    cards, unknown = gpus.nvidia_cards(Section(text(f"errors/{file}"), status), has_card=True)
    assert cards == ()
    assert text(f"errors/{file}").splitlines()[0] in unknown["gpus"]


def test_a_host_without_nvidia_smi_and_card_has_nothing_to_explain():
    answer = Section(text("linux-debian12-vm-cpu-only/nvidia-smi.not-installed.txt"), 127)
    assert gpus.nvidia_cards(answer, has_card=False) == ((), {})


def test_the_processors_own_radeon_is_no_card():
    recorded = text("amd-rx6800-plus-igpu/rocm-smi-showproductname-showmeminfo-vram-showuniqueid.csv")
    (card,) = gpus.amd_tool_cards(Section(recorded, 0))
    assert (card.capability, card.memory_total) == ("gfx1030", 17163091968)
    assert card.memory_free == 17163091968 - 692142080


@pytest.mark.parametrize(
    ("file", "model", "flag"),
    [
        ("linux-rhel7-haswell", None, "avx2"),
        ("linux-rocky8.5-zen4", None, "avx512_bf16"),
        ("linux-rocky9-zen5", None, "avx512_vnni"),
        ("linux-ubuntu20.04-zen3", None, "avx2"),
        ("linux-unknown-sapphirerapids", None, "amx_int8"),
        ("linux-ubuntu26.04-arrowlake_s", None, "avx_vnni"),
        ("linux-ubuntu22.04-neoverse_v2", "Neoverse-V2", "i8mm"),
        ("linux-asahi-m2", "Apple M2 (Blizzard)", "i8mm"),
    ],
)
def test_a_processor_is_named_with_its_flags(file, model, flag):
    recorded = text(f"linux-cpuinfo-flags/proc-cpuinfo.{file}.txt")
    found, _ = cpu(Section(recorded, 0), NOTHING, NOTHING)
    assert found.model == (model or pairs(recorded, ":")["model name"])
    assert flag in found.flags


def test_a_hybrid_processor_is_counted_by_clock_where_the_kernel_names_no_kinds():
    folder = "linux-intel-i7-1370p-6P8E-20t"
    topology = Section(text(f"{folder}/sys-devices-system-cpu.txt"), 0)
    found, unknown = cpu(Section(text(f"{folder}/proc-cpuinfo.txt"), 0), topology, NOTHING)
    assert (found.cores_performance, found.cores_efficiency, found.threads) == (6, 8, 20)
    assert unknown == {}


@pytest.mark.parametrize(
    ("file", "total", "available"),
    [
        ("linux-intel-i7-1370p-6P8E-20t/proc-meminfo.txt", 33269243904, 29628952576),
        ("linux-debian12-vm-cpu-only/proc-meminfo.txt", 25276063744, 24249794560),
        ("linux-generic/linux-proc-meminfo.txt", None, None),
    ],
)
def test_memory_is_in_bytes(file, total, available):
    pool, _ = linux.memory(Section(text(file), 0), NOTHING, False)
    assert pool.total is not None and pool.available is not None
    if total is not None:
        assert (pool.total, pool.available) == (total, available)


@pytest.mark.parametrize(
    ("file", "page"),
    [("macos-intel/vm_stat.txt", 4096), ("macos-m3ultra-512gb/vm_stat.head.txt", 16384)],
)
def test_pages_of_a_mac_become_bytes(file, page):
    recorded = text(file)
    pages = {key: int(value) for key, value in re.findall(r"Pages (\w+): +(\d+)\.", recorded)}
    pool, _ = macos.memory(Section(recorded, 0), {}, True)
    kinds = ("free", "inactive", "speculative", "purgeable")
    assert pool.available == page * sum(pages[kind] for kind in kinds)


def test_the_36_gb_m3_max_has_10_fast_and_4_efficient_cores():
    section = Section(text("macos-m3max-36gb-14core/sysctl-hw-machdep.cpu.txt"), 0)
    found, unknown = macos.cpu(section, pairs(section.text, ":"))
    assert (found.model, found.cores_performance, found.cores_efficiency, found.threads) == (
        "Apple M3 Max",
        10,
        4,
        14,
    )
    assert "FEAT_I8MM" in found.flags and "FEAT_SME" not in found.flags
    assert unknown == {}


def test_an_intel_mac_names_its_processor_and_says_what_is_missing():
    section = Section(text("macos-intel/sysctl-machdep.cpu.skylake.txt"), 1)
    found, unknown = macos.cpu(section, pairs(section.text, ":"))
    assert found.model == "Intel(R) Core(TM) i7-6700K CPU @ 4.00GHz"
    assert "AVX2" in found.flags
    assert set(unknown) == {"cpu.threads", "cpu.cores_performance"}


@pytest.mark.parametrize(
    ("file", "name", "cores"),
    [
        ("macos-m3max-30core/ioreg-r-c-IOAccelerator-d1.excerpt.txt", "Apple M3 Max", 30),
        ("macos-m4/ioreg-r-d1-w0-c-IOAccelerator.excerpt.txt", "Apple M4", 10),
    ],
)
def test_the_cores_of_an_apple_gpu_are_counted(file, name, cores):
    (card,), unknown = macos.gpus(Section(text(file), 0), {})
    assert (card.vendor, card.name, card.cores, card.memory_total) == ("apple", name, cores, None)
    assert unknown == {}


@pytest.mark.parametrize("file", ["sysctl-vm.partial.txt", "sysctl.48gib-18core-under-load.txt"])
def test_swap_of_a_mac_is_read(file):
    oids = pairs(text(f"macos-os-lines/{file}"), ":")
    pool, _ = macos.memory(NOTHING, oids, True)
    assert 0 < pool.swap_used < pool.swap_total


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("linux-debian12-vm-cpu-only/cmake--version.txt", "3.25.1"),
        ("linux-debian12-vm-cpu-only/gcc--version.txt", "12.2.0"),
        ("linux-debian12-vm-cpu-only/nvcc--version.toolkit13-without-gpu.txt", "13.0"),
        ("nvidia-rtx4070-desktop/nvcc--version.txt", "12.4"),
        ("macos-os-lines/clang--version.macos15.2.txt", "16.0.0"),
    ],
)
def test_a_version_is_read_from_the_first_line_that_holds_one(file, expected):
    line = next(line for line in text(file).splitlines() if re.search(r"[0-9]\.[0-9]", line))
    assert version(line) == expected


def test_the_name_of_a_distribution_is_read():
    release = Section(text("linux-debian12-vm-cpu-only/etc-os-release.txt"), 0)
    assert linux.os_version(release, NOTHING, {}, False) == "Debian GNU/Linux 12 (bookworm)"


def test_glibc_is_named_by_ldd_too():
    assert linux.libc(text("linux-debian12-vm-cpu-only/glibc-ldd--version.txt")) == "glibc 2.36"


@pytest.mark.parametrize(
    "path", sorted(RECORDINGS.rglob("*.txt")), ids=lambda path: str(path.relative_to(RECORDINGS))
)
def test_no_parser_breaks_on_any_recording(path: Path):
    section = Section(path.read_text("utf-8", "replace"), 0)
    every = dict.fromkeys(SECTIONS, section)
    for kind in (linux.platform, macos.platform):
        assert all(reason and "\n" not in reason for reason in kind.read(every).unknown.values())
