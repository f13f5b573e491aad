"""The steps to a build, from facts."""

from dataclasses import replace

import pytest

from fleet.builds import plan, tools
from fleet.core.errors import PlanError
from fleet.core.facts import Disk, Tool
from fleet.core.flow import Claimed
from fleet.core.inventory import Host
from fleet.core.plan import Built, Fetch, Put, Run, Wait
from tests.builds.values import DESKTOP, LAPTOP, MAC, TOOLS, TREE, WISH, built, without

MINE = plan.recipe_for(WISH, LAPTOP, TREE)[0].fingerprint


MAKE = {"make": Tool("make", "/usr/bin/make", "4.3")}


def titles(steps):
    return [step.title for step in steps]


def kinds(steps):
    return [type(step.action) for step in steps]


def test_an_empty_host_gets_source_smoke_test_and_a_build_that_goes_to_the_cache():
    steps, notes = plan.steps("laptop", WISH, LAPTOP, TREE, Claimed("us"))
    assert [step.title for step in steps] == [
        "send the source of llama.cpp b11434",
        "send the smoke test",
        "build llama.cpp b11434, cpu",
        "fetch llama.cpp b11434, cpu for its twins",
    ]
    assert kinds(steps) == [Put, Put, Run, Fetch]
    assert steps[0].action.to == f"sources/{TREE.id}.tar.gz"
    assert steps[0].bytes == 10_000_000
    assert steps[2].action.job == f"build-{MINE}"
    assert steps[2].key == f"build:{MINE}"
    assert steps[3].action.path == f"builds/{MINE}"
    assert notes == ()


def test_the_second_plan_is_empty():
    assert plan.steps("laptop", WISH, built(LAPTOP, MINE), TREE) == ((), ())


def test_another_source_means_another_build():
    steps, _ = plan.steps("laptop", WISH, built(LAPTOP, MINE), replace(TREE, id="f" * 16))
    assert steps


def test_a_source_that_is_there_is_not_sent_again():
    steps, _ = plan.steps("laptop", WISH, replace(LAPTOP, sources=(TREE.id,)), TREE)
    assert kinds(steps) == [Put, Run, Fetch]
    assert steps[0].title == "send the smoke test"


def test_a_twin_waits_for_its_builder_and_receives_the_build():
    steps, _ = plan.steps("laptop", WISH, LAPTOP, TREE, Claimed("twin", builder="rtx"))
    assert kinds(steps) == [Wait, Put, Put, Run]
    assert steps[0].action.until == Built(MINE, "rtx")
    assert steps[1].action.artifact.kind == "build"
    assert steps[1].action.artifact.id == MINE


def test_a_cached_build_is_sent_and_proven_on_the_host():
    steps, _ = plan.steps("laptop", WISH, LAPTOP, TREE, Claimed("cache", size=9_000_000))
    assert kinds(steps) == [Put, Put, Run]
    assert steps[0].bytes == 9_000_000
    assert "llama-bench" in steps[2].action.script
    assert {step.key for step in steps if "smoke" not in step.key} == {f"build:{MINE}"}


def test_rebuild_builds_although_the_build_is_there_and_cached():
    steps, _ = plan.steps("laptop", WISH, built(LAPTOP, MINE), TREE, Claimed("us"), rebuild=True)
    assert Run in kinds(steps)
    cached, _ = plan.steps("laptop", WISH, LAPTOP, TREE, Claimed("cache"), rebuild=True)
    assert Fetch in kinds(cached)


@pytest.mark.parametrize(
    ("system", "user", "command"),
    [
        ("Debian GNU/Linux 12 (bookworm)", "ada", "sudo apt-get install g++"),
        ("Ubuntu 24.04.1 LTS", "root", "apt-get install g++"),
        ("Fedora Linux 41 (Server Edition)", "ada", "sudo dnf install gcc-c++"),
        ("Arch Linux", "ada", "sudo pacman -S gcc"),
        ("Alpine Linux v3.20", "root", "apk add g++ musl-dev linux-headers"),
        (None, "ada", "install c++ with the package manager of that host"),
    ],
)
def test_a_missing_compiler_comes_with_the_command_that_installs_it(system, user, command):
    with pytest.raises(PlanError) as error:
        plan.steps("laptop", WISH, without(LAPTOP, "c++", "cmake", os_version=system, user=user), TREE)
    assert error.value.what == "building llama.cpp needs a C++ compiler"
    finished = 'or let it have a finished build: source = "prebuilt:URL" under [llama_cpp]'
    assert error.value.next == f"on laptop: {command}; {finished}"
    assert error.value.exit_code == 6


def test_a_mac_without_command_line_tools_is_told_how_to_get_them():
    with pytest.raises(PlanError) as error:
        plan.steps("mac", WISH, without(MAC, "c++", "cmake"), TREE)
    assert error.value.next.startswith("on mac: xcode-select --install; ")


def test_a_host_that_only_receives_a_build_needs_no_tools():
    steps, _ = plan.steps("laptop", WISH, without(LAPTOP, "cmake", "ninja"), TREE, Claimed("cache"))
    assert steps


def test_make_is_enough_without_ninja():
    facts = replace(LAPTOP, tools={k: v for k, v in TOOLS.items() if k != "ninja"} | MAKE)
    assert titles(plan.steps("laptop", WISH, facts, TREE)[0])[0].startswith("send the source")
    steps, _ = plan.steps("laptop", WISH, without(LAPTOP, "ninja"), TREE)
    assert titles(steps)[:2] == [f"send ninja {tools.NINJA}", f"unpack ninja {tools.NINJA}"]


def test_cmake_and_ninja_come_with_fleet_where_a_host_lacks_them():
    both = f"cmake {tools.CMAKE} and ninja {tools.NINJA}"
    steps, _ = plan.steps("laptop", WISH, without(LAPTOP, "cmake", "ninja"), TREE)
    assert titles(steps)[:3] == [f"send {both}", f"unpack {both}", "send the source of llama.cpp b11434"]
    assert steps[0].bytes > 5_000_000
    assert steps[0].action.artifact.kind == "tool"
    assert "NAMES='cmake-" in steps[1].action.script


def test_a_cmake_that_is_too_old_is_replaced():
    old = replace(LAPTOP, tools=TOOLS | {"cmake": Tool("cmake", "/usr/bin/cmake", "3.13.4")})
    assert titles(plan.steps("laptop", WISH, old, TREE)[0])[0] == f"send cmake {tools.CMAKE}"


@pytest.mark.parametrize("libc", [None, "glibc 2.12", "musl 1.1.24", "musl"])
def test_where_no_wheel_fits_the_tools_are_to_be_installed(libc):
    with pytest.raises(PlanError, match="needs cmake and make") as error:
        plan.steps("laptop", WISH, without(LAPTOP, "cmake", "ninja", libc=libc), TREE)
    assert error.value.next.startswith("on laptop: sudo apt-get install cmake make; ")
    old = replace(LAPTOP, libc=libc, tools=TOOLS | {"cmake": Tool("cmake", "/usr/bin/cmake", "3.13.4")})
    with pytest.raises(PlanError, match=r"needs cmake 3\.15 or newer, and 3\.13\.4 is there"):
        plan.steps("laptop", WISH, old, TREE)


def test_a_disk_without_room_is_told_before_anything_moves():
    with pytest.raises(PlanError, match=r"takes 500\.0 MiB in .*, and 100\.0 MiB are free"):
        plan.steps("laptop", WISH, replace(LAPTOP, disk=Disk(2**33, 100 * 2**20, None)), TREE)


def test_the_program_of_a_gpu_build_asks_for_its_device():
    steps, _ = plan.steps("rtx", WISH, DESKTOP, TREE)
    script = next(step.action.script for step in steps if isinstance(step.action, Run))
    assert "DEVICE=CUDA\n" in script
    assert "CUDACXX=/usr/local/cuda/bin/nvcc\n" in script
    assert "GGML_CUDA=ON" in script


def test_a_gpu_that_cannot_be_used_is_refused_and_not_given_to_the_processor():
    with pytest.raises(PlanError, match="NVIDIA GeForce RTX 4070 cannot be used"):
        plan.steps("rtx", WISH, without(DESKTOP, "nvcc"), TREE)
    assert plan.steps("rtx", Host(address="x", backend="cpu"), without(DESKTOP, "nvcc"), TREE)[0]
    with pytest.raises(PlanError):
        plan.steps("rtx", Host(address="x", backend="cuda"), without(DESKTOP, "nvcc"), TREE)


def test_a_build_that_computes_on_lent_devices_is_proven_with_them():
    host = Host(address="x", backend="rpc", rpc=("127.0.0.1:50052", "10.0.0.2:50052"))
    steps, _ = plan.steps("laptop", host, LAPTOP, TREE)
    script = next(step.action.script for step in steps if isinstance(step.action, Run))
    assert "RPC=127.0.0.1:50052,10.0.0.2:50052\n" in script
    assert "ggml-rpc-server" in script
    assert "DEVICE=RPC\n" in script
    received, _ = plan.steps("laptop", host, LAPTOP, TREE, Claimed("cache"))
    assert "RPC=127.0.0.1:50052,10.0.0.2:50052\n" in received[-1].action.script


def test_a_compiler_for_the_gpu_is_found_by_its_name_on_the_path_of_the_build():
    gcc = {
        name: Tool(name, f"/opt/{name}/bin/{name}", v)
        for name, v in (("c++", "15.1.0"), ("g++-13", "13.3.0"))
    }
    steps, notes = plan.steps("rtx", WISH, replace(DESKTOP, tools=DESKTOP.tools | gcc), TREE)
    script = next(step.action.script for step in steps if isinstance(step.action, Run))
    assert "CMAKE_CUDA_HOST_COMPILER=g++-13" in script
    assert ":/opt/g++-13/bin" in script
    assert notes == (
        "CUDA code is compiled with g++-13 (13.3.0): CUDA 12.4 accepts gcc up to 13, and c++ here is 15.1.0",
    )
