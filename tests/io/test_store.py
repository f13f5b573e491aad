"""`fleet models …` on real hosts: what lies where, what is adopted, what is damaged, what goes."""

import os
import shutil
import time
from pathlib import Path

import pytest

from tests.controller import SMOKE, Controller
from tests.embedded import Embedded
from tests.io import storing
from tests.io.storing import NOBODY, SHA, SIZE, TINY, WANTED, entry, held, in_hub, root
from tests.live.sites import digest
from tests.terminal import says

hosts, home, fleet = storing.hosts, storing.home, storing.fleet


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
