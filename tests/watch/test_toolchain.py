"""What the doctor says about compilers and toolkits: there or not, where, and what to type."""

from dataclasses import replace

from fleet.watch.toolchain import toolchain
from tests.backends.machines import (
    ARC,
    BARE,
    CUDA_FILES,
    FULL,
    GLSLC,
    PI,
    VULKAN_FILES,
    WISH,
    nvcc,
    tool,
    wish,
    with_tools,
)
from tests.builds.values import without


def told(facts, host=WISH):
    return [(one.level, one.about, one.message, one.next) for one in toolchain(host, facts)]


def test_every_part_of_the_chosen_backend_is_named_with_version_and_path():
    found = told(FULL)
    assert found[0] == ("ok", "backend", "cuda: NVIDIA CUDA", None)
    assert ("ok", "tools", "c++ 12.2.0, /usr/bin/c++", None) in found
    assert ("ok", "cuda", "nvcc 12.4.131, /usr/local/cuda/bin/nvcc", None) in found
    cublas = "the development files of cuBLAS, /usr/local/cuda/lib64/libcublas.so"
    assert ("ok", "cuda", cublas, None) in found


def test_a_backend_besides_the_chosen_one_is_a_line_with_what_it_would_take():
    looked = "(looked in /usr/local/cuda, /opt/cuda, /opt/rocm, /usr/lib/x86_64-linux-gnu)"
    parts = "glslc, the development files of Vulkan and the SPIR-V headers"
    command = "sudo apt-get install glslc libvulkan-dev spirv-headers"
    assert ("ok", "vulkan", f"Vulkan needs {parts}, which are not there {looked}", command) in told(FULL)
    both = told(with_tools(FULL, GLSLC, **VULKAN_FILES))
    could = 'could be built too with glslc 2023.8, /usr/bin/glslc: backend = "vulkan"'
    assert ("ok", "vulkan", could, None) in both


def test_what_is_missing_comes_with_the_command_that_brings_it():
    found = told(without(BARE, "c++", "ninja"))
    assert ("bad", "tools", "no C++ compiler", "sudo apt-get install g++") in found
    assert ("ok", "tools", "no ninja: fleet brings its own", "sudo apt-get install ninja-build") in found
    alone = told(without(BARE, "ninja", "cmake", libc="glibc 2.12"))
    assert ("bad", "tools", "no cmake", "sudo apt-get install cmake") in alone
    assert ("bad", "tools", "no ninja", "sudo apt-get install ninja-build") in alone
    ccache = "no ccache: what was compiled once is compiled again"
    assert ("warn", "tools", ccache, "sudo apt-get install ccache") in found


def test_compilers_beside_the_usual_one_are_listed():
    facts = with_tools(BARE, tool("g++-13", "13.3.0"), tool("clang++-17", "17.0.6"))
    also = "also clang++-17 17.0.6, /usr/bin/clang++-17; g++-13 13.3.0, /usr/bin/g++-13"
    assert ("ok", "tools", also, None) in told(facts)


def test_a_plan_that_would_be_refused_is_the_first_finding():
    level, about, message, following = told(without(FULL, "nvcc"))[0]
    assert (level, about) == ("bad", "build")
    assert message.startswith("NVIDIA GeForce RTX 4070 cannot be used: ")
    assert 'or set backend = "cpu" under [hosts.rtx]' in following


def test_what_was_asked_for_and_cannot_be_had_is_a_warning_of_its_own():
    found = told(replace(FULL, libraries={}), wish(backend="cuda"))
    assert [one[:2] for one in found if one[1] == "cuda"] == [("warn", "cuda")]
    assert "there is nvcc 12.4.131, /usr/local/cuda/bin/nvcc" in next(o[2] for o in found if o[1] == "cuda")


def test_a_toolkit_without_a_gpu_is_told_as_that():
    found = told(with_tools(BARE, nvcc("13.0.88"), **CUDA_FILES))
    assert ("ok", "cuda", "nvcc 13.0.88, /usr/local/cuda-13.0/bin/nvcc, but no GPU for it", None) in found


def test_a_machine_without_a_gpu_hears_of_no_gpu_toolkit():
    assert {one[1] for one in told(PI)} == {"backend", "tools"}
    assert ("ok", "vulkan", "glslc 2023.8, /usr/bin/glslc", None) in told(ARC)
