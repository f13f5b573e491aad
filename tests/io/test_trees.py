"""Sources on the controller: really fetched, really packed, never trusted."""

import os
import subprocess
import tarfile
from pathlib import Path

import pytest

from fleet.core.errors import FleetError, InventoryError
from fleet.io.builds import trees
from tests.io.checkouts import KEPT, Places, checkout, fetched, packed, sha256, wish


@pytest.fixture
def places(tmp_path):
    return Places(tmp_path / "state", tmp_path / "cache", tmp_path / "config")


def git(folder: Path, *argv: str) -> str:
    who = ("-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "init.defaultBranch=main")
    done = subprocess.run(["git", *who, *argv], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path):
    folder = checkout(tmp_path / "repository")
    git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "one")
    git(folder, "tag", "-a", "b11434", "-m", "a tag with a message")
    return folder


async def test_folder_archive_and_repository_of_the_same_source_give_the_same_bytes(
    tmp_path, places, repository
):
    folder = checkout(tmp_path / "checkout")
    archive = packed(tmp_path / "b7.tar.gz")
    made = [
        (await fetched(source, tmp_path, places))[1]
        for source in (
            wish(f"dir:{folder}"),
            wish("archive:b7.tar.gz", sha256=sha256(archive)),
            wish(f"git:file://{repository}", ref="b11434"),
        )
    ]
    assert len({path.read_bytes() for path in made}) == 1
    assert len(set(made)) == 3


async def test_an_archive_holds_what_a_build_needs_and_no_trace_of_this_machine(tmp_path, places):
    folder = checkout(tmp_path / "checkout")
    (folder / "build").mkdir()
    (folder / "build/CMakeCache.txt").write_text("x")
    (folder / ".git").mkdir()
    (folder / ".git/config").write_text("url = https://token@example.org")
    tree, path = await fetched(wish("dir:checkout"), tmp_path, places)
    with tarfile.open(path) as tar:
        members = tar.getmembers()
    assert [member.name for member in members] == KEPT
    assert {(member.uid, member.gid, member.uname, member.mtime) for member in members} == {
        (0, 0, "", 315532800)
    }
    assert [member.mode for member in members] == [0o644, 0o644, 0o755, 0o644]
    assert path.read_bytes()[4:8] == b"\0\0\0\0"  # gzip's own time
    assert path.name == f"{tree.id}.tar.gz"


async def test_packing_twice_gives_the_same_bytes(tmp_path, places):
    checkout(tmp_path / "checkout")
    tree, path = await fetched(wish("dir:checkout"), tmp_path, places)
    first = path.read_bytes()
    for entry in places.cache.rglob("*.tar.gz*"):
        entry.unlink()
    os.utime(tmp_path / "checkout/src/llama.cpp", (1, 1))
    again, path = await fetched(wish("dir:checkout"), tmp_path, places)
    assert again.id == tree.id
    assert path.read_bytes() == first


async def test_a_changed_working_tree_is_another_source(tmp_path, places):
    folder = checkout(tmp_path / "checkout")
    before = await trees.find(wish("dir:checkout"), tmp_path, places)
    (folder / "src/llama.cpp").write_text("int main() { return 1; }")
    after = await trees.find(wish("dir:checkout"), tmp_path, places)
    assert before.id != after.id


async def test_a_tag_is_resolved_to_its_commit_and_its_number(tmp_path, places, repository):
    tree, _ = await fetched(wish(f"git:file://{repository}", ref="b11434"), tmp_path, places)
    assert tree.commit == git(repository, "rev-parse", "HEAD")
    assert (tree.number, tree.name) == (11434, "b11434")


async def test_a_full_commit_is_taken_as_it_is_and_needs_no_question(tmp_path, places, repository):
    commit = git(repository, "rev-parse", "HEAD")
    source = wish(f"git:file://{repository}", ref=commit)
    tree = await trees.find(wish("git:file:///nowhere", ref=commit), tmp_path, places)
    assert tree.commit == commit
    assert (await fetched(source, tmp_path, places))[0].id == tree.id


async def test_a_branch_follows_its_repository(tmp_path, places, repository):
    before = await trees.find(wish(f"git:file://{repository}", ref="main"), tmp_path, places)
    (repository / "src/llama.cpp").write_text("// two")
    git(repository, "commit", "-q", "-am", "two")
    after = await trees.find(wish(f"git:file://{repository}", ref="main"), tmp_path, places)
    assert before.id != after.id


async def test_a_ref_or_repository_that_is_not_there_is_named(tmp_path, places, repository):
    with pytest.raises(InventoryError, match="has no tag or branch 'b1'"):
        await trees.find(wish(f"git:file://{repository}", ref="b1"), tmp_path, places)
    with pytest.raises(FleetError, match="git cannot read") as error:
        await trees.find(wish("git:file:///nowhere", ref="b1"), tmp_path, places)
    assert error.value.next == "git ls-remote file:///nowhere"


async def test_a_wrong_hash_shows_both(tmp_path, places):
    found = sha256(packed(tmp_path / "b7.tar.gz"))
    with pytest.raises(FleetError, match=rf"is {found[:16]}…, not {'a' * 16}…") as error:
        await trees.find(wish("archive:b7.tar.gz", sha256="a" * 64), tmp_path, places)
    assert error.value.kind == "checksum"
    assert found in error.value.next


@pytest.mark.parametrize("source", ["archive:none.tar.gz", "dir:none"])
async def test_a_source_that_is_not_there_is_named(tmp_path, places, source):
    with pytest.raises(InventoryError, match="none"):
        await trees.find(wish(source), tmp_path, places)


async def test_an_archive_without_llama_cpp_is_refused(tmp_path, places):
    packed(tmp_path / "x.tar.gz", files={"README": b"", "scripts/run.sh": b""})
    with pytest.raises(InventoryError, match=r"no llama.cpp in x.tar.gz"):
        await fetched(wish("archive:x.tar.gz"), tmp_path, places)


async def test_llama_cpp_inside_a_larger_archive_is_found_where_it_is(tmp_path, places):
    packed(tmp_path / "x.tar.gz", top="package-1/vendor/llama.cpp/")
    _, path = await fetched(wish("archive:x.tar.gz"), tmp_path, places)
    with tarfile.open(path) as tar:
        assert tar.getnames() == KEPT
