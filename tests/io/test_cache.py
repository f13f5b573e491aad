"""The controller's cache: whole files only, checked, and never larger than it may be."""

import asyncio
import errno
import os
from dataclasses import replace
from pathlib import Path

import pytest

from fleet.builds.plan import smoke_artifact
from fleet.core.errors import FleetError
from fleet.core.plan import Artifact
from fleet.io.cache import Cache

BUILD = Artifact("build", "0123456789abcdef", "llama.cpp b1", None)


def written(cache: Cache, artifact: Artifact, data: bytes) -> Path:
    partial = cache.partial(artifact)
    partial.write_bytes(data)
    return partial


async def adopted(cache: Cache, artifact: Artifact, data: bytes = b"data") -> Path:
    return await cache.adopt(artifact, written(cache, artifact, data))


async def test_what_was_adopted_is_found_under_its_kind_and_id(tmp_path):
    cache = Cache(tmp_path / "cache")
    assert cache.path(BUILD) is None
    path = await adopted(cache, BUILD)
    assert cache.path(BUILD) == path
    assert path.read_bytes() == b"data"
    assert cache.path(replace(BUILD, kind="source")) is None


async def test_a_half_written_file_is_not_in_the_cache(tmp_path):
    cache = Cache(tmp_path / "cache")
    written(cache, BUILD, b"da")
    assert cache.path(BUILD) is None
    assert cache.size() == 0


async def test_a_damaged_build_is_found_out_and_forgotten(tmp_path):
    cache = Cache(tmp_path / "cache")
    path = await adopted(cache, BUILD)
    path.write_bytes(b"DATA")
    assert cache.path(BUILD) is None
    assert not path.exists()


async def test_what_was_not_used_for_longest_makes_room(tmp_path):
    cache = Cache(tmp_path / "cache", cap=25)
    one, two, three = (replace(BUILD, id=f"{n:016x}") for n in range(3))
    for age, artifact in ((300, one), (200, two)):
        path = await adopted(cache, artifact, b"0123456789")
        note = path.with_name(path.name + ".sha256")
        os.utime(note, (note.stat().st_mtime - age,) * 2)
    assert cache.path(one)  # used just now
    await adopted(cache, three, b"0123456789")
    assert cache.path(two) is None
    assert cache.path(one)
    assert cache.path(three)
    assert cache.size() == 20


async def test_the_newest_file_stays_although_it_is_larger_than_the_cap(tmp_path):
    cache = Cache(tmp_path / "cache", cap=3)
    await adopted(cache, BUILD)
    assert cache.path(BUILD)


async def test_two_fleets_may_bring_the_same_build(tmp_path):
    first, second = Cache(tmp_path / "cache"), Cache(tmp_path / "cache")
    one, two = written(first, BUILD, b"data"), written(second, BUILD, b"data")
    assert one != two
    await first.adopt(BUILD, one)
    await second.adopt(BUILD, two)
    assert first.path(BUILD).read_bytes() == b"data"


def test_the_smoke_test_is_the_file_that_fleet_ships(tmp_path):
    path = Cache(tmp_path / "cache").path(smoke_artifact())
    assert path is not None
    assert path.read_bytes()[:4] == b"GGUF"
    assert Cache(tmp_path / "cache").path(Artifact("file", "0" * 64, "other", 1)) is None


async def test_a_cache_that_cannot_be_written_is_one_clear_error(tmp_path):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache/artifacts").write_text("in the way")
    cache = Cache(tmp_path / "cache")
    with pytest.raises(FleetError, match="cannot be written") as error:
        await adopted(cache, BUILD)
    assert error.value.next.startswith("export XDG_CACHE_HOME=")


async def test_what_a_killed_fleet_left_half_written_goes_after_a_day(tmp_path):
    cache = Cache(tmp_path / "cache")
    old, young = written(cache, BUILD, b"da"), written(cache, BUILD, b"da")
    os.utime(old, (1, 1))
    await adopted(cache, BUILD)
    assert not old.exists()
    assert young.exists()


async def test_what_several_want_is_made_once(tmp_path):
    caches = [Cache(tmp_path / "cache") for _ in range(3)]
    made = []

    async def make(to: Path) -> None:
        made.append(to)
        await asyncio.sleep(0)
        to.write_bytes(b"data")

    paths = await asyncio.gather(*(cache.made(BUILD, make) for cache in caches))
    assert {path.read_bytes() for path in paths} == {b"data"}
    assert len(made) == 1


@pytest.mark.parametrize(
    ("number", "file", "said"),
    [
        (errno.ENOSPC, None, "No space left on device"),
        (errno.EACCES, "cache/incoming", "Permission denied"),
    ],
)
async def test_a_cache_that_cannot_be_written_says_so_and_keeps_nothing(tmp_path, number, file, said):
    cache = Cache(tmp_path / "cache")

    async def make(to: Path) -> None:
        to.write_bytes(b"da")
        raise OSError(number, os.strerror(number), *([] if file is None else [str(tmp_path / file)]))

    with pytest.raises(FleetError, match=f"cannot be written: {said}"):
        await cache.made(BUILD, make)
    assert [path.suffix for path in cache.folder.glob("incoming/*")] == [".lock"]
    assert cache.path(BUILD) is None


async def test_a_source_that_cannot_be_read_is_not_called_a_fault_of_the_cache(tmp_path):
    cache = Cache(tmp_path / "cache")

    async def make(to: Path) -> None:
        (tmp_path / "gone").read_bytes()

    with pytest.raises(FileNotFoundError):
        await cache.made(BUILD, make)


async def test_a_cache_that_cannot_be_made_is_one_clear_sentence(tmp_path):
    (tmp_path / "cache").write_text("a file, where a folder should be")

    async def make(to: Path) -> None:
        raise AssertionError("nothing can be made")

    with pytest.raises(FleetError, match="cannot be written"):
        await Cache(tmp_path / "cache").made(BUILD, make)
