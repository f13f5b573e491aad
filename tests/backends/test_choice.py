"""Which backend a host gets, and what it is told when it cannot have one."""

from dataclasses import replace

import pytest

from fleet.backends.base import BACKENDS, choose
from fleet.core.errors import PlanError
from fleet.core.facts import Tool
from fleet.core.inventory import Host
from tests.builds.values import DESKTOP, LAPTOP, MAC, RTX, TOOLS, WISH, without


def wish(backend: str) -> Host:
    return Host(address="192.0.2.1", backend=backend)


@pytest.mark.parametrize(("facts", "name"), [(LAPTOP, "cpu"), (DESKTOP, "cuda"), (MAC, "metal")])
def test_the_best_backend_that_a_host_can_build_is_taken(facts, name):
    assert choose(WISH, facts)[0] == name
    assert choose(wish("auto"), facts)[0] == name
    assert choose(WISH, facts)[2] == ()


def test_the_inventory_has_the_last_word():
    assert choose(wish("cpu"), DESKTOP)[0] == "cpu"


def test_a_gpu_without_its_toolkit_falls_back_to_the_cpu_and_says_how_to_get_it():
    name, _, notes = choose(WISH, without(DESKTOP, "nvcc"))
    assert name == "cpu"
    (note,) = notes
    assert note.startswith("NVIDIA CUDA is not used: cuda needs nvcc, which is not there; to use it: ")
    assert note.endswith('sudo apt-get install nvidia-cuda-toolkit, or set backend = "cpu" under [hosts.rtx]')


def test_cuda_that_was_asked_for_is_refused_without_nvcc():
    with pytest.raises(PlanError) as error:
        choose(wish("cuda"), without(DESKTOP, "nvcc"))
    assert error.value.what == "cuda needs nvcc, which is not there"
    assert error.value.next.startswith("sudo apt-get install nvidia-cuda-toolkit")
    assert 'backend = "cpu"' in error.value.next


def test_a_backend_without_its_device_is_refused():
    with pytest.raises(PlanError, match=r"backend cuda has no device here \(found: no GPU\)"):
        choose(wish("cuda"), replace(LAPTOP, tools=DESKTOP.tools))


def test_a_backend_that_nobody_knows_is_refused_with_the_known_ones():
    with pytest.raises(PlanError) as error:
        choose(wish("cudda"), DESKTOP)
    assert error.value.next == "one of: cpu, cuda, metal"


@pytest.mark.parametrize(
    ("nvcc", "capability", "gcc", "said"),
    [
        ("13.0", "6.1", "12.2.0", "no longer compiles for"),
        ("12.4.131", "12.0", "12.2.0", "is too old for"),
        ("12.4.131", "8.9", "14.2.0", "accepts gcc up to 13, and c.. here is 14"),
    ],
)
def test_a_toolkit_that_does_not_fit_is_told_before_anything_is_built(nvcc, capability, gcc, said):
    tools = TOOLS | {"nvcc": Tool("nvcc", "/x/nvcc", nvcc), "c++": Tool("c++", "/x/c++", gcc)}
    facts = replace(DESKTOP, gpus=(replace(RTX, capability=capability),), tools=tools)
    with pytest.raises(PlanError, match=said):
        choose(wish("cuda"), facts)


def test_cuda_compiles_for_the_gpus_that_are_there():
    cuda = BACKENDS.take("cuda")
    assert "CMAKE_CUDA_ARCHITECTURES=89" in cuda.flags(DESKTOP)
    both = replace(DESKTOP, gpus=(RTX, replace(RTX, capability="7.5"), RTX))
    assert "CMAKE_CUDA_ARCHITECTURES=75;89" in cuda.flags(both)
    unknown = replace(DESKTOP, gpus=(replace(RTX, capability=None),))
    assert "CMAKE_CUDA_ARCHITECTURES=native" in cuda.flags(unknown)
    assert cuda.prelude(DESKTOP) == "CUDACXX=/usr/local/cuda/bin/nvcc\nexport CUDACXX\n"


def test_the_cpu_backend_of_a_mac_switches_metal_off():
    assert BACKENDS.take("cpu").flags(MAC) == ("GGML_METAL=OFF",)
    assert BACKENDS.take("cpu").flags(LAPTOP) == ()


def test_a_gpu_that_did_not_answer_or_has_no_backend_yet_is_never_passed_over_silently():
    asleep = replace(LAPTOP, unknown={"gpus": "nvidia-smi ended with 9: driver not loaded"})
    assert choose(WISH, asleep)[2] == (
        "no GPU is used: nvidia-smi ended with 9: driver not loaded; see: fleet facts laptop",
    )
    radeon = replace(RTX, vendor="amd", name="Radeon RX 7900 XTX", api="hip", capability="gfx1100")
    notes = choose(WISH, replace(LAPTOP, gpus=(radeon, radeon)))[2]
    assert notes == ("Radeon RX 7900 XTX is not used: fleet has no backend for it yet",)
