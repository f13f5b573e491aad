"""Single questions of the probe, put to tools and folders of our own in every shell."""

import os

import pytest

from fleet.platforms.base import program, questions
from tests.platforms.shells import SHELLS, ask, run


@pytest.mark.parametrize("shell", SHELLS)
def test_toolkits_are_found_by_what_a_compiler_needs_of_them(shell, tmp_path):
    cuda, rocm, oneapi = (tmp_path / name for name in ("cuda", "rocm", "oneapi"))
    for file in (
        *(cuda / "include" / name for name in ("cuda_runtime.h", "cublas_v2.h")),
        *(cuda / "targets" / "some-linux" / "lib" / name for name in ("libcudart.so", "libcublas_static.a")),
        rocm / "include" / "hipblas" / "hipblas.h",  # without its library it is of no use
        oneapi / "setvars.sh",
        oneapi / "mkl" / "latest" / "include" / "mkl.h",
        oneapi / "mkl" / "latest" / "lib" / "libmkl_core.a",
    ):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    env = {"CUDA_HOME": str(cuda), "ROCM_PATH": str(rocm), "ONEAPI_ROOT": str(oneapi)}
    facts = ask(shell, "", env)
    found = {name: path for name, path in facts.libraries.items() if path.startswith(str(tmp_path))}
    assert found == {
        "cudart": f"{cuda}/targets/some-linux/lib/libcudart.so",
        "cublas": f"{cuda}/targets/some-linux/lib/libcublas_static.a",
        "oneapi": f"{oneapi}/setvars.sh",
        "mkl": f"{oneapi}/mkl/latest/lib/libmkl_core.a",
    }
    assert {str(cuda), str(rocm), "/usr/local/cuda", "/opt/rocm"} <= set(facts.searched)


@pytest.mark.parametrize("shell", SHELLS)
def test_compilers_with_a_version_in_their_name_are_found(shell, tmp_path):
    for name in ("g++-13", "clang++-18", "g++-8"):
        tool = tmp_path / "tools" / name
        tool.parent.mkdir(exist_ok=True)
        tool.write_text(f"#!/bin/sh\necho {name} '(Debian {name[-1]}.3.0-1)' {name.split('-')[1]}.3.0\n")
        tool.chmod(0o755)
    tools = ask(shell, "", {"PATH": f"{tmp_path}/tools:{os.environ['PATH']}"}).tools
    assert (tools["g++-13"].version, tools["clang++-18"].version) == ("13.3.0", "18.3.0")
    assert "g++-8" not in tools


@pytest.mark.parametrize("shell", SHELLS)
def test_limits_are_read_from_a_group_up_to_the_top(shell, tmp_path):
    for path, files in {
        "a/b": {"cpu.max": "200000 100000", "memory.max": "max", "memory.current": "5"},
        "a": {"memory.max": "4096", "memory.current": "2048", "memory.stat": "anon 1\ninactive_file 1024\n"},
        ".": {"cpu.cfs_quota_us": "-1", "cpu.cfs_period_us": "100000", "memory.limit_in_bytes": "8192"},
    }.items():
        (tmp_path / path).mkdir(parents=True, exist_ok=True)
        for name, words in files.items():
            (tmp_path / path / name).write_text(words if words.endswith("\n") else f"{words}\n")
    script = program(questions() + f'linux_groups "{tmp_path}" /a/b/not-shown-here\n')
    answer = run(shell, script)
    assert (answer.stderr, *answer.stdout.decode().splitlines()) == (
        b"",
        "cpu=200000 100000",
        "memory=4096 2048 1024",
        "cpu=-1 100000",
        "memory=8192 0 ",
    )


FAILING = """#!/bin/sh
echo asked >>"{0}"
case $* in
    *mig.mode.current*) echo 'Field "mig.mode.current" is not a valid field to query.'; exit 2 ;;
    *compute_cap*) echo 'Field "compute_cap" is not a valid field to query.'; exit 2 ;;
    *query-gpu*) echo 'index, uuid, name, driver_version, memory.total [MiB], memory.free [MiB]'
        echo '0, GPU-1, NVIDIA GeForce GTX 1080, 470.1, 8119, 8000' ;;
    *query-compute*) echo 'GPU-1, 77' ;;
    '') echo 'CUDA Version: 11.4' ;;
    *) exit 3 ;;
esac
"""


@pytest.mark.parametrize("shell", SHELLS)
def test_an_old_driver_is_asked_again_for_what_it_knows(shell, tmp_path):
    tool = tmp_path / "nvidia-smi"
    tool.write_text(FAILING.format(tmp_path / "asked"))
    tool.chmod(0o755)
    (card,) = ask(shell, "", {"PATH": f"{tmp_path}:{os.environ['PATH']}"}).gpus
    assert (card.name, card.runtime, card.processes) == ("NVIDIA GeForce GTX 1080", "11.4", 1)
    assert (tmp_path / "asked").read_text() == "asked\n" * 5


@pytest.mark.parametrize("shell", SHELLS)
def test_a_broken_driver_is_asked_once(shell, tmp_path):
    tool = tmp_path / "nvidia-smi"
    tool.write_text(f"#!/bin/sh\necho asked >>'{tmp_path}/asked'\necho Failed to initialize NVML\nexit 18\n")
    tool.chmod(0o755)
    facts = ask(shell, "", {"PATH": f"{tmp_path}:{os.environ['PATH']}"})
    assert facts.unknown["gpus"] == "nvidia-smi ended with 18: Failed to initialize NVML"
    assert (tmp_path / "asked").read_text() == "asked\n"
