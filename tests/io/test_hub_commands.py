"""Models of a hub through the commands that people type."""

import pytest

from tests.controller import Controller
from tests.io.controllers import GGUF, OTHER, SHA256
from tests.io.hubs import COMMIT, NEXT, TOKEN, Repo
from tests.live.sites import digest
from tests.parts import split

SOURCE = "hf:acme/Tiny-GGUF:Q4_K_M"


@pytest.fixture
def fleet(tmp_path, hub):
    made = Controller(tmp_path, cache=tmp_path / "cache")
    made.env |= {"HF_ENDPOINT": hub.url, "HF_TOKEN": TOKEN, "HF_HOME": str(tmp_path)}
    made.inventory.write_text(f'[models.tiny]\nsource = "{SOURCE}"\n')
    return made


def test_pin_writes_the_lock_once_and_takes_a_change_only_then(fleet, hub):
    first = fleet.well("models", "pin", "tiny", "--json").json["model"]
    wanted = {"commit": COMMIT, "sha256": SHA256, "bytes": len(GGUF), "file": "Tiny-Q4_K_M.gguf"}
    assert first == wanted | {"name": "tiny", "changed": True}
    lock = (fleet.folder / "fleet.lock").read_bytes()
    assert "nothing to do" in fleet.well("models", "pin", "tiny").out
    assert (fleet.folder / "fleet.lock").read_bytes() == lock
    hub.repos["acme/Tiny-GGUF"] = Repo({"Tiny-Q4_K_M.gguf": GGUF + b"new"}, NEXT)
    assert f"Tiny-Q4_K_M.gguf at commit {NEXT[:12]}" in fleet.well("models", "pin", "tiny").out
    assert "sha256" not in fleet.inventory.read_text()
    assert hub.storage.asked == []


def test_pin_renews_a_hash_that_the_inventory_has(fleet):
    fleet.inventory.write_text(f'[models.tiny]\nsource = "{SOURCE}"\nsha256 = "{OTHER}"\n')
    fleet.well("models", "pin", "tiny")
    assert f'sha256 = "{SHA256}"' in fleet.inventory.read_text()


def test_a_dry_run_of_pin_asks_nobody(fleet, hub):
    fleet.well("models", "pin", "tiny", "--dry-run")
    assert hub.asked == []
    assert not (fleet.folder / "fleet.lock").exists()


def test_the_token_is_never_shown(fleet, hub):
    hub.known = "hf_another"
    for words in (("models", "pin", "tiny"), ("models", "pin", "tiny", "--json")):
        ended = fleet(*words)
        assert ended.code == 6
        assert "does not know the token" in ended.out + ended.err
        assert TOKEN not in ended.out + ended.err
    written = b"".join(path.read_bytes() for path in fleet.folder.rglob("*") if path.is_file())
    assert TOKEN.encode() not in written


def test_a_mirror_of_the_inventory_is_asked_and_gets_no_token(fleet, hub):
    fleet.env["HF_ENDPOINT"] = ""
    fleet.inventory.write_text(f'[defaults]\nhub = "{hub.url}"\n\n[models.tiny]\nsource = "{SOURCE}"\n')
    fleet.well("models", "pin", "tiny")
    assert {one.token for one in hub.asked} == {None}


@pytest.mark.parametrize("model", [SOURCE, "tiny"])
def test_fit_reads_only_the_header_and_pins_what_the_inventory_names(fleet, hub, model):
    hub.repos["acme/Tiny-GGUF"].files["Tiny-Q4_K_M.gguf"] = GGUF + bytes(8 << 20)
    with fleet.inventory.open("a") as file:
        file.write(f'[hosts.here]\ntransport = "local"\nroot = "{fleet.folder}/root"\n')
    ended = fleet("fit", model, "--json")
    assert [one.range for one in hub.storage.asked] == [f"bytes=0-{(1 << 20) - 1}"], str(ended)
    assert (fleet.folder / "fleet.lock").exists() == (model == "tiny")


def test_pin_of_a_model_of_several_files_sees_a_change_of_any_of_them(fleet, hub, tmp_path):
    files = {file.name: file.read_bytes() for file in split(tmp_path, "m-Q8_0")}
    hub.repos["acme/big"] = Repo(files)
    fleet.inventory.write_text('[models.big]\nsource = "hf:acme/big:Q8_0"\n')
    first = fleet.well("models", "pin", "big", "--json").json["model"]
    assert first["file"] == "m-Q8_0-00001-of-00003.gguf"
    assert first["bytes"] == sum(map(len, files.values()))
    hub.repos["acme/big"] = Repo(files, NEXT)  # a commit that left them as they are
    assert "nothing to do" in fleet.well("models", "pin", "big").out
    hub.repos["acme/big"] = Repo(files | {"m-Q8_0-00003-of-00003.gguf": b"other"}, NEXT)
    assert "pinned to m-Q8_0-00001-of-00003.gguf" in fleet.well("models", "pin", "big").out


def test_pin_writes_the_hash_of_every_file_into_the_inventory(fleet, tmp_path):
    files = split(tmp_path)
    fleet.inventory.write_text(f'[models.big]\nsource = "file:{files[0]}"\nallow_unpinned = true\n')
    fleet.well("models", "pin", "big")
    text = fleet.inventory.read_text()
    assert all(digest(file) in text for file in files)
    assert "parts = [" in text
    assert "allow_unpinned" not in text
    assert "nothing to do" in fleet.well("models", "pin", "big").out
