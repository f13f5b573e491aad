"""inventory.toml on the disk: found, and read within limits."""

import os
from pathlib import Path

import pytest

from fleet.core.errors import InventoryError
from fleet.io.inventory.file import CAP, find, load

SAMPLE = Path(__file__).resolve().parents[2] / "inventory.toml"


KEY = "SHA256:" + "a" * 43


SHA = "0" * 64


CHAT = '[models.m]\nsource = "file:m"\nallow_unpinned = true\n[servers.s]\nmodel = "m"\n'


def test_the_sample_inventory_loads() -> None:
    inventory = load(SAMPLE)
    assert list(inventory.hosts) == ["rtx", "laptop", "mac"]
    assert inventory.hosts["laptop"].part_time
    assert list(inventory.servers_on("mac")) == ["chat"]


def test_models_of_the_sample_say_how_they_are_pinned() -> None:
    text = SAMPLE.read_text()
    for name, model in load(SAMPLE).models.items():
        is_hub = model.source.startswith("hf:")
        assert model.sha256 or ((is_hub or model.allow_unpinned) and f"fleet models pin {name}" in text)


def test_the_option_wins_then_the_variable_then_here_then_the_config_folder(tmp_path: Path) -> None:
    places = [tmp_path / name for name in ("option.toml", "variable.toml", "config/inventory.toml")]
    places[2].parent.mkdir()
    for place in places:
        place.touch()
    env = {"FLEET_INVENTORY": str(places[1])}
    assert find(str(places[0]), env, places[2].parent, tmp_path) == places[0]
    assert find(None, env, places[2].parent, tmp_path) == places[1]
    assert find(None, {}, places[2].parent, tmp_path) == places[2]
    (tmp_path / "inventory.toml").touch()
    assert find(None, {}, places[2].parent, tmp_path) == tmp_path / "inventory.toml"


def test_no_inventory_names_the_places_and_fleet_init(tmp_path: Path) -> None:
    with pytest.raises(InventoryError) as wrong:
        find(None, {}, tmp_path / "config", tmp_path)
    places = f"{tmp_path}/inventory.toml, {tmp_path}/config/inventory.toml"
    assert str(wrong.value) == f"no inventory found (looked in: {places})\n-> next: fleet init"
    with pytest.raises(InventoryError, match="no such file"):
        find(str(tmp_path / "x.toml"), {}, tmp_path, tmp_path)


BAD = [
    (b"a = ", "end of file: "),
    (b"[hosts.mac\n", "line 1, column 11: Expected ']' at the end of a table declaration"),
    (b"[hosts.a]\naddress = 'x'\n[hosts.a]\n", "line 3, column 9: Cannot declare ('hosts', 'a') twice"),
    (b"a = 'x\xff'\n", "line 1: not UTF-8"),
    (b"a = 'x\x00'\n", "line 1, column 7: "),
    (b"#" * (CAP + 1), "larger than 1 MiB"),
    (b"x = " + b"[" * 100_000, "nested too deeply"),
    (b"x = " + b"9" * 5000, "Exceeds the limit (4300 digits)"),
    (b"a." * 20_000 + b"b = 1\n", "line 1: a key of more than 64 parts"),
    (b"[" + b"a . " * 20_000 + b"b]\n", "line 1: a key of more than 64 parts"),
    (b"\n" + b'"x". ' * 20_000 + b'"y" = 1\n', "line 2: a key of more than 64 parts"),
    (b"x = {" + b"a." * 20_000 + b"b = 1}\n", "line 1: a key of more than 64 parts"),
]


@pytest.mark.parametrize(("data", "what"), BAD, ids=[what for _, what in BAD])
def test_a_file_that_cannot_be_read_says_where(tmp_path: Path, data: bytes, what: str) -> None:
    path = tmp_path / "inventory.toml"
    path.write_bytes(data)
    with pytest.raises(InventoryError) as wrong:
        load(path)
    assert wrong.value.what.startswith(f"{path}: {what}")
    assert wrong.value.next


def test_a_line_of_dots_in_a_comment_or_text_is_no_long_key(tmp_path: Path) -> None:
    path = tmp_path / "inventory.toml"
    path.write_text("# " + "." * 100 + '\n[hosts.a]\naddress = "' + "a." * 100 + 'b"\n')
    assert load(path).hosts["a"].address == "a." * 100 + "b"


def test_what_is_no_file_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe"):
        with pytest.raises(InventoryError, match="not a file"):
            load(path)


def test_a_byte_order_mark_is_read_over(tmp_path: Path) -> None:
    path = tmp_path / "inventory.toml"
    path.write_bytes(b"\xef\xbb\xbf[hosts.a]\r\naddress = 'x'\r\n")
    assert list(load(path).hosts) == ["a"]


def test_words_that_no_shelf_has_are_named(tmp_path: Path) -> None:
    path = tmp_path / "inventory.toml"
    path.write_text('[hosts.a]\naddress = "x"\nbackend = "cudda"\n')
    with pytest.raises(InventoryError) as wrong:
        load(path)
    assert "hosts.a.backend: no backend called 'cudda'" in wrong.value.what
    assert "cuda" in str(wrong.value.next)
