"""Which backend a host gets, and what it is told when it cannot have one."""

from dataclasses import replace

import pytest

from fleet.backends.base import BACKENDS, choose, lacking
from fleet.core.errors import PlanError
from fleet.core.facts import Gpu
from tests.backends.machines import (
    ARC,
    BARE,
    CUDA_FILES,
    DUAL,
    FULL,
    GLSLC,
    I7,
    M3,
    ORIN,
    PI,
    ROCM_FILES,
    VULKAN_FILES,
    WISH,
    WSL,
    XTX,
    amd,
    nvcc,
    nvidia,
    tool,
    wish,
    with_tools,
)
from tests.builds.values import without


def refusal(facts, host=WISH):
    with pytest.raises(PlanError) as error:
        choose(host, facts)
    assert error.value.exit_code == 6
    return error.value


@pytest.mark.parametrize(
    ("facts", "name", "flags"),
    [
        (FULL, "cuda", ("GGML_CUDA=ON", "CMAKE_CUDA_ARCHITECTURES=89")),
        (I7, "cpu", ()),
        (M3, "metal", ("GGML_METAL=ON", "GGML_METAL_EMBED_LIBRARY=ON")),
        (DUAL, "cuda", ("GGML_CUDA=ON", "CMAKE_CUDA_ARCHITECTURES=86")),
        (XTX, "hip", ("GGML_HIP=ON", "GPU_TARGETS=gfx1100")),
        (ORIN, "cuda", ("GGML_CUDA=ON", "CMAKE_CUDA_ARCHITECTURES=87")),
        (PI, "cpu", ()),
        (WSL, "cuda", ("GGML_CUDA=ON", "CMAKE_CUDA_ARCHITECTURES=89")),
        (ARC, "vulkan", ("GGML_VULKAN=ON",)),
        (replace(M3, arch="x86_64", gpus=()), "cpu", ("GGML_METAL=OFF",)),
        (with_tools(BARE, nvcc("13.0.88"), **CUDA_FILES), "cpu", ()),
    ],
    ids=[
        *("RTX 4070", "i7-13700H", "M3 Max", "two RTX 3090", "RX 7900 XTX", "Jetson Orin", "Pi 5", "WSL2"),
        *("Intel Arc", "Intel Mac", "nvcc without a GPU"),
    ],
)
def test_the_best_backend_that_a_machine_can_build_is_taken(facts, name, flags):
    for host in (WISH, wish(backend="auto")):
        chosen, kind, notes = choose(host, facts)
        assert chosen == name
        assert kind.flags(facts) == flags
        assert notes == ()


def test_the_inventory_has_the_last_word():
    assert choose(wish(backend="cpu"), FULL)[0] == "cpu"
    assert (
        choose(wish(backend="cpu"), replace(BARE, unknown={"gpus": "nvidia-smi ended with 9: no"}))[2] == ()
    )
    vulkan = with_tools(FULL, GLSLC, **VULKAN_FILES)
    assert choose(wish(backend="vulkan"), vulkan)[0] == "vulkan"


def test_vulkan_takes_over_where_cuda_cannot_be_built_and_the_plan_says_why():
    facts = with_tools(without(FULL, "nvcc", libraries={}), GLSLC, **VULKAN_FILES)
    name, kind, notes = choose(WISH, facts)
    assert (name, kind.device) == ("vulkan", "Vulkan")
    (note,) = notes
    assert note == (
        "NVIDIA CUDA is not used: it needs nvcc, the development files of the CUDA runtime and the"
        " development files of cuBLAS, which are not there (looked in /usr/local/cuda, /opt/cuda);"
        " to use it: sudo apt-get install nvidia-cuda-toolkit"
    )


def test_a_gpu_that_nothing_can_be_built_for_is_never_given_to_the_processor():
    error = refusal(without(FULL, "nvcc"))
    assert error.what.startswith("NVIDIA GeForce RTX 4070 cannot be used: NVIDIA CUDA needs nvcc, which is ")
    assert "; Vulkan needs glslc, " in error.what
    assert error.next == (
        'on rtx: sudo apt-get install nvidia-cuda-toolkit; or set backend = "cpu" under [hosts.rtx]; '
        'or let it have a finished build: source = "prebuilt:URL" under [llama_cpp]'
    )


@pytest.mark.parametrize(
    "reason",
    [
        "nvidia-smi ended with 18: Failed to initialize NVML: Driver/library version mismatch",
        "nvidia-smi ended with 9: NVIDIA-SMI has failed",
    ],
)
def test_a_failed_driver_is_refused_until_somebody_looks(reason):
    error = refusal(replace(BARE, unknown={"gpus": reason}))
    assert error.what == (
        f"its GPU does not answer, and fleet does not go over to the processor by itself: {reason}"
    )
    assert error.next == (
        'reboot laptop, then fleet doctor laptop; or set backend = "cpu" under [hosts.laptop]'
    )


def test_a_failed_driver_does_not_stop_another_gpu_but_is_told():
    notes = choose(WISH, replace(ARC, unknown={"gpus": "nvidia-smi ended with 9: no"}))[2]
    assert notes == ("no other GPU is used: nvidia-smi ended with 9: no; see: fleet facts arc",)


def test_a_card_that_never_had_a_driver_is_a_note():
    reason = "an NVIDIA card is there, but no nvidia-smi: its driver is not installed"
    name, _, notes = choose(WISH, replace(BARE, unknown={"gpus": reason}))
    assert name == "cpu"
    assert notes == (f"no GPU is used: {reason}; see: fleet facts laptop",)


def test_a_gpu_beside_the_chosen_one_is_not_passed_over_silently():
    both = replace(FULL, gpus=(*FULL.gpus, amd("Radeon RX 580", "gfx803")))
    assert choose(WISH, both)[2] == ("Radeon RX 580 is not used: NVIDIA CUDA does not compute with it",)


def test_a_backend_that_was_asked_for_is_refused_with_the_way_out():
    error = refusal(without(FULL, "nvcc"), wish(backend="cuda"))
    assert error.what.startswith("NVIDIA CUDA needs nvcc, which is not there")
    assert error.next == (
        'on rtx: sudo apt-get install nvidia-cuda-toolkit; or set backend = "cpu" under [hosts.rtx]'
    )
    assert "(found: no GPU)" in refusal(BARE, wish(backend="cuda")).what
    broken = replace(BARE, unknown={"gpus": "nvidia-smi ended with 18: mismatch"})
    assert refusal(broken, wish(backend="cuda")).what.endswith(": nvidia-smi ended with 18: mismatch")


def test_a_backend_that_nobody_knows_is_refused_with_the_known_ones():
    error = refusal(FULL, wish(backend="cudda"))
    assert error.next == f"one of: {', '.join(BACKENDS.names)}"
    assert {"cpu", "cuda", "hip", "metal", "vulkan", "sycl", "rpc"} <= set(BACKENDS.names)


@pytest.mark.parametrize("name", ["llvmpipe (LLVM 15.0.6, 256 bits)", "SwiftShader Device (LLVM 10.0.0)"])
def test_a_program_that_calls_itself_a_gpu_is_none(name):
    fake = Gpu("intel", name, "vulkan", 8 * 2**30, None, None, None, None)
    facts = with_tools(replace(BARE, gpus=(fake,)), GLSLC, **VULKAN_FILES)
    assert BACKENDS.take("vulkan").score(facts) == 0
    assert "llvmpipe does, is no device" in refusal(facts, wish(backend="vulkan")).what


def test_windows_nvidia_driver_brings_no_vulkan_into_wsl():
    facts = with_tools(without(WSL, "nvcc"), GLSLC, **VULKAN_FILES)
    error = refusal(facts)
    assert "Vulkan" not in error.what
    assert "cuda-toolkit-12-4 (from NVIDIA's WSL repository; never a Linux driver" in error.next


def test_intel_takes_vulkan_first_and_sycl_only_where_oneapi_is_there():
    oneapi = {"oneapi": "/opt/intel/oneapi/setvars.sh", "mkl": "/opt/intel/oneapi/mkl"}
    assert choose(WISH, with_tools(ARC, **oneapi))[0] == "vulkan"
    name, kind, notes = choose(WISH, with_tools(replace(ARC, tools=BARE.tools), **oneapi))
    assert (name, kind.device) == ("sycl", "SYCL")
    assert notes[0].startswith("Vulkan is not used: it needs glslc")
    assert "/opt/intel/oneapi/setvars.sh" in kind.launch(with_tools(ARC, **oneapi))


def test_the_device_of_another_machine_is_never_chosen_by_itself():
    assert "rpc" not in {choose(WISH, facts)[0] for facts in (FULL, I7, M3, PI)}
    name, kind, _ = choose(wish(backend="rpc", rpc=("127.0.0.1:50052", "10.0.0.2:50052")), PI)
    assert (name, kind.device, kind.targets) == ("rpc", "RPC", ("ggml-rpc-server",))
    two = wish(backend="rpc", rpc=("127.0.0.1:50052", "10.0.0.2:50052"))
    assert kind.arguments(two) == ("--rpc", "127.0.0.1:50052,10.0.0.2:50052")
    assert BACKENDS.take("cuda").arguments(two) == ()
    assert kind.flags(M3) == ("GGML_RPC=ON", "GGML_METAL=OFF")


@pytest.mark.parametrize("card", [nvidia("NVIDIA GeForce GTX 1080", "6.1"), amd("Radeon RX 580", "gfx803")])
def test_an_old_card_computes_through_vulkan(card):
    facts = with_tools(
        replace(BARE, gpus=(card,)), GLSLC, nvcc("13.0.88"), tool("hipconfig", "6.2"), **VULKAN_FILES
    )
    facts = with_tools(facts, **CUDA_FILES, **ROCM_FILES)
    name, _, notes = choose(WISH, facts)
    assert name == "vulkan"
    assert len(notes) == 1


def test_every_backend_but_the_processor_is_proven_by_its_device():
    for name, kind in BACKENDS.all():
        assert (kind.device is None) == (kind.switch is None) == (name == "cpu")


@pytest.mark.parametrize(
    ("targets", "flags", "launch"),
    [
        (["gfx1100", "gfx1100"], "GPU_TARGETS=gfx1100", ""),
        (["gfx1030", "gfx1100"], "GPU_TARGETS=gfx1030;gfx1100", ""),
        (
            ["gfx1031"],
            "GPU_TARGETS=gfx1030",
            "HSA_OVERRIDE_GFX_VERSION=10.3.0\nexport HSA_OVERRIDE_GFX_VERSION\n",
        ),
        (
            ["gfx1100", "gfx1032"],
            "GPU_TARGETS=gfx1030;gfx1100",
            "HSA_OVERRIDE_GFX_VERSION_1=10.3.0\nexport HSA_OVERRIDE_GFX_VERSION_1\n",
        ),
    ],
)
def test_amd_cards_are_compiled_for_and_pass_for_a_sibling_where_they_must(targets, flags, launch):
    hip = BACKENDS.take("hip")
    facts = replace(XTX, gpus=tuple(amd(f"card {target}", target) for target in targets))
    assert lacking(hip, facts) is None
    assert hip.flags(facts) == ("GGML_HIP=ON", flags)
    assert hip.launch(facts) == launch
    assert len(hip.notes(facts)) == bool(launch)


@pytest.mark.parametrize(
    ("target", "rocm", "what"),
    [
        ("gfx1100", "5.7.1", "AMD ROCm needs ROCm (hipconfig) 6.1 or newer, and 5.7.1 is there"),
        ("gfx1201", "6.2.0", "ROCm 6.2.0 has no kernels for card (gfx1201), 6.4 is the first"),
        ("gfx803", "6.2.0", "ROCm has no kernels for card (gfx803)"),
    ],
)
def test_rocm_is_taken_only_where_it_has_kernels_for_the_card(target, rocm, what):
    facts = with_tools(replace(XTX, gpus=(amd("card", target),)), tool("hipconfig", rocm))
    assert lacking(BACKENDS.take("hip"), facts).what == what


def test_a_card_that_rocm_does_not_know_is_no_reason_to_install_rocm():
    facts = with_tools(replace(BARE, gpus=(amd("Radeon RX 580", "gfx803"),)))
    error = refusal(facts)
    assert error.what.startswith(
        "Radeon RX 580 cannot be used: ROCm has no kernels for Radeon RX 580 (gfx803)"
    )


def test_rocm_compiles_with_its_own_clang():
    assert BACKENDS.take("hip").prelude(XTX) == (
        'HIPCXX="$(/opt/rocm/bin/hipconfig -l)/clang" HIP_PATH="$(/opt/rocm/bin/hipconfig -R)"\n'
        "export HIPCXX HIP_PATH\n"
    )


def test_a_card_that_only_a_vulkan_driver_shows_is_no_cuda_card():
    nouveau = nvidia("NVIDIA GeForce RTX 2060 (NVK TU106)", None, None, api="vulkan", driver=None)
    facts = with_tools(replace(FULL, gpus=(nouveau,)), GLSLC, **VULKAN_FILES)
    assert choose(WISH, facts)[0] == "vulkan"
