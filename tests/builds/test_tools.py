"""Which wheels of cmake and ninja a host gets."""

from dataclasses import replace

import pytest

from fleet.builds import tools
from tests.builds.values import LAPTOP, MAC


@pytest.mark.parametrize(
    ("facts", "tags"),
    [
        (LAPTOP, ["manylinux2014_x86_64"] * 2),
        (replace(LAPTOP, arch="arm64", libc="glibc 2.31"), ["manylinux2014_aarch64"] * 2),
        (replace(LAPTOP, libc="musl 1.2.4"), ["musllinux_1_2_x86_64"] * 2),
        (replace(LAPTOP, arch="arm64", libc="musl 1.2.5"), ["musllinux_1_2_aarch64"] * 2),
        (MAC, ["macosx_10_10_universal2", "macosx_10_9_universal2"]),
        (replace(MAC, arch="x86_64"), ["macosx_10_10_universal2", "macosx_10_9_universal2"]),
    ],
    ids=["glibc", "glibc arm64", "musl", "musl arm64", "apple", "mac intel"],
)
def test_the_wheels_are_those_of_the_hosts_platform(facts, tags):
    assert tools.can_bring(facts)
    found = tools.fitting(facts, ["ninja", "cmake"])
    assert [wheel.name for wheel in found] == ["cmake", "ninja"]
    assert [wheel.tag for wheel in found] == tags


@pytest.mark.parametrize(
    "changes",
    [{"libc": "glibc 2.12"}, {"libc": "musl"}, {"libc": None}, {"arch": "arm"}, {"os": None}, {"arch": None}],
    ids=str,
)
def test_other_hosts_get_none(changes):
    assert not tools.can_bring(replace(LAPTOP, **changes))


def test_an_artifact_names_the_wheels_it_is_made_of():
    for both in set(tools.WHEELS.values()):
        for found in (both, both[:1], both[1:]):
            assert tools.wheels(tools.artifact(found).id) == found
            assert tools.artifact(found).size > 100_000


def test_another_version_than_ours_is_stale():
    assert tools.is_stale("cmake-3.31.0")
    assert not tools.is_stale(f"cmake-{tools.CMAKE}")
    assert not tools.is_stale("something")
