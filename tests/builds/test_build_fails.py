"""build.sh on real, tiny, broken sources: each way to fail has a code and a sentence."""

import os
import subprocess
import sys

import pytest

from fleet.builds import plan
from fleet.builds.explain import explain
from fleet.core.shell import assign, quote
from tests.builds.hosts import program_of
from tests.builds.tiny import BIN, HEAD, MAIN, OPTIONS, TARGETS, build, facts, root, source
from tests.builds.values import TREE, WISH

__all__ = ["facts", "root"]  # fixtures


def said(lines):
    return [line.removeprefix("fleet: error: ") for line in lines if line.startswith("fleet: error: ")]


def nothing_is_half_done(root):
    assert not list((root / "builds").glob("*"))
    assert not list((root / "builds").glob(".*"))
    assert not (root / "work/busy").exists()


def test_no_source(root, facts):
    status, lines = build(root, facts)
    assert status == 81
    assert said(lines) == [f"the source archive is not here: sources/{TREE.id}.tar.gz"]
    nothing_is_half_done(root)


def test_a_damaged_source(root, facts):
    source(root, cmake=HEAD)
    path = root / f"sources/{TREE.id}.tar.gz"
    path.write_bytes(path.read_bytes()[:60])
    status, lines = build(root, facts)
    assert status == 81
    assert said(lines) == ["the source archive is damaged"]
    assert explain(lines, status, facts)[1] == "the same command again sends it anew"
    nothing_is_half_done(root)


def test_a_source_that_is_not_llama_cpp(root, facts):
    source(root, main="int main() {}")
    status, lines = build(root, facts)
    assert (status, said(lines)) == (81, ["the source archive holds no CMakeLists.txt"])
    nothing_is_half_done(root)


def test_cmake_refuses(root, facts):
    source(root, cmake=HEAD + 'message(FATAL_ERROR "not on a Tuesday")\n')
    status, lines = build(root, facts)
    assert status == 82
    assert explain(lines, status, facts)[0] == "cmake failed: not on a Tuesday"
    nothing_is_half_done(root)


def test_there_is_no_compiler(root, facts):
    source(root, cmake=HEAD, main="")
    status, lines = build(root, facts, {"CXX": "/nonexistent/c++"})
    assert status == 82
    assert explain(lines, status, facts)[0] == "there is no C++ compiler"
    nothing_is_half_done(root)


def test_an_option_that_changes_nothing_is_not_passed_on_silently(root, facts):
    source(root, cmake=HEAD.replace(OPTIONS, ""), main="")
    status, lines = build(root, facts)
    assert status == 84
    assert said(lines)[0].startswith("cmake did not take GGML_NATIVE=ON")
    nothing_is_half_done(root)


def test_the_compiler_fails(root, facts):
    source(root, cmake=HEAD + BIN + TARGETS, main="int main() { return x; }")
    status, lines = build(root, facts)
    assert status == 83
    assert "x" in explain(lines, status, facts)[0]
    assert explain(lines, status, facts)[0].startswith("the compiler failed: ")
    nothing_is_half_done(root)


@pytest.mark.parametrize(
    ("main", "status", "sentence"),
    [
        ("int main() { return 3; }", 85, "smoke test: llama-server --version ended with exit code 3"),
        ("#include <csignal>\nint main() { raise(SIGILL); }", 87,
         "smoke test: llama-server --version died of an illegal instruction: built for another CPU"),
        ("#include <csignal>\nint main() { raise(SIGKILL); }", 85,
         "smoke test: llama-server --version was killed, which a full memory does"),
        ("int main() {}", 85, "smoke test: llama-bench gave no result"),
    ],
    ids=["exit code", "illegal instruction", "killed", "no token"],
)  # fmt: skip
def test_a_program_that_does_not_work_is_not_published(root, facts, main, status, sentence):
    source(root, cmake=HEAD + BIN + TARGETS, main=main)
    got, lines = build(root, facts)
    assert got == status
    assert said(lines)[0].startswith(sentence)
    nothing_is_half_done(root)


def test_a_build_without_the_device_that_was_wanted_is_not_published(root, facts):
    source(root, cmake=HEAD + BIN + TARGETS, main="int main() {}")
    status, lines = build(root, facts, change=lambda script: script.replace("DEVICE=''", "DEVICE=CUDA"))
    assert status == 84
    assert said(lines) == ["the build has no CUDA device: it would compute on the CPU"]


def test_a_processor_that_plays_a_gpu_is_not_published(root, facts):
    """llama.cpp hides it, unless GGML_VK_VISIBLE_DEVICES is set."""
    line = '"Available devices:\\n  Vulkan0: llvmpipe (LLVM 15.0.6, 256 bits) (2048 MiB, 2048 MiB free)"'
    source(root, cmake=HEAD + BIN + TARGETS, main=MAIN.replace('"Available devices:\\n  (none)"', line))
    status, lines = build(root, facts, change=lambda script: script.replace("DEVICE=''", "DEVICE=Vulkan"))
    assert status == 84
    assert said(lines)[0].startswith("Vulkan0 is a processor that plays a GPU")


def test_two_builds_at_once_are_refused_and_a_dead_one_is_not_waited_for(root, facts):
    source(root, main="")
    busy = root / "work/busy"
    busy.mkdir(parents=True)
    # this very test, as the host would name it
    me = 'printf "%s %s %s\\n" "$PPID" "$(start_time "$PPID")" "$(boot_id)" > "$FLEET_ROOT/work/busy/pid"\n'
    status, lines = build(root, facts, change=lambda script: script.replace("set -u\n", me + "set -u\n", 1))
    assert (status, said(lines)) == (88, ["another build is running on this host"])
    assert busy.exists()
    (busy / "pid").write_text("999999999 1 an-older-boot\n")
    assert build(root, facts)[0] == 81
    assert not busy.exists()


@pytest.mark.skipif(os.geteuid() != 0 or sys.platform != "linux", reason="needs root: a small disk")
def test_a_full_disk_is_named(root, facts):
    source(root, cmake=HEAD + BIN + TARGETS, main="int main() {}")
    steps, _ = plan.steps("here", WISH, facts, TREE)
    # the mount is in a name space of its own, and gone with it
    mount = f"mount -t tmpfs -o size=64k none {quote(str(root))}/work && exec sh -s"
    (root / "work").mkdir()
    script = assign(FLEET_ROOT=str(root), FLEET_GENERATION="") + program_of(steps)
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", mount], input=script.encode(), capture_output=True, check=False
    )
    lines = (done.stdout + done.stderr).decode().splitlines()
    what, remedy = explain(lines, done.returncode, facts)
    assert what == "the disk is full"
    assert remedy.startswith("fleet gc here --dry-run")
    assert done.returncode in (81, 82, 83, 86)
