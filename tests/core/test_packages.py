"""The very command that brings a tool or a library, in the words of each system."""

from dataclasses import replace

import pytest

from fleet.core.facts import Tool
from fleet.core.packages import install, suggest
from tests.builds.values import DESKTOP, LAPTOP, MAC

SYSTEMS = {
    "debian": "Debian GNU/Linux 12 (bookworm)",
    "ubuntu": "Ubuntu 24.04.1 LTS",
    "fedora": "Fedora Linux 41 (Server Edition)",
    "rocky": "Rocky Linux 9.4 (Blue Onyx)",
    "arch": "Arch Linux",
    "alpine": "Alpine Linux v3.20",
    "suse": "openSUSE Tumbleweed",
    "nixos": "NixOS 24.11 (Vicuna)",
}


def on(system, *names, **changes):
    return install(replace(LAPTOP, os_version=SYSTEMS[system], **changes), *names)


@pytest.mark.parametrize(
    ("system", "command"),
    [
        ("debian", "sudo apt-get install glslc libvulkan-dev spirv-headers"),
        ("ubuntu", "sudo apt-get install glslc libvulkan-dev spirv-headers"),
        ("fedora", "sudo dnf install glslc vulkan-headers vulkan-loader-devel spirv-headers-devel"),
        ("rocky", "sudo dnf install glslc vulkan-headers vulkan-loader-devel spirv-headers-devel"),
        ("arch", "sudo pacman -S shaderc vulkan-headers vulkan-icd-loader spirv-headers"),
        ("alpine", "sudo apk add shaderc vulkan-headers vulkan-loader-dev spirv-headers"),
        ("suse", "sudo zypper install shaderc vulkan-devel spirv-headers-devel"),
        ("nixos", "nix-shell -p shaderc vulkan-headers vulkan-loader spirv-headers"),
    ],
)
def test_what_vulkan_needs(system, command):
    assert on(system, "glslc", "vulkan", "spirv-headers") == command


@pytest.mark.parametrize(
    ("system", "command"),
    [
        ("debian", "sudo apt-get install nvidia-cuda-toolkit"),
        ("fedora", "sudo dnf install cuda-toolkit (from NVIDIA's repository)"),
        ("arch", "sudo pacman -S cuda"),
        ("suse", "sudo zypper install cuda-toolkit (from NVIDIA's repository)"),
        ("nixos", "nix-shell -p cudaPackages.cudatoolkit"),
        ("alpine", "install nvcc, which Alpine Linux v3.20 has no package of"),
    ],
)
def test_a_whole_cuda_toolkit(system, command):
    assert on(system, "nvcc", "cudart", "cublas") == command


def test_a_part_of_the_toolkit_comes_from_where_the_rest_came_from():
    nvidias = replace(DESKTOP, os_version=SYSTEMS["ubuntu"])
    assert install(nvidias, "cublas") == "sudo apt-get install libcublas-dev-12-4 (from NVIDIA's repository)"
    rocky = replace(DESKTOP, os_version=SYSTEMS["rocky"])
    assert install(rocky, "cudart", "cublas") == (
        "sudo dnf install cuda-cudart-devel-12-4 libcublas-devel-12-4 (from NVIDIA's repository)"
    )
    own = replace(nvidias, tools={"nvcc": Tool("nvcc", "/usr/bin/nvcc", "12.0.140")})
    assert install(own, "cublas") == "sudo apt-get install libcublas-dev"


@pytest.mark.parametrize(
    ("system", "command"),
    [
        ("ubuntu", "sudo apt-get install rocm (from AMD's repository)"),
        ("fedora", "sudo dnf install hipcc rocm-hip-devel hipblas-devel rocblas-devel"),
        ("rocky", "sudo dnf install rocm (from AMD's repository)"),
        ("arch", "sudo pacman -S rocm-hip-sdk"),
    ],
)
def test_what_rocm_needs(system, command):
    assert on(system, "hipconfig", "hipblas", "rocblas") == command


@pytest.mark.parametrize(
    ("system", "name", "command"),
    [
        ("debian", "g++-13", "sudo apt-get install g++-13"),
        ("fedora", "g++-13", "sudo dnf install gcc13-c++"),
        ("rocky", "g++-13", "sudo dnf install gcc-toolset-13-gcc-c++"),
        ("arch", "g++-13", "sudo pacman -S gcc13"),
        ("suse", "gcc-13", "sudo zypper install gcc13"),
        ("debian", "clang++-17", "sudo apt-get install clang-17"),
        ("debian", "oneapi", "sudo apt-get install intel-oneapi-base-toolkit (from Intel's repository)"),
        ("debian", "opencl", "sudo apt-get install ocl-icd-opencl-dev opencl-headers"),
        ("alpine", "g++-13", "install g++-13, which Alpine Linux v3.20 has no package of"),
    ],
)
def test_a_compiler_of_a_wanted_version_and_other_libraries(system, name, command):
    assert on(system, name) == command


def test_windows_brings_the_driver_of_wsl_and_jetpack_the_toolkit_of_a_jetson():
    card = replace(DESKTOP.gpus[0], runtime="12.8")
    wsl = replace(DESKTOP, platform="wsl", os_version="Ubuntu 24.04.1 LTS on WSL2", tools={}, gpus=(card,))
    assert install(wsl, "nvcc") == (
        "sudo apt-get install cuda-toolkit-12-8"
        " (from NVIDIA's WSL repository; never a Linux driver: Windows brings it)"
    )
    jetson = replace(wsl, platform="jetson", os_version="Ubuntu 22.04.5 LTS on Jetson Linux R36.4")
    assert install(jetson, "nvcc", "cublas") == "sudo apt-get install nvidia-jetpack"


def test_a_wanted_version_of_the_toolkit():
    assert suggest("nvcc", "12.9.86") == "nvcc-12.9"
    assert suggest("nvcc", None) == "nvcc"
    assert on("ubuntu", "nvcc-12.9") == "sudo apt-get install cuda-toolkit-12-9 (from NVIDIA's repository)"


def test_a_mac_and_a_system_nobody_knows():
    assert install(MAC, "c++", "glslc", "ninja") == "xcode-select --install && brew install shaderc ninja"
    assert install(replace(LAPTOP, platform="termux"), "c++", "cmake") == "pkg install clang cmake"
    assert install(replace(LAPTOP, os_version=None), "c++", "cmake") == (
        "install c++ and cmake with the package manager of that host"
    )
    assert on("debian", "cmake", user="root") == "apt-get install cmake"


def test_a_release_older_than_the_package_of_glslc_is_told_where_to_get_it():
    jammy = replace(LAPTOP, os_version="Ubuntu 22.04.5 LTS")
    assert install(jammy, "glslc").endswith(
        "(glslc from LunarG's Vulkan SDK: this release has no package of it)"
    )
