"""Toolkit, GPU, driver and compiler must suit one another: what is taken, and what is said if not."""

from dataclasses import replace

import pytest

from fleet.backends.base import BACKENDS, choose
from fleet.backends.rules import nvidia as rules
from fleet.core.errors import PlanError
from fleet.core.facts import Tool
from tests.backends.machines import CUDA_FILES, FULL, ORIN, WISH, nvcc, nvidia, tool, wish, with_tools
from tests.builds.values import without

CUDA = BACKENDS.take("cuda")


def refused(facts):
    with pytest.raises(PlanError) as error:
        choose(wish(backend="cuda"), facts)
    return error.value


@pytest.mark.parametrize(
    ("toolkit", "capability", "runtime", "what", "remedy"),
    [
        (
            *("13.0.88", "6.1", "13.0"),
            "CUDA 13.0 no longer compiles for the card (capability 6.1); 12.9 is the last that does",
            "cuda-toolkit-12-9 (from NVIDIA's repository)",
        ),
        (
            *("12.4.131", "12.0", "12.8"),
            "CUDA 12.4 is too old for the card (capability 12.0), which needs 12.8 or newer",
            "cuda-toolkit-12-8",
        ),
        (
            *("11.5.119", "8.9", "12.4"),
            "CUDA 11.5 is too old for the card (capability 8.9), which needs 11.8 or newer",
            "cuda-toolkit-11-8",
        ),
        (
            *("12.8.93", "8.9", "12.4"),
            "CUDA 12.8 is newer than the driver of the card accepts (CUDA 12.4)",
            "a newer driver, or sudo apt-get install cuda-toolkit-12-4",
        ),
        (
            *("13.0.88", "8.9", None),
            "CUDA 13.0 is newer than the driver of the card accepts (driver 550.54)",
            "a newer driver, or ",
        ),
    ],
)
def test_a_toolkit_that_does_not_suit_is_told_before_anything_is_built(
    toolkit, capability, runtime, what, remedy
):
    card = nvidia("the card", capability, runtime)
    error = refused(replace(with_tools(FULL, nvcc(toolkit)), gpus=(card,)))
    assert error.what == what
    assert remedy in error.next


@pytest.mark.parametrize(
    "toolkit", ["11.8.89", "12.1.105", "12.4.131", "12.6.85", "12.8.93", "13.0.88", "13.2.78"]
)
def test_each_toolkit_takes_the_newest_gcc_it_was_measured_to_take(toolkit):
    most = rules.ceiling(tuple(map(int, toolkit.split(".")[:2])))
    card = nvidia("the card", "8.9", "13.2")
    fits = replace(with_tools(FULL, nvcc(toolkit), tool("c++", f"{most.gcc}.1.0")), gpus=(card,))
    assert "HOST_COMPILER" not in "".join(choose(WISH, fits)[1].flags(fits))
    newer = with_tools(fits, tool("c++", f"{most.gcc + 1}.1.0"))
    assert refused(newer).what == (
        f"CUDA {'.'.join(toolkit.split('.')[:2])} accepts gcc up to {most.gcc}, "
        f"and c++ here is {most.gcc + 1}.1.0"
    )


def test_an_older_gcc_beside_the_usual_one_compiles_the_code_for_the_gpu():
    facts = with_tools(FULL, tool("c++", "15.1.0"), tool("g++-12", "12.4.0"), tool("g++-13", "13.3.0"))
    facts = with_tools(facts, tool("g++-14", "14.2.0"))
    _, kind, notes = choose(WISH, facts)
    assert "CMAKE_CUDA_HOST_COMPILER=g++-13" in kind.flags(facts)
    assert kind.compilers(facts) == ("c++", "nvcc", "g++-13")
    assert notes == (
        "CUDA code is compiled with g++-13 (13.3.0): CUDA 12.4 accepts gcc up to 13, and c++ here is 15.1.0",
    )


def test_without_an_older_gcc_the_command_that_brings_it_is_named():
    error = refused(with_tools(FULL, tool("c++", "15.1.0")))
    assert error.what == "CUDA 12.4 accepts gcc up to 13, and c++ here is 15.1.0"
    assert error.next.startswith("on rtx: sudo apt-get install g++-13, or a newer CUDA toolkit")


def test_a_clang_is_measured_as_a_clang():
    facts = with_tools(FULL, tool("c++", "17.0.6"), tool("clang++", "17.0.6"), tool("g++", "12.2.0"))
    assert "HOST_COMPILER" not in "".join(CUDA.flags(facts))
    newer = with_tools(facts, tool("c++", "18.1.3"), tool("clang++", "18.1.3"), tool("g++-12", "12.2.0"))
    assert "CMAKE_CUDA_HOST_COMPILER=g++-12" in CUDA.flags(newer)


def test_of_several_toolkits_the_newest_that_suits_card_driver_and_compiler_is_taken():
    both = with_tools(FULL, nvcc("13.0.88"), nvcc("12.4.131", "nvcc-12.4"), nvcc("11.8.89", "nvcc-11.8"))
    _, kind, notes = choose(WISH, both)
    assert kind.prelude(both) == "CUDACXX=/usr/local/cuda-12.4/bin/nvcc\nexport CUDACXX\n"
    assert kind.compilers(both) == ("c++", "nvcc-12.4")
    assert notes == ("CUDA 12.4.131 is used, /usr/local/cuda-12.4/bin/nvcc; also there: 13.0.88, 11.8.89",)
    newer = replace(both, gpus=(nvidia("card", "8.9", "13.0"),))
    assert "cuda-13.0" in kind.prelude(newer)
    gcc = with_tools(newer, tool("c++", "16.1.0"))
    assert "16.1.0" in refused(gcc).what


def test_one_toolkit_under_two_names_is_one():
    facts = with_tools(FULL, nvcc("12.4.131"), nvcc("12.4.131", "nvcc-12.4"))
    assert choose(WISH, facts)[2] == ()


@pytest.mark.parametrize(
    ("absent", "words"),
    [
        (("cublas",), "the development files of cuBLAS, which are not there"),
        (("cudart",), "the development files of the CUDA runtime, which are not there"),
        (
            ("cudart", "cublas"),
            "the development files of the CUDA runtime and the development files of cuBLAS",
        ),
    ],
)
def test_half_a_toolkit_is_told_by_its_missing_half_and_where_it_was_looked_for(absent, words):
    files = {name: path for name, path in CUDA_FILES.items() if name not in absent}
    error = refused(replace(FULL, libraries=files))
    assert words in error.what
    assert "(looked in /usr/local/cuda, /opt/cuda)" in error.what
    assert all(part in error.next for part in (name.replace("cudart", "cuda-cudart") for name in absent))
    assert "-dev-12-4 " in f"{error.next} "


def test_where_nobody_looked_for_libraries_none_is_missing():
    assert choose(WISH, replace(FULL, libraries={}, searched=()))[0] == "cuda"


def test_libraries_of_one_toolkit_do_not_make_up_for_those_of_another():
    files = {"cudart-12.4": "/a", "cudart-13.0": "/b", "cublas-13.0": "/c"}
    facts = replace(with_tools(FULL, nvcc("12.4.131")), libraries=files)
    assert "the development files of cuBLAS" in refused(facts).what


def test_different_gpus_are_all_compiled_for():
    cards = (nvidia("a", "8.9"), nvidia("b", "7.5"), nvidia("c", "8.9"), nvidia("d", "12.0"))
    assert "CMAKE_CUDA_ARCHITECTURES=75;89;120" in CUDA.flags(replace(FULL, gpus=cards))
    mixed = replace(
        with_tools(FULL, nvcc("13.0.88")), gpus=(nvidia("a", "8.9", "13.0"), nvidia("b", "6.1", "13.0"))
    )
    assert refused(mixed).what.startswith("CUDA 13.0 no longer compiles for b")


@pytest.mark.parametrize(
    ("name", "architecture"),
    [("NVIDIA GeForce RTX 4070", "89"), ("Tesla V100-SXM2-16GB", "70"), ("NVIDIA GeForce GTX 1080 Ti", "61"),
     ("NVIDIA H100 80GB HBM3", "90"), ("NVIDIA X999", "native")],
)  # fmt: skip
def test_a_driver_too_old_to_say_the_capability_is_made_up_for_by_the_name(name, architecture):
    facts = replace(FULL, gpus=(nvidia(name, None),))
    assert f"CMAKE_CUDA_ARCHITECTURES={architecture}" in CUDA.flags(facts)


def test_a_jetson_has_one_toolkit_from_jetpack_and_no_driver_to_ask():
    assert choose(WISH, ORIN)[0] == "cuda"
    error = refused(without(ORIN, "nvcc"))
    assert error.next.startswith("on orin: sudo apt-get install nvidia-jetpack")


def test_the_nvcc_of_the_distribution_gets_the_files_of_the_distribution():
    facts = with_tools(replace(FULL, libraries={}), {"nvcc": Tool("nvcc", "/usr/bin/nvcc", "12.4.131")})
    assert "sudo apt-get install nvidia-cuda-dev libcublas-dev" in refused(facts).next


@pytest.mark.parametrize(
    ("capability", "system", "command"),
    [
        ("8.9", "Debian GNU/Linux 12 (bookworm)", "sudo apt-get install nvidia-cuda-toolkit"),
        ("8.9", "Fedora Linux 41", "sudo dnf install cuda-toolkit-12-8 (from NVIDIA's repository)"),
        ("6.1", "Fedora Linux 41", "sudo dnf install cuda-toolkit-12-9 (from NVIDIA's repository)"),
        ("12.0", "Ubuntu 24.04", "sudo apt-get install cuda-toolkit-12-8 (from NVIDIA's repository)"),
    ],
)
def test_the_toolkit_to_install_is_one_that_compiles_for_the_card(capability, system, command):
    card = nvidia("the card", capability, "12.8")
    error = refused(without(FULL, "nvcc", gpus=(card,), os_version=system))
    assert error.next.startswith(f"on rtx: {command}")
