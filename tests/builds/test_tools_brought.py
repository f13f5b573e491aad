"""cmake and ninja on hosts that lack them: fetched by pip here, sent over SSH, and really built with."""

import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from fleet.builds.tools import CMAKE, NINJA, fitting, steps
from fleet.io.builds.archive import Entry, write_archive
from tests.builds.hosts import run
from tests.builds.tiny import BIN, HEAD, MAIN, TARGETS
from tests.builds.values import LAPTOP
from tests.controller import Controller, user_cache

# none of these is needed on a host
LACKING = (
    "cmake",
    "ccmake",
    "ctest",
    "cpack",
    "ninja",
    "make",
    "gmake",
    "python3",
    "pip",
    "pip3",
    "unzip",
    "curl",
)
ADDED = ("/usr/sbin", "/sbin", "/usr/local/bin", "/opt/homebrew/bin")  # fleet looks there too
BOTH = f"cmake {CMAKE} and ninja {NINJA}"


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A PATH with all programs of this machine but those."""
    folder = tmp_path / "programs"
    folder.mkdir()
    for place in os.environ["PATH"].split(os.pathsep):
        for program in Path(place).glob("*"):
            name = program.name
            if name not in LACKING and not name.startswith("python") and not (folder / name).is_symlink():
                (folder / name).symlink_to(program)
    if any(shutil.which(name, path=os.pathsep.join(ADDED)) for name in ("cmake", "ninja", "make")):
        pytest.skip(f"a cmake, ninja or make in one of {' '.join(ADDED)} cannot be hidden")
    return folder


@pytest.fixture
def site(embedded, bare, tmp_path):
    """A host without build tools, and a controller whose llama.cpp is a few lines."""
    host = embedded.up(["bare"], path=str(bare))["bare"]
    source = tmp_path / "tiny"
    source.mkdir()
    (source / "CMakeLists.txt").write_text(HEAD + BIN + TARGETS)
    (source / "main.cpp").write_text(MAIN)
    # no finished build is in its cache, and what pip fetched is
    kept = tmp_path / "cache" / "fleet" / "artifacts"
    kept.mkdir(parents=True)
    (user_cache() / "artifacts" / "tool").mkdir(parents=True, exist_ok=True)
    (kept / "tool").symlink_to(user_cache() / "artifacts" / "tool")
    controller = Controller(tmp_path / "controller", cache=tmp_path / "cache")
    controller.write([host], servers={}, llama_cpp={"source": f"dir:{source}"})
    return controller, host


def root_of(host) -> Path:
    return host.home / ".local" / "share" / "fleet"


def test_a_host_without_cmake_and_ninja_builds_with_ours(site):
    controller, host = site
    planned = controller.well("build", "bare", "--dry-run", "--json").host["steps"]
    assert [step["title"] for step in planned[:2]] == [f"send {BOTH}", f"unpack {BOTH}"]
    assert planned[0]["bytes"] > 5_000_000
    controller.well("build", "bare", "--yes")
    root = root_of(host)
    assert sorted(path.name for path in (root / "tools").iterdir()) == [f"cmake-{CMAKE}", f"ninja-{NINJA}"]
    (log,) = root.glob("jobs/*/log")
    assert "configuring with Ninja" in log.read_text()
    cache = (root / "work/build/CMakeCache.txt").read_text()
    assert f"CMAKE_COMMAND:INTERNAL={root}/tools/cmake-{CMAKE}/bin/cmake" in cache
    assert not list((root / "parts").glob("tools-*"))


def test_they_are_sent_once(site):
    controller, _ = site
    controller.well("build", "bare", "--yes")
    assert controller.well("build", "bare", "--yes", "--json").host["steps"] == []
    titles = [
        step["title"]
        for step in controller.well("build", "bare", "--rebuild", "--yes", "--json").host["steps"]
    ]
    assert titles
    assert not any("cmake" in title for title in titles)


def test_a_cmake_that_is_too_old_is_replaced(site, bare):
    old = bare / "cmake"
    old.write_text("#!/bin/sh\necho cmake version 3.10.2\n")
    old.chmod(0o755)
    controller, host = site
    controller.well("build", "bare", "--yes")
    assert (root_of(host) / "tools" / f"cmake-{CMAKE}").is_dir()
    assert controller.well("build", "bare", "--yes", "--json").host["steps"] == []


def test_an_older_tool_of_ours_goes_when_the_new_one_comes_and_gc_knows_it(site):
    controller, host = site
    old = root_of(host) / "tools" / "cmake-3.1.0" / "bin"
    old.mkdir(parents=True)
    (old / "cmake").write_text("#!/bin/sh\necho cmake version 3.1.0\n")
    (old / "cmake").chmod(0o755)
    planned = controller.well("gc", "bare", "--dry-run", "--json").host["steps"]
    assert "remove tools/cmake-3.1.0" in json.dumps(planned)
    controller.well("build", "bare", "--yes")
    assert not old.exists()
    assert "tools" not in json.dumps(controller.well("gc", "bare", "--dry-run", "--json").host["steps"])


def test_a_folder_of_tools_that_is_a_link_is_refused(site, tmp_path):
    controller, host = site
    root = root_of(host)
    root.mkdir(parents=True)
    (root / "tools").symlink_to(tmp_path)
    ended = controller("build", "bare", "--yes")
    assert ended.code == 1
    assert f"{root}/tools is a symbolic link" in ended.err
    assert not list(tmp_path.glob("cmake-*"))


def test_a_program_that_does_not_run_there_is_not_taken(tmp_path):
    """As on a file system that is mounted noexec, or a system that the wheel was not made for."""
    found = fitting(replace(LAPTOP, arch="arm64"), ["cmake"])
    send, unpack = steps(found)
    packed = tmp_path / send.action.to
    packed.parent.mkdir()
    script = b"#!/bin/sh\necho cannot execute binary file; exit 126\n"
    write_archive([Entry(f"{found[0].folder}/bin/cmake", script, is_program=True)], packed)
    status, lines = run(tmp_path, unpack.action.script)
    assert status == 1
    assert "fleet: error: cmake does not run on this host: cannot execute binary file" in lines
    assert lines[-1].startswith("fleet: next: install cmake there")
    assert not list((tmp_path / "tools").iterdir())
