"""A source of a few lines that stands for llama.cpp where only the building matters."""

import io
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from fleet.builds import plan
from fleet.core.errors import PlanError
from fleet.core.facts import Facts
from tests.builds.hosts import probed, program_of, run
from tests.builds.values import TREE, WISH

OPTIONS = 'option(GGML_NATIVE "" ON)\n'
HEAD = f"cmake_minimum_required(VERSION 3.14)\nproject(tiny CXX)\n{OPTIONS}"
BIN = "set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)\n"
TARGETS = "add_executable(llama-server main.cpp)\nadd_executable(llama-bench main.cpp)\n"
# says what a llama-server says, and passes the smoke test
MAIN = r"""
#include <cstdio>
#include <cstring>
int main(int count, char **words) {
    const char *word = count > 1 ? words[1] : "";
    if (!strcmp(word, "--version")) fputs("version: 0.6.0 (build 7, commit abc)\n", stderr);
    else if (!strcmp(word, "--help")) puts("--port PORT");
    else if (!strcmp(word, "--list-devices")) puts("Available devices:\n  (none)");
    else puts("{\"n_gen\": 1}");
}
"""


@pytest.fixture(scope="module")
def facts(tmp_path_factory: pytest.TempPathFactory) -> Facts:
    """This machine, which can build."""
    found = probed(tmp_path_factory.mktemp("probed"))
    if "c++" not in found.tools or "cmake" not in found.tools:
        raise PlanError("the tests need a C++ compiler and cmake")
    return replace(found, gpus=())


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """With a space, as on macOS."""
    folder = tmp_path / "Application Support"
    folder.mkdir()
    return folder


def source(root: Path, **files: str) -> None:
    """The archive on the host; `cmake` and `main` are its two files."""
    (root / "sources").mkdir(exist_ok=True)
    with tarfile.open(root / f"sources/{TREE.id}.tar.gz", "w:gz") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo({"cmake": "CMakeLists.txt", "main": "main.cpp"}[name])
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))


def build(
    root: Path,
    facts: Facts,
    env: Mapping[str, str] | None = None,
    generation: str = "",
    change: Callable[[str], str] = lambda script: script,
) -> tuple[int, list[str]]:
    """Status and lines of the program that builds it."""
    steps, _ = plan.steps("here", WISH, facts, TREE)
    return run(root, change(program_of(steps)), env, generation)
