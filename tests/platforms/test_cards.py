"""Graphics cards of all vendors, and what becomes of what they do not say."""

import pytest

from tests.platforms.composed import GIB, MIB, NVIDIA, linux


def test_a_card_that_windows_lends_is_read_or_missed_with_a_reason():
    release = "5.15.153.1-microsoft-standard-WSL2"
    card = NVIDIA + "0, GPU-1, NVIDIA GeForce RTX 4090, 8.9, 560.94, 24564, 22800, [N/A]"
    lent = linux(release=release, board="dxg=yes", nvidia=card)
    assert [(one.name, one.memory_total) for one in lent.gpus] == [("NVIDIA GeForce RTX 4090", 24564 * MIB)]
    assert "gpus" not in lent.unknown
    missed = linux(release=release, board="dxg=yes", nvidia="127:")
    assert (missed.gpus, "/dev/dxg" in missed.unknown["gpus"]) == ((), True)
    assert "gpus" not in linux(release=release, nvidia="127:").unknown


def test_a_jetson_without_nvidia_smi_has_the_gpu_of_its_chip():
    board = (
        "compatible=nvidia,p3701-0000\ncompatible=nvidia,tegra234\n# R36 (release), REVISION: 4.7, GCID: 1"
    )
    facts = linux("aarch64", board=board, nvidia="127:")
    (card,) = facts.gpus
    assert (card.api, card.capability, card.memory_total) == ("cuda", "8.7", None)
    assert facts.memory.unified
    assert facts.os_version == "Jetson (L4T 36.4.7)"


def test_a_jetson_whose_nvidia_smi_knows_nothing_gets_the_rest_from_its_chip():
    row = "0, [N/A], Orin (nvgpu), [N/A], 540.4.0, [N/A], [N/A], [N/A]"
    facts = linux("aarch64", board="compatible=nvidia,tegra234", nvidia=NVIDIA + row)
    (card,) = facts.gpus
    assert (card.name, card.capability, card.memory_total) == ("Orin (nvgpu)", "8.7", None)
    assert "gpus.0.capability" not in facts.unknown
    assert facts.memory.unified


def test_a_jetson_with_a_chip_of_tomorrow_says_what_it_does_not_know():
    facts = linux("aarch64", board="compatible=nvidia,tegra299", nvidia="127:")
    assert facts.gpus[0].capability is None
    assert "tegra299" in facts.unknown["gpus.0.capability"]


def test_a_name_with_commas_is_one_name():
    row = "0, GPU-1, NVIDIA RTX 6000, Ada, rev. 2, 8.9, 550.1, 49140, 48000, [N/A]"
    (card,) = linux(nvidia=NVIDIA + row).gpus
    assert (card.name, card.capability, card.memory_free) == (
        "NVIDIA RTX 6000, Ada, rev. 2",
        "8.9",
        48000 * MIB,
    )


@pytest.mark.parametrize(
    "cell", ["[Unknown Error]", "[GPU is lost]", "[Insufficient Permissions]", "[Function Not Found]"]
)
def test_memory_in_brackets_is_not_memory_of_the_processor(cell):
    facts = linux(nvidia=NVIDIA + f"0, GPU-1, NVIDIA A10, 8.6, 550.1, {cell}, {cell}, [N/A]")
    assert not facts.memory.unified
    assert cell in facts.unknown["gpus.0.memory_total"]


def test_a_driver_that_hangs_is_told_apart_from_one_that_fails():
    assert "did not answer in time" in linux(nvidia="124:").unknown["gpus"]
    assert "ended with 2:" in linux(nvidia="2:Field x is not a valid field").unknown["gpus"]


STRIX = {
    "drm": "card0/device/vendor:0x1002\ncard0/device/mem_info_vram_total:536870912\n"
    "card0/device/mem_info_gtt_total:66571993088\ncard0/device/mem_info_gtt_used:571993088",
    "kfd": "0/properties:simd_count 0\n0/properties:gfx_target_version 0\n"
    "1/properties:simd_count 80\n1/properties:simd_per_cu 2\n1/properties:gfx_target_version 110501",
}


def test_a_strong_gpu_of_a_processor_that_is_all_there_is_uses_main_memory():
    facts = linux(**STRIX)
    (card,) = facts.gpus
    assert (card.capability, card.memory_total, card.memory_free) == ("gfx1151", 66571993088, 66000000000)
    assert facts.memory.unified


def test_the_small_gpu_of_a_desktop_processor_is_never_a_card():
    small = {**STRIX, "kfd": STRIX["kfd"].replace("simd_count 80", "simd_count 4")}
    assert linux(**small).gpus == ()
    beside = NVIDIA + "0, GPU-1, NVIDIA GeForce RTX 4060, 8.9, 550.1, 8188, 8000, [N/A]"
    assert [card.vendor for card in linux(nvidia=beside, **STRIX).gpus] == ["nvidia"]


def test_a_card_of_amd_beside_the_processors_own_keeps_its_target():
    """rocm-smi of old ROCm names no target; the kernel names it by place on the bus."""
    facts = linux(
        rocm='{"card0": {"PCI Bus": "0000:0C:00.0", "Card series": "0x1002", "GPU ID": "0x164e", '
        '"VRAM Total Memory (B)": "536870912"}, "card1": {"PCI Bus": "0000:03:00.0", "Card series": '
        '"Navi 31", "VRAM Total Memory (B)": "25753026560", "VRAM Total Used Memory (B)": "26560"}}',
        kfd="1/properties:location_id 768\n1/properties:gfx_target_version 110000\n"
        "2/properties:location_id 3072\n2/properties:gfx_target_version 100306",
    )
    assert [(card.name, card.capability) for card in facts.gpus] == [("Navi 31", "gfx1100")]
    assert not facts.memory.unified


AMD_SMI = (
    '[{"gpu": 0, "asic": {"market_name": "AMD Radeon RX 9070 XT", "target_graphics_version": "gfx1201"}, '
    '"bus": {"bdf": "0000:03:00.0"}, "vram": {"size": {"value": 16304, "unit": "MB"}}}]'
)


@pytest.mark.parametrize("text", [AMD_SMI, f'{{"gpu_data": {AMD_SMI}}}'])
def test_both_shapes_of_amd_smi_are_read_and_the_kernel_adds_what_is_in_use(text):
    drm = (
        "card1/device/vendor:0x1002\ncard1/device/mem_info_vram_used:1048576\n"
        "card1/device/uevent:PCI_SLOT_NAME=0000:03:00.0"
    )
    (card,) = linux(amd_smi=text, drm=drm).gpus
    assert (card.name, card.capability) == ("AMD Radeon RX 9070 XT", "gfx1201")
    assert (card.memory_total, card.memory_free) == (16304 * MIB, 16303 * MIB)


VULKAN = """WARNING: some loader
Devices:
========
GPU0:
\tvendorID           = 0x8086
\tdeviceID           = 0x56a0
\tdeviceType         = PHYSICAL_DEVICE_TYPE_DISCRETE_GPU
\tdeviceName         = Intel(R) Arc(tm) A770 Graphics (DG2)
\tdriverID           = DRIVER_ID_INTEL_OPEN_SOURCE_MESA
\tdeviceUUID         = 8680a056-0800-0000-0300-000000000000
GPU1:
\tvendorID           = 0x8086
\tdeviceID           = 0x56a0
\tdeviceType         = PHYSICAL_DEVICE_TYPE_DISCRETE_GPU
\tdeviceName         = Intel(R) Arc(tm) A770 Graphics (DG2)
\tdeviceUUID         = 8680a056-0800-0000-0300-000000000000
GPU2:
\tvendorID           = 0x10005
\tdeviceType         = PHYSICAL_DEVICE_TYPE_CPU
\tdeviceName         = llvmpipe (LLVM 17.0.6, 256 bits)
"""


def test_a_card_that_two_drivers_list_is_one_and_the_kernel_says_its_memory():
    names = "card0/device/vendor:0x8086\ncard0/device/device:0x56a0\n"
    drm = names + "card0/device/tile0/physical_vram_size_bytes:17179869184"
    (card,) = linux(vulkan=VULKAN, drm=drm).gpus
    assert (card.vendor, card.api, card.memory_total) == ("intel", "vulkan", 16 * GIB)
    assert card.name == "Intel(R) Arc(tm) A770 Graphics (DG2)"
    facts = linux(vulkan=VULKAN)
    assert [card.memory_total for card in facts.gpus] == [None]
    assert "gpus.0.memory_total" in facts.unknown


def test_cards_of_several_vendors_each_keep_their_reasons():
    facts = linux(
        nvidia=NVIDIA + "0, GPU-1, NVIDIA GeForce RTX 4060, 8.9, 550.1, 8188, 8000, [N/A]",
        drm="card1/device/vendor:0x1002\ncard1/device/mem_info_vram_total:17163091968",
        vulkan=VULKAN,
    )
    assert [card.vendor for card in facts.gpus] == ["nvidia", "amd", "intel"]
    assert {"gpus.1.capability", "gpus.1.memory_free", "gpus.2.memory_total"} <= set(facts.unknown)


@pytest.mark.parametrize(
    ("total", "free"), [("12282", "99999"), ("0", "0"), ("9999999999999999999", "1"), ("12282", "-5")]
)
def test_memory_that_no_card_can_have_is_unknown_with_the_drivers_words(total, free):
    facts = linux(nvidia=NVIDIA + f"0, GPU-1, NVIDIA A10, 8.6, 550.1, {total}, {free}, [N/A]")
    (card,) = facts.gpus
    assert card.memory_free is None
    assert card.memory_total in (12282 * MIB, None)
    assert any(f"the driver says {word}" in " ".join(facts.unknown.values()) for word in (total, free))
    assert not facts.memory.unified


def test_a_capability_that_is_no_number_is_unknown():
    facts = linux(nvidia=NVIDIA + "0, GPU-1, NVIDIA A10, 8.6;x, 550.1, 24564, 24000, [N/A]")
    assert facts.gpus[0].capability is None
    assert "gpus.0.capability" in facts.unknown
