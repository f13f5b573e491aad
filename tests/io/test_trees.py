"""Sources on the controller: really fetched, really packed, never trusted."""

import gzip
import hashlib
import http.server
import io
import os
import subprocess
import tarfile
import threading
from dataclasses import dataclass
from pathlib import Path

import pytest

from fleet.core.errors import FleetError, InventoryError
from fleet.core.inventory import LlamaCpp
from fleet.io import trees

FILES = {
    "CMakeLists.txt": b"project(tiny)\n",
    "ggml/CMakeLists.txt": b"# ggml\n",
    "src/llama.cpp": b"int main() {}\n",
    "scripts/run.sh": b"#!/bin/sh\n",
    "tests/big.bin": b"0" * 1000,
    "models/vocab.gguf": b"GGUF",
}
KEPT = ["CMakeLists.txt", "ggml/CMakeLists.txt", "scripts/run.sh", "src/llama.cpp"]


@dataclass(frozen=True)
class Places:
    state: Path
    cache: Path
    config: Path


@pytest.fixture
def places(tmp_path):
    return Places(tmp_path / "state", tmp_path / "cache", tmp_path / "config")


def wish(source: str, **keys):
    return LlamaCpp.model_construct(source=source, **({"ref": None, "sha256": None, "build": None} | keys))


def checkout(folder: Path, files=FILES) -> Path:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    (folder / "scripts/run.sh").chmod(0o755)
    return folder


def packed(path: Path, top: str = "llama.cpp-b7/", files=FILES, extra=()) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(top + name)
            member.size = len(data)
            member.mode = 0o755 if name.endswith(".sh") else 0o644
            member.mtime = 1700000000
            tar.addfile(member, io.BytesIO(data))
        for member in extra:
            tar.addfile(member)
    return path


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


async def fetched(source, base, places, environment=None):
    tree = await trees.find(source, base, places, environment=environment)
    return tree, await trees.make_archive(source, tree, base, places, environment=environment)


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


def link(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type = kind
    member.linkname = target
    return member


def special(name: str, kind: bytes) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type = kind
    return member


TOP = "llama.cpp-b7/"


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ([special("../../etc/cron.d/x", tarfile.REGTYPE)], "a path that leads out"),
        ([special("/etc/passwd", tarfile.REGTYPE)], "a path that leads out"),
        ([link(TOP + "src/out", "../../../etc")], "a link that leads out"),
        ([link(TOP + "src/out", "/etc/passwd")], "a link that leads out"),
        ([link(TOP + "a/b/up", "../.."), link(TOP + "a/x", "b/up/../secret")], "a path through a link"),
        ([link(TOP + "in", "src"), special(TOP + "in/x", tarfile.REGTYPE)], "a path through a link"),
        ([special(TOP + "null", tarfile.CHRTYPE)], "a device"),
        ([special(TOP + "pipe", tarfile.FIFOTYPE)], "a device"),
        ([link(TOP + "hard", "../../etc/passwd", tarfile.LNKTYPE)], "a hard link to nothing"),
    ],
    ids=[
        "dots",
        "absolute",
        "link out",
        "absolute link",
        "two links",
        "through a link",
        "device",
        "pipe",
        "hard",
    ],
)
async def test_a_hostile_archive_is_refused(tmp_path, places, members, said):
    packed(tmp_path / "x.tar.gz", extra=members)
    with pytest.raises(FleetError, match=said) as error:
        await fetched(wish("archive:x.tar.gz"), tmp_path, places)
    assert error.value.next
    assert not list(places.cache.rglob("source*.tar.gz"))


async def test_links_that_stay_inside_are_kept(tmp_path, places):
    packed(
        tmp_path / "x.tar.gz",
        extra=[
            link(TOP + "src/same", "llama.cpp"),
            link(TOP + "src/hard.cpp", TOP + "src/llama.cpp", tarfile.LNKTYPE),
        ],
    )
    _, path = await fetched(wish("archive:x.tar.gz"), tmp_path, places)
    with tarfile.open(path) as tar:
        assert tar.getmember("src/same").linkname == "llama.cpp"
        assert tar.extractfile("src/hard.cpp").read() == FILES["src/llama.cpp"]


@pytest.mark.parametrize(
    "data", [b"", b"not an archive", gzip.compress(b"x" * 5000), b"\x1f\x8b\x08\0broken"]
)
async def test_a_file_that_is_no_archive_is_one_clear_error(tmp_path, places, data):
    (tmp_path / "x.tar.gz").write_bytes(data)
    with pytest.raises(FleetError):
        await fetched(wish("archive:x.tar.gz"), tmp_path, places)


async def test_a_truncated_archive_is_one_clear_error(tmp_path, places):
    whole = packed(tmp_path / "x.tar.gz", files=FILES | {"src/noise": os.urandom(100_000)}).read_bytes()
    (tmp_path / "x.tar.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(FleetError, match="is no tar archive"):
        await fetched(wish("archive:x.tar.gz"), tmp_path, places)


async def test_a_folder_with_a_link_out_of_it_is_refused(tmp_path, places):
    folder = checkout(tmp_path / "checkout")
    (folder / "src/out").symlink_to("/etc")
    with pytest.raises(FleetError, match="a link that leads out"):
        await trees.find(wish("dir:checkout"), tmp_path, places)


@pytest.fixture
def web(tmp_path):
    """A real web server on loopback for the files of a folder."""
    folder = tmp_path / "web"
    folder.mkdir()

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *argv, **keys):
            super().__init__(*argv, directory=str(folder), **keys)

        def log_message(self, *argv):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield folder, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


async def test_an_archive_behind_http_is_fetched_once(tmp_path, places, web):
    folder, url = web
    digest = sha256(packed(folder / "b7.tar.gz"))
    source = wish(f"archive:{url}/b7.tar.gz", sha256=digest)
    tree, path = await fetched(source, tmp_path, places)
    (folder / "b7.tar.gz").unlink()
    assert (await fetched(source, tmp_path, places))[1] == path
    assert (await trees.find(source, tmp_path, places)).artifact.size == path.stat().st_size
    assert tree.artifact.size is None
    assert not list(places.cache.rglob("*.part*"))


async def test_what_the_network_brought_is_checked(tmp_path, places, web):
    folder, url = web
    packed(folder / "b7.tar.gz")
    source = wish(f"archive:{url}/b7.tar.gz", sha256="b" * 64)
    tree = await trees.find(source, tmp_path, places)
    with pytest.raises(FleetError, match="sha256 of"):
        await trees.make_archive(source, tree, tmp_path, places)
    missing = wish(f"archive:{url}/none.tar.gz", sha256="b" * 64)
    with pytest.raises(FleetError) as error:
        await trees.make_archive(missing, await trees.find(missing, tmp_path, places), tmp_path, places)
    assert error.value.next


@pytest.fixture
def index(web):
    """A package index with one source package, as the user might have configured it for pip."""
    folder, url = web
    name = "tiny_tree-7.0.0"
    page = folder / "simple/tiny-tree"
    page.mkdir(parents=True)
    files = {f"llama.cpp/{name}": data for name, data in FILES.items()}
    files |= {
        "PKG-INFO": b"Metadata-Version: 2.1\nName: tiny-tree\nVersion: 7.0.0\n",
        "pyproject.toml": b'[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n',
        "backend.py": b"import os\n"
        b"def prepare_metadata_for_build_wheel(folder, config=None):\n"
        b"    os.mkdir(folder + '/tiny_tree-7.0.0.dist-info')\n"
        b"    open(folder + '/tiny_tree-7.0.0.dist-info/METADATA', 'w').write("
        b"'Metadata-Version: 2.1\\nName: tiny-tree\\nVersion: 7.0.0\\n')\n"
        b"    return 'tiny_tree-7.0.0.dist-info'\n"
        b"def build_wheel(*argv, **keys): raise SystemExit('no wheel is wanted')\n",
    }
    archive = packed(page / f"{name}.tar.gz", top=f"{name}/", files=files)
    (page / "index.html").write_text(f'<a href="{name}.tar.gz">{name}.tar.gz</a>')
    pip = {"PIP_INDEX_URL": f"{url}/simple", "PIP_CONFIG_FILE": os.devnull, "PIP_NO_CACHE_DIR": "1"}
    return archive, pip


async def test_pip_fetches_it_and_the_plan_says_what_that_means(tmp_path, places, index):
    archive, pip = index
    source = wish("sdist:tiny-tree==7.0.0/llama.cpp", sha256=sha256(archive))
    tree, path = await fetched(source, tmp_path, places, environment=pip)
    assert tree.notes == (
        "pip fetches tiny-tree 7.0.0, and may run that package's build code on this machine",
    )
    with tarfile.open(path) as tar:
        assert tar.getnames() == KEPT
    assert (await trees.find(source, tmp_path, places, environment=pip)).notes == ()


async def test_without_a_hash_the_package_itself_tells_its_identity(tmp_path, places, index):
    archive, pip = index
    pinned = await trees.find(
        wish("sdist:tiny-tree==7.0.0/llama.cpp", sha256=sha256(archive)), tmp_path, places, environment=pip
    )
    free = await trees.find(wish("sdist:tiny-tree==7.0.0/llama.cpp"), tmp_path, places, environment=pip)
    assert free.id == pinned.id


async def test_another_hash_is_refused_by_pip(tmp_path, places, index):
    archive, pip = index
    source = wish("sdist:tiny-tree==7.0.0/llama.cpp", sha256="c" * 64)
    with pytest.raises(FleetError) as error:
        await fetched(source, tmp_path, places, environment=pip)
    assert error.value.kind == "checksum"
    assert sha256(archive)[:16] in error.value.what


async def test_a_subfolder_that_is_not_there_names_the_one_that_is(tmp_path, places, index):
    archive, pip = index
    with pytest.raises(InventoryError, match="at vendor/") as error:
        await fetched(
            wish("sdist:tiny-tree==7.0.0/vendor", sha256=sha256(archive)), tmp_path, places, environment=pip
        )
    assert error.value.next == "SUBFOLDER is llama.cpp"


async def test_a_version_that_the_index_does_not_have_is_one_clear_error(tmp_path, places, index):
    _, pip = index
    with pytest.raises(FleetError, match="the package index has no source of it") as error:
        await fetched(
            wish("sdist:tiny-tree==8.0.0/llama.cpp", sha256="c" * 64), tmp_path, places, environment=pip
        )
    assert error.value.next.startswith("python -m pip download --no-deps --no-binary tiny-tree")
