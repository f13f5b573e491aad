"""Files that a host already has: found, hashed, taken into the store, and left as they were."""

import json
import os
import shutil
from pathlib import Path

from tests.controller import SMOKE, Controller
from tests.io import storing
from tests.io.storing import SHA, SIZE, TINY, WANTED, entry, held, in_hub, root
from tests.live.sites import digest
from tests.terminal import says

hosts, home, fleet = storing.hosts, storing.home, storing.fleet


def test_a_file_of_another_program_is_adopted_and_nothing_is_sent(fleet: Controller, home: Path):
    file = in_hub(home)
    before = os.stat(file)
    listed = fleet.well("models", "list", "h1", "--json")
    assert [one["state"] for one in entry(listed)["hosts"]] == ["found"]
    assert listed.host["found"][0]["label"] == "Hugging Face ada/tiny-GGUF/tiny model's.gguf"
    pushed = fleet.well("models", "push", "h1", "--yes", "--jsonl")
    (done,) = pushed.events("step_done")
    assert done["step"].startswith("adopt model tiny from Hugging Face ada/tiny-GGUF")
    assert not done["bytes"]
    assert digest(held(home)) == SHA
    after = os.stat(file)
    assert (after.st_mode, after.st_mtime_ns, after.st_ino) == (
        before.st_mode,
        before.st_mtime_ns,
        before.st_ino,
    )
    assert fleet.well("models", "push", "h1", "--yes", "--json").host["steps"] == []
    assert [one["state"] for one in entry(fleet.well("models", "list", "h1", "--json"))["hosts"]] == ["there"]


def test_a_file_of_the_right_size_with_other_bytes_is_hashed_once_and_then_the_model_is_sent(
    fleet: Controller, home: Path
):
    data = bytearray(SMOKE.read_bytes())
    data[-1] ^= 1
    in_hub(home, bytes(data))
    pushed = fleet.well("models", "push", "h1", "--yes", "--jsonl")
    steps = [one["step"].split(" from ")[0] for one in pushed.events("step_done")]
    assert steps == ["adopt model tiny", "push model tiny"]
    assert digest(held(home)) == SHA
    shutil.rmtree(root(home) / "models")
    again = fleet.well("models", "push", "h1", "--yes", "--jsonl")
    assert [one["step"] for one in again.events("step_done")] == ["push model tiny"]


def test_ollama_lm_studio_and_named_folders_are_looked_into(fleet: Controller, home: Path, hosts):
    ollama = home / ".ollama" / "models"
    (ollama / "blobs").mkdir(parents=True)
    shutil.copyfile(SMOKE, ollama / "blobs" / f"sha256-{SHA}")
    manifest = ollama / "manifests" / "registry.ollama.ai" / "library" / "tiny" / "latest"
    manifest.parent.mkdir(parents=True)
    layer = {"mediaType": "application/vnd.ollama.image.model", "digest": f"sha256:{SHA}", "size": SIZE}
    manifest.write_text(json.dumps({"schemaVersion": 2, "config": {}, "layers": [layer, {"mediaType": "x"}]}))
    studio = home / ".lmstudio" / "models" / "ada" / "Ünï cöde" / "a.gguf"
    own = home / "my models" / "deep" / "b.gguf"
    for file in (studio, own):
        file.parent.mkdir(parents=True)
        file.write_bytes(b"GGUF")
    fleet.write(hosts.values(), WANTED, {"tiny": TINY}, {"h1": {"model_folders": ["~/my models"]}})
    host = fleet.well("models", "list", "h1", "--json").host
    assert {one["label"] for one in host["found"]} == {
        "LM Studio ada/Ünï cöde/a.gguf", "Ollama tiny:latest", str(own),
    }  # fmt: skip
    fleet.well("push", "h1", "--yes")
    assert digest(held(home)) == SHA


def test_names_links_pipes_and_crowds_do_no_harm(fleet: Controller, home: Path, hosts):
    folder = home / "models"
    folder.mkdir()
    os.mkfifo(folder / "pipe.gguf")
    (folder / "circle.gguf").symlink_to("circle.gguf")
    (folder / "two\nlines.gguf").write_bytes(b"GGUF")
    (folder / "-rf $(touch pwned) `id` 'q' \"d\".gguf").write_bytes(b"GGUF")
    (folder / os.fsdecode(b"latin-\xe9.gguf")).write_bytes(b"GGUF")
    (folder / "away.gguf").symlink_to("/root/nobody/may/see.gguf")
    (folder / "folder.gguf").mkdir()
    fleet.write(hosts.values(), WANTED, {"tiny": TINY}, {"h1": {"model_folders": ["~/models"]}})
    found = fleet.well("models", "list", "h1", "--json").host["found"]
    assert [Path(one["path"]).name for one in found] == ["-rf $(touch pwned) `id` 'q' \"d\".gguf"]
    for number in range(10_000):
        (folder / f"{number}.gguf").touch()
    assert len(fleet.well("models", "list", "h1", "--json").host["found"]) <= 200
    assert not list(home.rglob("pwned"))


def test_a_planted_link_in_the_store_is_refused(fleet: Controller, home: Path, tmp_path: Path):
    in_hub(home)
    root(home).mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (root(home) / "models").symlink_to(tmp_path / "elsewhere")
    says(fleet("push", "h1", "--yes"), 1, "is a symbolic link")
    assert not list((tmp_path / "elsewhere").iterdir())
