"""The shell lines that a backend puts before its build and its programs, run by every shell there is."""

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from fleet.backends.base import BACKENDS
from fleet.core.facts import Tool
from tests.backends.machines import ARC, FULL, XTX, amd, with_tools
from tests.platforms.shells import SHELLS


def printed(shell: str, lines: str, *names: str) -> list[str]:
    """Values that a program started after the lines would see."""
    script = lines + "".join(f'env | sed -n "s/^{name}=//p"\n' for name in names)
    done = subprocess.run(
        [*SHELLS[shell], "-s"], input=script, text=True, capture_output=True, check=True, timeout=60
    )
    return done.stdout.splitlines()


def script(path: Path, text: str) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_of_oneapi_is_read_although_it_wants_a_bash(shell: str, tmp_path: Path) -> None:
    setvars = script(
        tmp_path / "one api" / "setvars.sh",
        '[[ -n $BASH_VERSION ]] || exit 1\nexport ONEAPI_ROOT="/opt/intel it\'s" OTHER=1\n'
        'export LD_LIBRARY_PATH="/opt/a b/lib:$LD_LIBRARY_PATH"\necho noise\n',
    )
    launch = BACKENDS.take("sycl").launch(with_tools(ARC, oneapi=setvars))
    lines = f"LD_LIBRARY_PATH=/old\nexport LD_LIBRARY_PATH\n{launch}"
    assert printed(shell, lines, "ONEAPI_ROOT", "LD_LIBRARY_PATH") == ["/opt/intel it's", "/opt/a b/lib:/old"]


@pytest.mark.parametrize("shell", SHELLS)
def test_rocm_is_asked_for_its_clang_and_a_card_passes_for_its_sibling(shell: str, tmp_path: Path) -> None:
    asked = "case $1 in -l) echo /opt/rocm/llvm/bin ;; -R) echo /opt/rocm ;; *) echo 6.2.41133 ;; esac\n"
    path = script(tmp_path / "ro cm" / "hipconfig", f"#!/bin/sh\n{asked}")
    tools = XTX.tools | {"hipconfig": Tool("hipconfig", path, "6.2.41133")}
    facts = replace(XTX, tools=tools, gpus=(amd("RX 6700 XT", "gfx1031"),))
    hip = BACKENDS.take("hip")
    lines = hip.launch(facts) + hip.prelude(facts)
    assert printed(shell, lines, "HIPCXX", "HIP_PATH", "HSA_OVERRIDE_GFX_VERSION") == [
        "/opt/rocm/llvm/bin/clang",
        "/opt/rocm",
        "10.3.0",
    ]


@pytest.mark.parametrize("shell", SHELLS)
def test_cmake_is_given_the_nvcc_that_was_chosen(shell: str) -> None:
    assert printed(shell, BACKENDS.take("cuda").prelude(FULL), "CUDACXX") == ["/usr/local/cuda/bin/nvcc"]


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    ("name", "variable"), [("cuda", "CUDA_CACHE_PATH"), ("vulkan", "MESA_SHADER_CACHE_DIR")]
)
def test_what_a_driver_compiles_stays_below_the_root(shell: str, name: str, variable: str) -> None:
    lines = "FLEET_ROOT='/srv/my fleet'\n" + BACKENDS.take(name).launch(FULL)
    assert printed(shell, lines, variable) == ["/srv/my fleet/cache/driver"]
