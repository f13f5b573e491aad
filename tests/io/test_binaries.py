"""Release archives are never trusted, and come as their publishers make them."""

import gzip
import io
import stat
import tarfile
import zipfile

import pytest

from fleet.core.errors import FleetError
from fleet.io.builds.binaries import LARGEST, repack

TOP = "llama-b11434/"
HONEST = {f"{TOP}llama-server": "server", f"{TOP}llama-bench": "bench"}


def tarred(path, files, *members):
    with tarfile.open(path, "w:gz") as tar:
        for name, text in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text.encode()))
        for member in members:
            tar.addfile(member)
    return path


def zipped(path, files, *members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
        for info, text in members:
            archive.writestr(info, text)
    return path


def special(name, kind, target=""):
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    return member


def unixed(name, mode, text=""):
    info = zipfile.ZipInfo(name)
    info.create_system = 3
    info.external_attr = (mode | 0o755) << 16
    return info, text


def contents(path):
    with tarfile.open(path) as tar:
        return {
            member.name: member.linkname if member.issym() else tar.extractfile(member).read().decode()
            for member in tar
        }


@pytest.mark.parametrize(("make", "name"), [(tarred, "x.tar.gz"), (zipped, "x.zip")], ids=["tar", "zip"])
def test_of_a_release_the_programs_and_their_libraries_are_taken(tmp_path, make, name):
    files = HONEST | {
        f"{TOP}llama-cli": "cli",
        f"{TOP}LICENSE": "MIT",
        f"{TOP}ggml-rpc-server": "rpc",
        f"{TOP}libggml-cpu-haswell.so": "haswell",
        f"{TOP}libllama.so.0.0.11434": "library",
    }
    repack(make(tmp_path / name, files), tmp_path / "out", name)
    assert contents(tmp_path / "out") == {
        "bin/ggml-rpc-server": "rpc",
        "bin/libggml-cpu-haswell.so": "haswell",
        "bin/libllama.so.0.0.11434": "library",
        "bin/llama-bench": "bench",
        "bin/llama-server": "server",
    }
    with tarfile.open(tmp_path / "out") as tar:
        assert {member.mode for member in tar} == {0o755}


def test_links_of_libraries_stay_links_to_the_file_itself(tmp_path):
    links = [
        special(f"{TOP}libllama.so", tarfile.SYMTYPE, "libllama.so.0"),
        special(f"{TOP}libllama.so.0", tarfile.SYMTYPE, "libllama.so.0.1"),
    ]
    path = tarred(tmp_path / "x.tar.gz", HONEST | {f"{TOP}libllama.so.0.1": "library"}, *links)
    repack(path, tmp_path / "out", "x")
    found = contents(tmp_path / "out")
    assert found["bin/libllama.so"] == found["bin/libllama.so.0"] == "libllama.so.0.1"
    link = unixed("build/bin/libllama.so", stat.S_IFLNK, "libllama.so.1")
    inner = {f"build/bin/{name}": "" for name in ("llama-server", "llama-bench", "libllama.so.1")}
    repack(zipped(tmp_path / "x.zip", inner, link), tmp_path / "out", "x")
    assert contents(tmp_path / "out")["bin/libllama.so"] == "libllama.so.1"


def test_the_same_archive_gives_the_same_bytes(tmp_path):
    path = tarred(tmp_path / "x.tar.gz", HONEST)
    repack(path, tmp_path / "one", "x")
    repack(path, tmp_path / "two", "x")
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


@pytest.mark.parametrize(
    ("member", "said"),
    [
        (special("../../etc/cron.d/x", tarfile.REGTYPE), "a path that leads out"),
        (special("/etc/passwd", tarfile.REGTYPE), "a path that leads out"),
        (special(TOP + "libx.so", tarfile.SYMTYPE, "../../../etc/passwd"), "a link that leads out"),
        (special(TOP + "libx.so", tarfile.SYMTYPE, "/etc/passwd"), "a link that leads out"),
        (special(TOP + "libx.so", tarfile.LNKTYPE, "../../etc/passwd"), "a path that leads out"),
        (special(TOP + "libx.so", tarfile.CHRTYPE), "a device"),
        (special(TOP + "libx.so", tarfile.FIFOTYPE), "a device"),
    ],
    ids=["dots", "absolute", "link out", "absolute link", "hard link", "device", "pipe"],
)
def test_a_hostile_tar_is_refused(tmp_path, member, said):
    path = tarred(tmp_path / "x.tar.gz", HONEST, member)
    with pytest.raises(FleetError, match=said) as error:
        repack(path, tmp_path / "out", "x")
    assert error.value.kind == "hostile"


@pytest.mark.parametrize(
    ("member", "said"),
    [
        (("../../etc/cron.d/x", ""), "a path that leads out"),
        (("/etc/passwd", ""), "a path that leads out"),
        (unixed(TOP + "libx.so", stat.S_IFLNK, "../../etc/passwd"), "a link that leads out"),
        (unixed(TOP + "libx.so", stat.S_IFLNK, "/etc/passwd"), "a link that leads out"),
        (unixed(TOP + "libx.so", stat.S_IFLNK, "a" * 5000), "a link of 5000 bytes"),
        (unixed(TOP + "libx.so", stat.S_IFCHR), "a device"),
    ],
    ids=["dots", "absolute", "link out", "absolute link", "long link", "device"],
)
def test_a_hostile_zip_is_refused(tmp_path, member, said):
    path = zipped(tmp_path / "x.zip", HONEST, member)
    with pytest.raises(FleetError, match=said) as error:
        repack(path, tmp_path / "out", "x")
    assert error.value.kind == "hostile"


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path):
    bomb = tarfile.TarInfo(TOP + "libx.so")
    bomb.size = LARGEST + 1
    path = tmp_path / "x.tar.gz"
    path.write_bytes(gzip.compress(bomb.tobuf() + bytes(1024)))
    with pytest.raises(FleetError, match=r"more than 4\.0 GiB"):
        repack(path, tmp_path / "out", "x")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"README.md": ""}, "holds no llama-server"),
        ({"llama-server": ""}, "holds no llama-bench, which fleet needs"),
        ({"llama-server.exe": ""}, "holds programs for Windows"),
        ({"a/llama-server": "", "b/llama-server": ""}, "holds 2 files called llama-server"),
    ],
    ids=["none", "no bench", "windows", "two"],
)
def test_an_archive_without_what_is_needed_says_so(tmp_path, files, said):
    with pytest.raises(FleetError, match=said) as error:
        repack(zipped(tmp_path / "x.zip", files), tmp_path / "out", "x.zip")
    assert "another archive" in error.value.next


def test_links_to_nothing_are_named(tmp_path):
    """As in release b9165."""
    link = special(f"{TOP}libggml.so", tarfile.SYMTYPE, "llama-b9165ibggml.so.0")
    with pytest.raises(FleetError, match="is a link to nothing"):
        repack(tarred(tmp_path / "x.tar.gz", HONEST, link), tmp_path / "out", "x")
    loop = [special(f"{TOP}lib{a}.so", tarfile.SYMTYPE, f"lib{b}.so") for a, b in ("ab", "ba")]
    with pytest.raises(FleetError, match="is a link to nothing"):
        repack(tarred(tmp_path / "x.tar.gz", HONEST, *loop), tmp_path / "out", "x")


def test_what_is_no_archive_or_half_of_one_says_so(tmp_path):
    path = tmp_path / "x.tar.gz"
    path.write_bytes(b"<html>404</html>")
    with pytest.raises(FleetError, match="is no whole tar"):
        repack(path, tmp_path / "out", "x")
    tarred(path, HONEST | {f"{TOP}libx.so": "x" * 100_000})
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(FleetError, match="is no whole tar"):
        repack(path, tmp_path / "out", "x")
    zipped(tmp_path / "x.zip", HONEST)
    data = bytearray((tmp_path / "x.zip").read_bytes())
    data[data.index(b"server", 50)] ^= 1
    (tmp_path / "x.zip").write_bytes(data)
    with pytest.raises(FleetError, match=r"is no whole|holds no|hostile"):
        repack(tmp_path / "x.zip", tmp_path / "out", "x")


def test_a_member_that_is_shorter_than_its_zip_says_is_damage_and_no_full_disk(tmp_path):
    path = zipped(tmp_path / "x.zip", HONEST)
    data = bytearray(path.read_bytes())
    entry = data.find(b"PK\x01\x02")
    data[entry + 24 : entry + 28] = (999_999).to_bytes(4, "little")
    path.write_bytes(data)
    with pytest.raises(FleetError, match=r"x\.zip is no whole tar\.gz or zip archive"):
        repack(path, tmp_path / "out.tar.gz", "x.zip")
