"""Why a build failed, from what compilers and CMake really print."""

import pytest

from fleet.builds.explain import BACKEND, COMPILE, CONFIGURE, OTHER_CPU, SMOKE, explain
from tests.builds.values import DESKTOP, LAPTOP

ROOM = "fleet gc laptop --dry-run, or set root under [hosts.laptop] to a bigger disk"


@pytest.mark.parametrize(
    ("tail", "code", "what", "remedy"),
    [
        (["CMake Error at CMakeLists.txt:2 (project):", "  No CMAKE_CXX_COMPILER could be found."], CONFIGURE,
         "there is no C++ compiler", "on laptop: sudo apt-get install g++"),
        (["  CMake 3.18 or higher is required.  You are running version 3.13.4"], CONFIGURE,
         "cmake 3.13.4 is too old: 3.18 is needed", "on laptop: pip install --user cmake"),
        (["    CUDA::cublas but the target was not found.  Possible reasons include:"], CONFIGURE,
         "the CUDA toolkit lacks its development files for cublas",
         "on laptop: sudo apt-get install libcublas-dev"),
        (["  Target \"ggml-cuda\" links to:", "", "    CUDA::cublas", "",
          "  but the target was not found.  Possible reasons include:"], CONFIGURE,
         "the CUDA toolkit lacks its development files for cublas",
         "on laptop: sudo apt-get install libcublas-dev"),
        (["-- The HIP compiler identification is unknown",
          "CMake Error at /usr/share/cmake-3.25/Modules/CMakeDetermineHIPCompiler.cmake:103 (message):",
          'See also "x/CMakeFiles/CMakeError.log".'], CONFIGURE,
         "there is no HIP compiler that cmake could use",
         "on laptop: sudo apt-get install rocm (from AMD's repository)"),
        (["CMake Error at x/CMakeLists.txt:1 (message):", 'See also "x/CMakeError.log".'], CONFIGURE,
         "cmake failed: CMake Error at x/CMakeLists.txt:1 (message):", "fleet doctor laptop"),
        (["    CUDA::cuda_driver but the target was not found.  Possible reasons include:"], CONFIGURE,
         "the CUDA toolkit lacks its development files for cuda_driver",
         "on laptop: sudo apt-get install nvidia-cuda-toolkit"),
        (["  Failed to detect a default CUDA architecture."], CONFIGURE,
         "nvcc is there and compiles nothing: its toolkit is not whole",
         "on laptop: sudo apt-get install nvidia-cuda-toolkit"),
        (["  Could NOT find Vulkan (missing: Vulkan_LIBRARY Vulkan_INCLUDE_DIR glslc)"], CONFIGURE,
         "the development files of Vulkan are not there: Vulkan_LIBRARY Vulkan_INCLUDE_DIR glslc",
         "on laptop: sudo apt-get install libvulkan-dev glslc"),
        (['  Could not find a package configuration file provided by "SPIRV-Headers"'], CONFIGURE,
         "the SPIR-V headers are not there", "on laptop: sudo apt-get install spirv-headers"),
        (['  Could not find a package configuration file provided by "hipblas" with any'], CONFIGURE,
         "ROCm lacks its development files for hipblas",
         "on laptop: sudo apt-get install rocm (from AMD's repository)"),
        (["  At least ROCM/HIP V6.1 is required"], CONFIGURE, "this ROCm is older than 6.1",
         "on laptop: sudo apt-get install rocm (from AMD's repository)"),
        (["/usr/include/bits/mathcalls.h(83): error: exception specification is",
          '  incompatible with that of previous function "cospi"'], COMPILE,
         "this CUDA toolkit is older than the host's C library and does not get on with it",
         'install a newer CUDA toolkit on laptop, or set backend = "cpu" under [hosts.laptop]'),
        (["g++: error: unrecognized command-line option '-mavxvnni'; did you mean '-mavx5124vnniw'?"],
         COMPILE,
         "the compiler is too old for the processors of a portable build: it has no -mavxvnni",
         "take portable out of [hosts.laptop], or a newer compiler"),
        (["#error -- unsupported GNU version! gcc versions later than 13 are not supported!"], COMPILE,
         "nvcc does not accept this host's gcc: gcc versions later than 13 are not supported!",
         'install an older gcc or a newer CUDA toolkit, or set backend = "cpu" under [hosts.laptop]'),
        (["nvcc fatal   : Unsupported gpu architecture 'compute_120'"], COMPILE,
         "this CUDA toolkit does not know the GPU (compute_120)",
         'install another CUDA toolkit, or set backend = "cpu" under [hosts.laptop]'),
        (["c++: fatal error: Killed signal terminated program cc1plus"], COMPILE,
         "a compiler was killed: memory ran out",
         "stop servers on laptop for the build, then the same again"),
        (["fatal error: error writing to /tmp/x.s: No space left on device"], COMPILE,
         "the disk is full", ROOM),
        (["bin/llama-server: error while loading shared libraries: libgomp.so.1: cannot open"], SMOKE,
         "the library libgomp.so.1 is not on this host", "fleet build laptop --rebuild"),
        (["fleet: error: smoke test: llama-bench died of an illegal instruction: built for another CPU"],
         OTHER_CPU, "built for another CPU", "fleet build laptop --rebuild"),
        (["../src/a.cpp:3:5: error: 'x' was not declared in this scope", "ninja: build stopped.",
          "fleet: error: the compiler failed (exit code 1)"], COMPILE,
         "the compiler failed: ../src/a.cpp:3:5: error: 'x' was not declared in this scope",
         "fleet doctor laptop"),
        (["CMake Error at CMakeLists.txt:9 (message):", "", "  something of its own", "--"], CONFIGURE,
         "cmake failed: something of its own", "fleet doctor laptop"),
        (["fleet: error: the build has no CUDA device", "fleet: next: ask the driver"], BACKEND,
         "the build has no CUDA device", "ask the driver"),
        ([], 137, "the build was killed, which a full memory does",
         "stop servers there, then the same again"),
        ([], 3, "the build ended with exit code 3", "fleet doctor laptop"),
    ],
)  # fmt: skip
def test_the_cause_is_a_sentence_with_a_remedy(tail, code, what, remedy):
    assert explain(tail, code, LAPTOP) == (what, remedy)


def test_without_facts_the_remedy_names_the_tool_and_the_host():
    tail = ["No CMAKE_CXX_COMPILER could be found."]
    assert explain(tail, CONFIGURE, host="rtx")[1] == "on rtx: install c++"
    assert explain([], OTHER_CPU, host="rtx")[1] == "fleet build rtx --rebuild"


def test_the_remedy_is_for_the_host_that_failed():
    assert explain(["xcrun: error: invalid active developer path"], CONFIGURE, DESKTOP)[1].startswith(
        "on rtx: "
    )
