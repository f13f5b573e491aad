"""`fleet models …` on real hosts: what lies where, what is adopted, what is damaged, what goes."""

import json
import os
import shutil
import time
from pathlib import Path

import pytest

from tests.controller import SMOKE, Controller
from tests.embedded import Embedded, EmbeddedHost
from tests.inside import Inside
from tests.live.sites import digest
from tests.terminal import says

SHA = digest(SMOKE)
SIZE = SMOKE.stat().st_size
TINY = {"source": f"file:{SMOKE}", "sha256": SHA}
WANTED = {"chat": {"model": "tiny", "on": ["h1"]}}
NOBODY: dict[str, dict[str, object]] = {}


@pytest.fixture(scope="module")
def hosts(embedded: Embedded) -> dict[str, EmbeddedHost]:
    return embedded.up(["h1", "h2"])


@pytest.fixture
def home(hosts: dict[str, EmbeddedHost]) -> Path:
    """Of h1; both hosts hold nothing."""
    for host in hosts.values():
        shutil.rmtree(host.home)
        host.home.mkdir()
    return hosts["h1"].home


@pytest.fixture
def fleet(tmp_path: Path, capsys: pytest.CaptureFixture[str], hosts: dict[str, EmbeddedHost]) -> Controller:
    controller = Inside(tmp_path / "desk", capsys)
    controller.write(hosts.values(), WANTED, {"tiny": TINY})
    return controller


def root(home: Path) -> Path:
    return home / ".local" / "share" / "fleet"


def held(home: Path) -> Path:
    return root(home) / "models" / SHA / "model.gguf"


def in_hub(home: Path, data: bytes | None = None, name: str = "tiny model's.gguf") -> Path:
    """A file as huggingface_hub keeps it: a link to a blob."""
    repository = home / ".cache" / "huggingface" / "hub" / "models--ada--tiny-GGUF"
    blob = repository / "blobs" / SHA
    blob.parent.mkdir(parents=True)
    blob.write_bytes(SMOKE.read_bytes() if data is None else data)
    snapshot = repository / "snapshots" / ("0" * 40)
    snapshot.mkdir(parents=True)
    (snapshot / name).symlink_to(f"../../blobs/{SHA}")
    return snapshot / name


def entry(ended, name: str = "tiny"):
    return next(one for one in ended.json["models"] if name in one["names"] or one["sha256"] == name)


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


def test_a_damaged_model_is_put_aside_named_and_healed_by_the_next_push(fleet: Controller, home: Path):
    fleet.well("push", "h1", "--yes")
    assert "1 model whole" in fleet.well("models", "verify", "h1", "--yes").out
    before = sorted(
        str(path) for path in root(home).rglob("*") if "jobs" not in path.parts and "lock" not in path.parts
    )
    fleet.well("models", "verify", "h1", "--model", "tiny", "--yes")
    after = sorted(
        str(path) for path in root(home).rglob("*") if "jobs" not in path.parts and "lock" not in path.parts
    )
    assert before == after
    held(home).chmod(0o600)
    with open(held(home), "r+b") as file:
        file.seek(SIZE - 1)
        file.write(bytes([SMOKE.read_bytes()[-1] ^ 1]))
    ended = fleet("models", "verify", "h1", "--yes")
    assert ended.code == 1, ended
    assert "tiny is DAMAGED" in ended.out
    assert "fleet models push h1 --model tiny" in ended.out
    assert not held(home).exists()
    assert (root(home) / "damaged" / SHA / "model.gguf").exists()
    assert entry(fleet.well("models", "list", "h1", "--json"))["hosts"][0]["state"] == "damaged"
    fleet.well("models", "push", "h1", "--model", "tiny", "--yes")
    assert digest(held(home)) == SHA
    fleet.well("models", "verify", "h1", "--yes")
    removed = fleet.well("models", "gc", "h1", "--yes", "--json").host["steps"]
    assert [step["title"].split("/")[0] for step in removed] == ["remove damaged"]
    assert fleet.well("gc", "h1", "--yes", "--json").host["steps"] == []
    assert held(home).exists()


def test_rm_refuses_what_the_inventory_wants_and_gc_what_a_person_keeps(fleet: Controller, home: Path, hosts):
    fleet.well("push", "h1", "--yes")
    says(fleet("models", "rm", "tiny", "h1", "--yes", "--confirm", "h1"), 6, "the inventory wants tiny here")
    fleet.write(hosts.values(), NOBODY, {"tiny": TINY})
    fleet.well("models", "keep", "tiny", "h1", "--yes")
    assert fleet.well("models", "keep", "tiny", "h1", "--yes", "--json").host["steps"] == []
    assert fleet.well("gc", "h1", "--yes", "--json").host["steps"] == []
    says(fleet("models", "rm", SHA[:12], "h1", "--yes", "--confirm", "h1"), 6, "is kept here")
    fleet.well("models", "keep", "tiny", "h1", "--off", "--yes")
    assert len(fleet.well("models", "gc", "h1", "--dry-run", "--json").host["steps"]) == 1
    says(fleet("models", "rm", "tiny", "h1", "--yes"), 7, "--confirm h1")
    fleet.well("models", "rm", SHA[:12], "h1", "--yes", "--confirm", "h1")
    assert not held(home).exists()
    again = fleet.well("models", "rm", "tiny", "h1", "--yes", "--confirm", "h1", "--json").host
    assert (again["steps"], again["notes"]) == ([], ["tiny is not there"])


def test_rm_of_an_adopted_model_leaves_the_other_programs_file_as_it_was(
    fleet: Controller, home: Path, hosts
):
    file = in_hub(home)
    before = os.stat(file).st_mode
    fleet.well("push", "h1", "--yes")
    fleet.write(hosts.values(), NOBODY, {"tiny": TINY})
    fleet.well("models", "rm", "tiny", "h1", "--yes", "--confirm", "h1")
    assert not held(home).exists()
    assert os.stat(file).st_mode == before
    assert digest(file) == SHA


def test_two_servers_share_one_copy(fleet: Controller, home: Path, hosts):
    two = WANTED | {"second": {"model": "same", "on": ["h1"]}}
    fleet.write(hosts.values(), two, {"tiny": TINY, "same": TINY})
    assert len(fleet.well("push", "h1", "--yes", "--json").host["steps"]) == 1
    listed = fleet.well("models", "list", "h1", "--json")
    (one,) = listed.json["models"][:1]
    assert (one["names"], one["servers"]) == (["tiny", "same"], ["chat@h1", "second@h1"])


@pytest.mark.parametrize("words", [["push"], ["models", "verify"]])
def test_a_controller_killed_while_the_host_hashes_is_followed_by_one_that_ends_it(
    tmp_path: Path, embedded: Embedded, words
):
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "dd").write_text(
        "#!/bin/sh\n"
        f"cd {tmp_path}\n[ -e slow ] && : >began\nwhile [ -e slow ]; do sleep 0.1; done\ncd - >/dev/null\n"
        f'exec {shutil.which("dd")} "$@"\n'
    )
    (tools / "dd").chmod(0o755)
    host = embedded.up(["slow"], path=f"{tools}:{os.environ['PATH']}")["slow"]
    controller = Controller(tmp_path / "desk")
    controller.write([host], {"chat": {"model": "tiny", "on": ["all"]}}, {"tiny": TINY})
    in_hub(host.home)
    if words != ["push"]:
        controller.well("push", "slow", "--yes")
    (tmp_path / "slow").touch()
    first = controller.start(*words, "slow", "--yes")
    for _ in range(600):
        if (tmp_path / "began").exists():
            break
        time.sleep(0.1)
    first.kill()
    first.communicate()
    (tmp_path / "slow").unlink()
    controller.well(*words, "slow", "--yes")
    assert digest(held(host.home)) == SHA
    assert not list((root(host.home) / "parts").iterdir())
    assert controller.well("push", "slow", "--yes", "--json").host["steps"] == []


def test_a_damaged_copy_in_the_cache_is_put_aside_too(tmp_path: Path, hosts, home: Path):
    controller = Controller(tmp_path / "desk", tmp_path / "cache")
    controller.write(hosts.values(), NOBODY, {"tiny": TINY | {"source": "url:http://127.0.0.1:9/tiny.gguf"}})
    cached = tmp_path / "cache" / "fleet" / "models" / f"{SHA}.gguf"
    cached.parent.mkdir(parents=True)
    shutil.copyfile(SMOKE, cached)
    assert "controller: 1 model whole" in controller.well("models", "verify", "h1", "--yes").out
    with open(cached, "r+b") as file:
        file.truncate(SIZE - 1)
    ended = controller("models", "verify", "h1", "--yes")
    assert ended.code == 1, ended
    assert "-> next: fleet models pull tiny" in ended.out
    assert not cached.exists()
    assert (cached.parent / "damaged" / cached.name).exists()


def test_an_unreachable_host_carries_its_error_and_hides_nothing(fleet: Controller, home: Path, hosts):
    fleet.well("push", "h1", "--yes")
    fleet.write(hosts.values(), WANTED, {"tiny": TINY}, {"h2": {"port": 1}})
    ended = fleet("models", "list", "--json")
    assert ended.code == 3, ended
    assert [one["error"] and one["error"]["kind"] for one in ended.json["hosts"]] == [None, "unreachable"]
    assert ended.json["hosts"][0]["space"]["models"] >= SIZE
    assert ended.json["hosts"][1]["space"] is None
    assert entry(ended)["servers"] == ["chat@h1"]
    assert entry(ended)["hosts"][0] == {
        "name": "h1",
        "state": "there",
        "bytes": SIZE,
        "kept": False,
        "path": None,
    }


def test_lines_fit_80_columns(fleet: Controller, home: Path):
    in_hub(home, name="a very long name of a file that says all there is to say of a model-Q4_K_M.gguf")
    texts = [
        fleet("models", *words).out
        for words in (
            ["list"],
            ["info", "tiny"],
            ["push", "h1", "--yes"],
            ["verify", "h1", "--yes"],
            ["list"],
        )
    ]
    assert all(texts)
    assert [line for text in texts for line in text.splitlines() if len(line) > 80] == []


def test_info_says_what_the_header_says_by_name_path_and_hash(fleet: Controller, home: Path):
    fleet.well("push", "h1", "--yes")
    for name in ("tiny", str(SMOKE), SHA[:10]):
        told = fleet.well("models", "info", name, "h1", "--json").json
        assert told["model"]["architecture"] == "llama"
        assert told["model"]["layers"] >= 1
        assert 0 < told["model"]["bits"] <= 32
        assert told["hosts"][0]["verdict"] == "fits"


def test_a_model_that_only_a_host_has_is_read_there(fleet: Controller, home: Path, hosts):
    fleet.well("push", "h1", "--yes")
    fleet.write(hosts.values(), NOBODY, {})
    told = fleet.well("models", "info", SHA[:10], "h1", "--json").json
    assert told["model"]["architecture"] == "llama"
    assert told["sha256"] == SHA


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["info", "nemo"], 2, "no model called 'nemo'"),
        (["info", "abcdef12"], 2, "no model here begins with"),
        (["pull", "nemo"], 2, "no model called 'nemo'"),
        (["rm", "nemo", "h1", "--yes", "--confirm", "h1"], 2, "no model called 'nemo'"),
        (["rm", "tiny"], 2, "which hosts?"),
        (["verify", "h1", "--model", "tiny", "--yes"], 6, "tiny is not there"),
        (["verify", "h1", "--read-only"], 6, "read-only"),
    ],
)
def test_what_is_refused(fleet: Controller, home: Path, words, code, said):
    says(fleet("models", *words), code, said)


def test_pulling_twice_fetches_once(fleet: Controller, home: Path):
    first = fleet.well("models", "pull", "tiny", "--json").json["models"][0]
    assert first["sha256"] == SHA
    assert not first["changed"]  # a file of this machine lies where it is
    assert not root(home).exists()
