"""One build for unequal processors: all variants of the CPU code, each in a library, the best one loaded.

Compiles for more than ten minutes where it was not built before: `make test TEST_ARGS="-m long"`.
"""

import json
import os
import platform
import re
import subprocess
from pathlib import Path

import pytest

from tests.controller import BUILD_DEADLINE, compiling, share_compilations
from tests.live.sites import Site

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(platform.machine() != "x86_64", reason="names the variants of x86-64"),
]

# what a processor needs for a variant, beyond the line below it; the order of their scores
# Source: llama.cpp b11434, ggml/src/CMakeLists.txt and ggml/src/ggml-cpu/arch/x86/cpu-feats.cpp
VARIANTS = {
    "sapphirerapids": {"amx_int8", "amx_tile", "avx512vbmi", "avx512_vnni", "avx512_bf16"},
    "zen4": {"avx512vbmi", "avx512_vnni", "avx512_bf16"},
    "cooperlake": {"avx512_vnni", "avx512_bf16"},
    "icelake": {"avx512vbmi", "avx512_vnni"},
    "cascadelake": {"avx512_vnni"},
    "cannonlake": {"avx512vbmi"},
    "skylakex": {"avx512f"},
    "alderlake": {"avx_vnni"},
    "haswell": {"avx2", "fma", "bmi2", "f16c"},
    "sandybridge": {"avx"},
    "sse42": {"sse4_2"},
}


@pytest.fixture(scope="module")
def unequal(tmp_path_factory) -> Path:
    """Programs of a host whose processor has no AVX2 and nothing newer."""
    folder = tmp_path_factory.mktemp("programs")
    newer = r"s/ (avx2|avx512[a-z0-9_]*|avx_[a-z0-9_]*|amx_[a-z0-9]*)\b//g"
    program = folder / "awk"
    program.write_text(
        f"#!/bin/sh\nfor last; do :; done\n"
        f'[ "$last" = /proc/cpuinfo ] || exec /usr/bin/awk "$@"\n'
        f"sed -E '{newer}' /proc/cpuinfo > {folder}/cpuinfo.$$\n"
        f'/usr/bin/awk "$1" "$2" {folder}/cpuinfo.$$\n'
    )
    program.chmod(0o755)
    return folder


@pytest.fixture(scope="module")
def sites(embedded, controllers, unequal) -> list[Site]:
    """Two hosts that say portable = true, and were given a build in one run."""
    controller = controllers()
    hosts = [
        embedded.up(["new"])["new"],
        embedded.up(["old"], path=f"{unequal}:{os.defpath}:/usr/sbin:/sbin")["old"],
    ]
    for host in hosts:
        share_compilations(host.home)
    keys = {"backend": "cpu", "portable": True}
    controller.write(hosts, settings={host.name: keys for host in hosts})
    with compiling():
        controller.well("build", "all", "--yes", "--max-hosts", "2", deadline=BUILD_DEADLINE)
    return [Site(controller, host) for host in hosts]


def test_hosts_of_unequal_processors_are_twins(sites):
    new, old = (set(flags(site)) for site in sites)
    assert "avx2" in new - old
    builds = [{path.name for path in (site.root / "builds").iterdir()} for site in sites]
    assert len(builds[0]) == 1
    assert builds[0] == builds[1]
    records = [
        json.loads(path.read_text())["files"]
        for site in sites
        for path in site.root.glob("builds/*/BUILD.json")
    ]
    assert records[0] == records[1]
    again = sites[0].controller.well("build", "all", "--yes", "--json").json
    assert [host["steps"] for host in again["hosts"]] == [[], []]


def test_every_variant_lies_beside_the_program(sites):
    (folder,) = sites[1].root.glob("builds/*/bin")
    names = {path.name for path in folder.iterdir()}
    assert {
        f"libggml-cpu-{name}.so" for name in ("x64", "sse42", "haswell", "skylakex", "alderlake")
    } <= names
    assert not any(path.is_symlink() for path in folder.iterdir())
    assert sites[0].halves() == sites[1].halves() == []


def test_the_best_variant_for_this_processor_is_loaded(sites):
    (program,) = sites[0].root.glob("builds/*/bin/llama-bench")
    said = subprocess.run([program, "--list-devices"], capture_output=True, text=True, check=False)
    loaded = re.search(r"libggml-cpu-(\w+)\.so", said.stdout + said.stderr)
    assert loaded, said
    here = set(flags(sites[0]))
    assert loaded[1] == next(name for name, needed in VARIANTS.items() if needed <= here)


def test_a_server_of_it_answers(sites):
    site = sites[1]
    site.controller.well("deploy", "old", "--yes")
    try:
        words = ("--max-tokens", "4", "--temperature", "0")  # at random it might end before
        answer = site.controller.well("chat", "chat@old", "Once", *words, "--json").host
        assert answer["tokens"] == 4
    finally:
        site.controller.well("stop", "old", "--yes")


def flags(site: Site) -> list[str]:
    """What fleet knows of the processor there."""
    return site.controller.well("facts", site.name, "--json").host["cpu"]["flags"]
