"""Source archives are never trusted."""

import gzip
import os
import tarfile

import pytest

from fleet.core.errors import FleetError
from fleet.io.builds import trees
from tests.io.checkouts import FILES, Places, checkout, fetched, packed, wish


@pytest.fixture
def places(tmp_path):
    return Places(tmp_path / "state", tmp_path / "cache", tmp_path / "config")


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
    "data",
    [b"", b"not an archive", gzip.compress(b"x" * 5000), b"\x1f\x8b\x08\0broken"],
    ids=["empty", "text", "packed text", "broken gzip"],
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
