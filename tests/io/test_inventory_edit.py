"""inventory.toml edited without losing a byte that was not meant."""

import os
import stat
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
import tomlkit
from hypothesis import given, settings
from hypothesis import strategies as st

from fleet.core.edits import AddHost, AddModel, Operation, PinModel, RemoveHost, SetHostKey
from fleet.core.errors import InventoryError
from fleet.io.inventory.edit import change
from fleet.io.inventory.file import edit, load

SAMPLE = Path(__file__).resolve().parents[2] / "inventory.toml"


KEY = "SHA256:" + "a" * 43


SHA = "0" * 64


CHAT = '[models.m]\nsource = "file:m"\nallow_unpinned = true\n[servers.s]\nmodel = "m"\n'


# an operation -> the lines it takes away and the lines it brings, in the sample
EDITS: list[tuple[Operation, list[str], list[str]]] = [
    (
        AddHost("pi.4", {"address": "10.0.0.9", "tags": ("arm", "small"), "part_time": True}),
        [],
        ['[hosts."pi.4"]', 'address = "10.0.0.9"', 'tags = ["arm", "small"]', "part_time = true", ""],
    ),
    (
        AddModel("tiny-q8-0", {"source": "file:/cache/tiny.gguf", "sha256": SHA}),
        [],
        ["[models.tiny-q8-0]", 'source = "file:/cache/tiny.gguf"', f'sha256 = "{SHA}"', ""],
    ),
    (SetHostKey("mac", KEY), [], [f'host_key = "{KEY}"']),
    (PinModel("qwen3-8b", SHA), [], [f'sha256 = "{SHA}"']),
    (PinModel("gemma3-270m", SHA), ["allow_unpinned"], [f'sha256 = "{SHA}"']),
    (PinModel("gemma3-270m", "f" * 64, (SHA, SHA)), ["allow_unpinned"], [f'parts = ["{SHA}", "{SHA}"]']),
    (RemoveHost("rtx"), ["[hosts.rtx]", "address", "tags", ""], []),
    (RemoveHost("mac"), ["[hosts.mac]", "ssh", "tags", ""], []),
]


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "with BOM"])
@pytest.mark.parametrize("ending", [b"\n", b"\r\n"], ids=["LF", "CRLF"])
@pytest.mark.parametrize(
    ("operation", "gone", "new"), EDITS, ids=[str(operation)[:30] for operation, *_ in EDITS]
)
def test_an_edit_keeps_every_other_byte(
    tmp_path: Path, operation: Operation, gone: list[str], new: list[str], ending: bytes, mark: bytes
) -> None:
    path = tmp_path / "inventory.toml"
    before = mark + SAMPLE.read_bytes().replace(b"\n", ending)
    path.write_bytes(before)
    assert edit(path, change(operation))
    after = path.read_bytes()
    assert after.startswith(mark)
    assert after.count(b"\n") == after.count(ending)
    removed, added = difference(before.split(ending), after.split(ending))
    assert [line.split(" ")[0] for line in removed] == gone
    assert added == new
    load(path)


def difference(old: list[bytes], new: list[bytes]) -> tuple[list[str], list[str]]:
    """The lines between the common beginning and the common end."""
    head = 0
    while head < min(len(old), len(new)) and old[head] == new[head]:
        head += 1
    tail = 0
    while tail < min(len(old), len(new)) - head and old[-1 - tail] == new[-1 - tail]:
        tail += 1
    return (
        [line.decode() for line in old[head : len(old) - tail]],
        [line.decode() for line in new[head : len(new) - tail]],
    )


def test_adding_and_removing_a_host_leaves_no_trace(tmp_path: Path) -> None:
    path = tmp_path / "inventory.toml"
    path.write_bytes(SAMPLE.read_bytes())
    edit(path, change(AddHost("new", {"address": "x"})))
    edit(path, change(RemoveHost("new")))
    assert path.read_bytes() == SAMPLE.read_bytes()


@pytest.mark.parametrize(
    ("before", "operation", "after"),
    [
        ("", AddHost("a", {"address": "x"}), '[hosts.a]\naddress = "x"\n'),
        (
            '[hosts.a] # a\naddress = "x"\n',
            AddModel("m", {"source": "file:m", "sha256": SHA}),
            f'[hosts.a] # a\naddress = "x"\n\n[models.m]\nsource = "file:m"\nsha256 = "{SHA}"\n',
        ),
        ("# only this", AddHost("a", {"address": "x"}), '# only this\n\n[hosts.a]\naddress = "x"\n'),
        (
            'hosts = { b = { address = "y" } } # short',
            AddHost("a", {"address": "x"}),
            'hosts = { b = { address = "y" }, a = {address = "x"}} # short\n',
        ),
        (
            '[hosts]\nb.address = "y" # b\n\n# next\n[defaults]\n',
            AddHost("a", {"address": "x"}),
            '[hosts]\nb.address = "y" # b\n\n[hosts.a]\naddress = "x"\n\n# next\n[defaults]\n',
        ),
        (
            '[hosts.b]\nssh = "y"\n[defaults]\n# c\n[hosts.d]\nssh = "z" # d',
            AddHost("a", {"ssh": "x"}),
            '[hosts.b]\nssh = "y"\n[defaults]\n# c\n[hosts.d]\nssh = "z" # d\n\n[hosts.a]\nssh = "x"\n',
        ),
        (
            '# top\n[hosts.b]\naddress = "y"\n\n# about d\n[hosts.d]\naddress = "z"\n',
            RemoveHost("b"),
            '# top\n[hosts]\n# about d\n[hosts.d]\naddress = "z"\n',
        ),
        (
            '[defaults] # d\n\n# about b\n[hosts.b]\naddress = "y"\n\n# ---\n[llama_cpp]\n',
            RemoveHost("b"),
            "[defaults] # d\n\n# about b\n# ---\n[llama_cpp]\n",
        ),
        (
            f'[hosts]\na.address = "x"\nb.address = "y"\n{CHAT}on = [\n  "a,b", # two\n  "^b",\n]\n',
            RemoveHost("b"),
            f'[hosts]\na.address = "x"\n{CHAT}on = [\n  "a", # two\n]\n',
        ),
    ],
)
def test_every_way_to_write_hosts_can_be_edited(
    tmp_path: Path, before: str, operation: Operation, after: str
) -> None:
    path = tmp_path / "inventory.toml"
    path.write_text(before)
    edit(path, change(operation))
    assert path.read_text() == after


def test_mixed_line_endings_stay_mixed(tmp_path: Path) -> None:
    path = tmp_path / "inventory.toml"
    path.write_bytes(b"# a\r\n# b\n[hosts.a]\r\naddress = 'x'\r\n")
    edit(path, change(AddHost("b", {"address": "y"})))
    assert (
        path.read_bytes() == b"# a\r\n# b\n[hosts.a]\r\naddress = 'x'\r\n\r\n[hosts.b]\r\naddress = \"y\"\r\n"
    )


def test_an_edit_that_changes_nothing_writes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "inventory.toml"
    path.write_bytes(b"# without an end of line\r\n[hosts.a]\naddress = 'x'")
    before = path.stat()
    assert not edit(path, lambda document: None)
    assert (path.stat().st_mtime_ns, path.stat().st_ino) == (before.st_mtime_ns, before.st_ino)


def test_an_edit_keeps_the_mode_and_the_link(tmp_path: Path) -> None:
    target, link = tmp_path / "real" / "hosts.toml", tmp_path / "inventory.toml"
    target.parent.mkdir()
    target.write_text("[hosts.a]\naddress = 'x'\n")
    target.chmod(0o640)
    link.symlink_to("real/hosts.toml")
    edit(link, change(AddHost("b", {"address": "y"})))
    assert link.is_symlink()
    assert list(load(link).hosts) == ["a", "b"]
    assert stat.S_IMODE(target.stat().st_mode) == 0o640
    assert [file.name for file in target.parent.iterdir()] == ["hosts.toml"]


def meddler(path: Path, text: str) -> Callable[[tomlkit.TOMLDocument], None]:
    """An editor that saves the file while we change it."""

    def meddle(document: tomlkit.TOMLDocument) -> None:
        change(AddHost("b", {"address": "y"}))(document)
        stamp = path.stat()
        path.write_text(text)
        os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))  # a clock too coarse to notice

    return meddle


def test_an_edit_under_our_feet_is_kept_and_told(tmp_path: Path) -> None:
    path = tmp_path / "inventory.toml"
    path.write_text("[hosts.a]\naddress = 'x'\n")
    with pytest.raises(InventoryError) as wrong:
        edit(path, meddler(path, "[hosts.a]\naddress = 'z'\n"))
    assert wrong.value.what == f"{path}: changed by somebody else in the meantime"
    assert path.read_text() == "[hosts.a]\naddress = 'z'\n"
    assert [file.name for file in tmp_path.iterdir()] == ["inventory.toml"]


@pytest.mark.parametrize(
    "operation",
    [
        AddHost("a", {"address": "y"}),
        AddHost("B", {"address": "y"}),
        AddHost("c", {"address": "-y"}),
        RemoveHost("zzz"),
        SetHostKey("a", "nonsense"),
        PinModel("m", SHA),
        AddModel("m", {"source": "nonsense"}),
    ],
    ids=str,
)
def test_an_edit_that_would_break_the_file_writes_nothing(tmp_path: Path, operation: Operation) -> None:
    path = tmp_path / "inventory.toml"
    path.write_text("[hosts.a]\naddress = 'x'\n")
    with pytest.raises(InventoryError):
        edit(path, change(operation))
    assert path.read_text() == "[hosts.a]\naddress = 'x'\n"
    assert [file.name for file in tmp_path.iterdir()] == ["inventory.toml"]


@settings(max_examples=60)
@given(st.data())
def test_a_mangled_inventory_gives_only_inventory_errors(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("mangled") / "inventory.toml"
    text = bytearray(SAMPLE.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        stop = start + data.draw(st.integers(0, 30))
        text[start:stop] = data.draw(
            st.binary(max_size=6) | st.sampled_from([b'"', b"[", b"]]", b"\n", b"\r", b"=", b".", b"'''"])
        )
    path.write_bytes(bytes(text))
    try:
        load(path)
        edit(path, change(AddHost("new", {"address": "x"})))
    except InventoryError as wrong:
        assert wrong.next
    else:
        assert "new" in load(path).hosts


comments = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=10)


lines = st.sampled_from(["", "  ", "\t"]) | comments.map(lambda text: f"# {text}")


@settings(max_examples=60)
@given(
    st.lists(lines, max_size=4),
    st.lists(lines, max_size=4),
    st.lists(lines, max_size=4),
    st.sampled_from(["\n", "\r\n"]),
)
def test_comments_and_empty_lines_anywhere_survive_an_edit(
    tmp_path_factory: pytest.TempPathFactory,
    above: list[str],
    between: list[str],
    below: list[str],
    ending: str,
) -> None:
    path = tmp_path_factory.mktemp("comments") / "inventory.toml"
    text = [*above, "[hosts.a]  # a", "address = 'x'", *between, "[hosts.b]", "address = 'y'", *below, ""]
    path.write_bytes(ending.join(text).encode())
    edit(path, change(AddHost("c", {"address": "z"})))
    left = path.read_bytes().decode().split(ending)
    kept = iter(left)
    assert all(line in kept for line in text if line)
    assert tomllib.loads("\n".join(left))["hosts"] == {
        n: {"address": v} for n, v in zip("abc", "xyz", strict=True)
    }
