"""What makes two builds twins."""

from dataclasses import replace

import pytest

from fleet.builds.recipe import fingerprint, recipe
from fleet.core.errors import PlanError
from fleet.core.facts import Tool
from fleet.core.inventory import Host
from tests.builds.values import DESKTOP, LAPTOP, MAC, NVCC, RTX, TOOLS, TREE, WISH


def of(facts, tree=TREE, wish=WISH):
    return fingerprint(recipe(wish, facts, tree)[0])


def test_a_fingerprint_is_sixteen_hex_digits_that_stay_the_same():
    assert of(LAPTOP) == "7259894f5bf29351"


@pytest.mark.parametrize(
    "changes",
    [
        {"host": "other"},
        {"root": "/srv/fleet"},
        {"user": "bob", "home": "/home/bob"},
        {"boot_id": "c", "kernel": "6.2.0", "uptime": 5.0},
        {
            "cpu": replace(
                LAPTOP.cpu, model="AMD EPYC", threads=2, flags=("ssbd", "sse4_2", "fma", "avx2", "ibrs")
            )
        },
        {"tools": TOOLS | {"cmake": Tool("cmake", "/opt/cmake", "4.0")}},
    ],
    ids=["name", "root", "user", "boot", "cpu model and kernel flags", "cmake"],
)
def test_hosts_that_differ_in_nothing_a_compiler_sees_are_twins(changes):
    assert of(replace(LAPTOP, **changes)) == of(LAPTOP)


@pytest.mark.parametrize(
    "changes",
    [
        {"cpu": replace(LAPTOP.cpu, flags=("avx2", "fma", "sse4_2", "avx512f"))},
        {"libc": "glibc 2.39"},
        {"arch": "arm64"},
        {"os": "macos"},
        {"tools": TOOLS | {"c++": Tool("c++", "/usr/bin/c++", "13.1.0")}},
    ],
    ids=["cpu flags", "libc", "arch", "os", "compiler"],
)
def test_what_changes_the_bytes_changes_the_fingerprint(changes):
    assert of(replace(LAPTOP, **changes)) != of(LAPTOP)


def test_source_number_and_backend_change_the_fingerprint():
    assert of(LAPTOP, replace(TREE, id="fedcba9876543210")) != of(LAPTOP)
    assert of(LAPTOP, replace(TREE, number=11435)) != of(LAPTOP)
    assert of(DESKTOP) != of(DESKTOP, wish=Host(address="x", backend="cpu"))


def test_the_cuda_toolkit_counts_only_where_it_is_used():
    newer = replace(DESKTOP, tools=DESKTOP.tools | {"nvcc": replace(NVCC, version="12.8")})
    assert of(newer) != of(DESKTOP)
    cpu = Host(address="x", backend="cpu")
    assert of(newer, wish=cpu) == of(DESKTOP, wish=cpu)
    assert of(replace(DESKTOP, gpus=(replace(RTX, capability="8.6"),))) != of(DESKTOP)


def test_a_processor_that_names_no_flags_is_known_by_its_model():
    other = replace(MAC, cpu=replace(MAC.cpu, model="Apple M1"))
    assert of(other) != of(MAC)


def test_the_build_number_is_stamped_and_nothing_is_downloaded_while_building():
    options = recipe(WISH, LAPTOP, replace(TREE, commit="a" * 40))[0].options
    assert "LLAMA_BUILD_NUMBER=11434" in options
    assert "LLAMA_BUILD_COMMIT=aaaaaaaaa" in options
    assert "LLAMA_USE_PREBUILT_UI=OFF" in options
    assert "LLAMA_BUILD_COMMIT=unknown" in recipe(WISH, LAPTOP, TREE)[0].options


def test_a_portable_build_is_the_same_for_every_processor():
    portable = Host(address="x", portable=True)
    other = replace(LAPTOP, cpu=replace(LAPTOP.cpu, model="Xeon", flags=("avx2", "avx512f", "amx_tile")))
    assert of(other) != of(LAPTOP)
    assert of(other, wish=portable) == of(LAPTOP, wish=portable) != of(LAPTOP)
    made = recipe(portable, LAPTOP, TREE)[0]
    assert {
        "GGML_BACKEND_DL=ON",
        "GGML_CPU_ALL_VARIANTS=ON",
        "GGML_NATIVE=OFF",
        "BUILD_SHARED_LIBS=ON",
    } <= set(made.options)
    assert len(made.options) == len({option.partition("=")[0] for option in made.options})


def test_a_compiler_too_old_for_the_newest_processors_makes_no_portable_build():
    portable = Host(address="x", portable=True)
    old = replace(LAPTOP, tools=TOOLS | {"c++": Tool("c++", "/usr/bin/c++", "10.2.1")})
    with pytest.raises(PlanError) as error:
        recipe(portable, old, TREE)
    assert error.value.what == "portable = true needs gcc 11 or newer on x86_64, and c++ is 10.2.1"
    assert "sudo apt-get install g++-11" in error.value.next
    named = replace(old, tools=old.tools | {"g++-12": Tool("g++-12", "/usr/bin/g++-12", "12.2.0")})
    cmake = {"CMAKE_CXX_COMPILER": "g++-12", "CMAKE_C_COMPILER": "gcc-12"}
    made = recipe(Host(address="x", portable=True, cmake=cmake), named, TREE)[0]
    assert made.compilers == ("g++-12 12.2.0",)


def test_options_of_the_inventory_are_part_of_the_recipe_and_changes_are_told():
    cmake = {"LLAMA_OPENSSL": True, "LLAMA_LTO": True, "CMAKE_CUDA_ARCHITECTURES": "86;89"}
    host = Host(address="x", cmake=cmake)
    made, _, notes = recipe(host, DESKTOP, TREE)
    assert {"LLAMA_OPENSSL=ON", "GGML_LTO=ON", "CMAKE_CUDA_ARCHITECTURES=86;89"} <= set(made.options)
    assert "LLAMA_OPENSSL=OFF" not in made.options
    assert notes == ("LLAMA_LTO is called GGML_LTO today",)
    assert of(DESKTOP, wish=host) != of(DESKTOP)


def test_a_build_for_named_instructions_is_for_all_that_have_them():
    flags = ("sse4_2", "avx", "avx2", "bmi2", "fma", "f16c")
    host = Host(address="x", cmake={"GGML_NATIVE": False})
    one = replace(LAPTOP, cpu=replace(LAPTOP.cpu, flags=flags))
    other = replace(LAPTOP, cpu=replace(LAPTOP.cpu, flags=(*flags, "avx512f")))
    assert of(one, wish=host) == of(other, wish=host)
    flagged = Host(address="x", cmake={"GGML_NATIVE": False, "CMAKE_C_FLAGS": "-march=native"})
    assert of(one, wish=flagged) != of(other, wish=flagged)
