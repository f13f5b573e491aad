"""Finished binaries of a release: the real llama.cpp, packed as its project does, fetched, proven, served."""

import hashlib
import json
import platform
import tarfile
import zipfile

import pytest

from tests.live.sites import Site

SYSTEM = {"Linux": "ubuntu", "Darwin": "macos"}[platform.system()]
LABEL = f"{SYSTEM}-{'arm64' if platform.machine() in ('arm64', 'aarch64') else 'x64'}"
NAME = f"llama-b11434-bin-{LABEL}"


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def tarred(folder, programs, **changed):
    """As a release for Linux or macOS is: one folder with everything in it."""
    path = folder / f"{NAME}.tar.gz"
    with tarfile.open(path, "w:gz", compresslevel=1) as tar:
        for program in programs.iterdir():
            other = folder / program.name
            if data := changed.get(program.name.replace("-", "_")):
                other.write_bytes(data)
                other.chmod(0o755)
            tar.add(other if data else program, f"llama-b11434/{program.name}")
    return path


def zipped(folder, programs):
    """As it was before December 2025."""
    path = folder / f"{NAME}.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("LICENSE", "MIT")
        for program in programs.iterdir():
            archive.write(program, f"build/bin/{program.name}")
    return path


@pytest.fixture
def site(embedded, controllers, tmp_path):
    """A host, and a controller with nothing in its cache."""
    return Site(controllers(tmp_path / "cache"), embedded.up(["h1"])["h1"])


def write(site, source, **keys):
    site.controller.write([site.host], llama_cpp={"source": f"prebuilt:{source}", **keys})


def refused(site):
    """Fails, and leaves nothing half done on the host."""
    ended = site.controller("build", "h1", "--yes")
    assert ended.code == 1, ended
    assert not list(site.root.glob("builds/*"))
    assert not list(site.root.glob("builds/.*"))
    return ended.err


def test_a_family_of_archives_behind_http_is_deployed_and_answers(site, web, llama_server):
    folder, url = web
    path = tarred(folder, llama_server.parent)
    write(
        site,
        f"{url}/llama-b11434-bin-{{asset}}.tar.gz",
        assets={LABEL: sha256(path), "ubuntu-s390x": "a" * 64},
    )
    done = site.controller.well("deploy", "h1", "--yes", "--json").host
    titles = [step["title"] for step in done["steps"]]
    assert titles[0] == "send the finished llama.cpp b11434, cpu"
    assert not any(title.startswith("build") for title in titles)
    try:
        words = ("--max-tokens", "4", "--temperature", "0")  # at random it might end before
        answer = site.controller.well("chat", "chat@h1", "Once", *words, "--json").host
        assert answer["tokens"] == 4
        path.unlink()
        assert site.controller.well("deploy", "h1", "--yes").out.splitlines()[0] == "h1: nothing to do"
        (build,) = site.root.glob("builds/*/BUILD.json")
        record = json.loads(build.read_text())
        assert record["prebuilt"] == f"{NAME}.tar.gz"
        assert record["files"]["llama-server"] == sha256(llama_server)
        assert (build.parent / "says" / "help.txt").is_file()
        assert site.halves() == []
    finally:
        site.controller.well("stop", "h1", "--yes")


def test_a_zip_from_a_file_is_brought_to_a_host(site, tmp_path, llama_server):
    path = zipped(tmp_path, llama_server.parent)
    write(site, path, sha256=sha256(path))
    site.controller.well("build", "h1", "--yes")
    (program,) = site.root.glob("builds/*/bin/llama-server")
    assert program.read_bytes() == llama_server.read_bytes()
    assert site.controller.well("build", "h1", "--yes", "--json").host["steps"] == []


def test_another_file_than_was_named_is_not_even_opened(site, tmp_path, llama_server):
    path = zipped(tmp_path, llama_server.parent)
    write(site, path, sha256="b" * 64)
    said = refused(site)
    assert f"sha256 of {path.name} is {sha256(path)[:16]}…, not bbbbbbbbbbbbbbbb…" in said


def test_an_archive_that_leads_out_is_refused(site, tmp_path):
    path = tmp_path / f"{NAME}.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("build/bin/llama-server", "")
        archive.writestr("../../.ssh/authorized_keys", "")
    write(site, path, sha256=sha256(path))
    assert "the archive holds a path that leads out: ../../.ssh/authorized_keys" in refused(site)


def test_binaries_for_another_processor_are_found_out(site, tmp_path, llama_server):
    path = tarred(tmp_path, llama_server.parent, llama_bench=b"#!/bin/sh\nkill -s ILL $$\n")
    write(site, path, sha256=sha256(path))
    said = refused(site)
    assert "built for another CPU" in said
    assert "take another archive of the release, or build it there: source = " in said


@pytest.mark.skipif(SYSTEM != "ubuntu", reason="only the linker of glibc checks versions")
def test_binaries_for_a_newer_system_library_say_which_one(site, tmp_path, llama_server):
    real = llama_server.read_bytes()
    found = next(
        version for version in (b"GLIBC_2.34", b"GLIBC_2.33", b"GLIBC_2.17") if version + b"\0" in real
    )
    path = tarred(tmp_path, llama_server.parent, llama_server=real.replace(found + b"\0", b"GLIBC_2.99\0"))
    write(site, path, sha256=sha256(path))
    said = refused(site)
    assert "built for a newer system library: it needs GLIBC_2.99" in said
    assert "take another archive of the release" in said
