"""build.sh on a real, tiny source: what is published, and what lies beside it."""

import hashlib
import shutil
import subprocess

from fleet.builds import plan
from fleet.core.flow import Claimed
from fleet.core.shell import assign
from tests.builds.hosts import program_of, record, run
from tests.builds.tiny import BIN, HEAD, MAIN, TARGETS, build, facts, root, source
from tests.builds.values import TREE, WISH

__all__ = ["facts", "root"]  # fixtures

# the word comes from a library, as it does in a build of many parts
SHARED = """
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
file(WRITE ${CMAKE_BINARY_DIR}/words.cpp "const char *words() { return 0; }")
add_library(words SHARED ${CMAKE_BINARY_DIR}/words.cpp)
set_target_properties(words PROPERTIES VERSION 1.2.3 SOVERSION 1)
target_link_libraries(llama-server words)
"""


def published(root):
    (found,) = (root / "builds").iterdir()
    return found


def test_what_the_program_says_of_itself_is_kept_beside_it(root, facts):
    source(root, cmake=HEAD + BIN + TARGETS, main=MAIN)
    status, lines = build(root, facts)
    assert status == 0, lines
    says = {path.name: path.read_text() for path in (published(root) / "says").iterdir()}
    assert says == {
        "version.txt": "version: 0.6.0 (build 7, commit abc)\n",
        "help.txt": "--port PORT\n",
        "devices.txt": "Available devices:\n  (none)\n",
    }


def test_a_source_older_than_a_lesser_tool_is_built_without_it(root, facts):
    source(root, cmake=HEAD + BIN + TARGETS, main=MAIN)
    status, lines = build(root, facts)
    assert status == 0
    assert "this source has no llama-fit-params" in lines
    assert sorted(record(root, published(root).name)["files"]) == ["llama-bench", "llama-server"]


def test_a_source_without_llama_server_is_refused_before_it_is_compiled(root, facts):
    source(root, cmake=HEAD + BIN + TARGETS.replace("llama-server", "server"), main=MAIN)
    status, lines = build(root, facts)
    assert status == 83
    assert "fleet: error: this source has no llama-server" in lines
    assert not any(line.startswith("compiling with") for line in lines)


def test_libraries_lie_beside_the_program_under_one_name_and_are_listed(root, facts):
    source(root, cmake=HEAD + BIN + TARGETS + SHARED, main=MAIN)
    status, lines = shared(root, facts)
    assert status == 0, lines
    folder = published(root)
    files = record(root, folder.name)["files"]
    assert sorted(files) == sorted(path.name for path in (folder / "bin").iterdir())
    assert len(files) == 3  # the library and the two programs
    for name, digest in files.items():
        assert not (folder / "bin" / name).is_symlink()
        assert hashlib.sha256((folder / "bin" / name).read_bytes()).hexdigest() == digest


def test_it_works_wherever_its_folder_lies(root, facts, tmp_path):
    source(root, cmake=HEAD + BIN + TARGETS + SHARED, main=MAIN)
    assert shared(root, facts)[0] == 0
    shutil.rmtree(root / "work")
    moved = shutil.move(published(root) / "bin", tmp_path / "else where")
    said = subprocess.run([moved / "llama-server", "--help"], capture_output=True, text=True, check=True)
    assert said.stdout == "--port PORT\n"


def test_a_twin_receives_every_part_and_a_missing_one_is_noticed(root, facts, tmp_path):
    source(root, cmake=HEAD + BIN + TARGETS + SHARED, main=MAIN)
    assert shared(root, facts)[0] == 0
    found = published(root).name
    files = record(root, found)["files"]
    assert received(root, facts, found) == (0, f"fleet: built {found}")
    assert record(root, found)["files"] == files
    (library,) = (name for name in files if "words" in name)
    (root / "builds" / found / "bin" / library).unlink()
    status, last = received(root, facts, found)
    assert (status, last) == (81, f"fleet: error: {library} is not in the archive")


def shared(root, facts):
    return build(
        root, facts, change=lambda script: script.replace("BUILD_SHARED_LIBS=OFF", "BUILD_SHARED_LIBS=ON")
    )


def received(root, facts, found):
    """Packs what is there, forgets it, and takes it in again."""
    (root / "parts").mkdir(exist_ok=True)
    script = assign(FLEET_ROOT=str(root)) + plan.pack_script(found)
    packed = subprocess.run(["sh", "-s"], input=script.encode(), capture_output=True, check=True).stdout
    (root / "parts" / f"build-{found}.tar.gz").write_bytes(packed)
    shutil.rmtree(root / "builds" / found)
    steps, _ = plan.steps("here", WISH, facts, TREE, Claimed("cache"))
    status, lines = run(root, program_of(steps))
    return status, lines[-1]
