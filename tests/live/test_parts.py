"""A model in several files and what is served with it: pushed, put together, started, and started again."""

import json
import re
from pathlib import Path

import pytest

from tests.controller import CHAT, SMOKE
from tests.live.sites import Site, digest
from tests.parts import adapter, projector, split

HOST = "h1"


@pytest.fixture(scope="module")
def site(embedded, controllers):
    found = Site(controllers(), embedded.up([HOST])[HOST])
    yield found
    found.controller("stop", HOST, "--yes")


def write(site: Site, **big: object) -> None:
    """An inventory whose one server serves a model in three files."""
    files = split(site.controller.folder)
    lora, more = (
        adapter(site.controller.folder / "l1.gguf"),
        adapter(site.controller.folder / "l2.gguf", seed=2),
    )
    models = {
        "big": {"source": f"file:{files[0].name}", "parts": [digest(file) for file in files]} | big,
        "small": {"source": f"file:{SMOKE}", "sha256": digest(SMOKE)},
        "polite": {"source": f"file:{lora.name}", "sha256": digest(lora)},
        "brief": {"source": f"file:{more.name}", "sha256": digest(more)},
        "eyes": {
            "source": f"file:{projector(site.controller.folder / 'eyes.gguf').name}",
            "sha256": digest(site.controller.folder / "eyes.gguf"),
        },
    }
    site.controller.write([site.host], servers={"chat": CHAT | {"model": "big"}}, models=models)


def test_a_split_model_is_pushed_served_and_kept(site):
    write(site)
    document = site.controller.well("deploy", HOST, "--yes", "--json").json
    titles = [step["title"] for step in document["hosts"][0]["steps"]]
    assert "push model big, part 1 of 3" in titles
    assert "put the 3 files of big together" in titles
    (folder,) = site.root.glob("models/sets/*")
    linked = sorted(folder.iterdir())
    assert [file.name for file in linked] == [f"model-0000{n}-of-00003.gguf" for n in (1, 2, 3)]
    for file in linked:  # no byte is there twice
        assert file.stat().st_ino == (site.root / "models" / digest(file) / "model.gguf").stat().st_ino
    (process,) = site.llama_servers()
    assert str(linked[0]) in process
    assert site.halves() == []
    words = ("--max-tokens", "8", "--temperature", "0")  # at random it might end before
    answer = site.controller.well("chat", "chat@h1", "Once upon a time", *words, "--json").host
    assert answer["tokens"] == 8
    assert site.controller.well("deploy", HOST, "--yes").out == "h1: nothing to do\n"
    assert "nothing to do" in site.controller.well("push", HOST, "--yes").out
    assert "nothing to do" in site.controller.well("gc", HOST, "--yes").out
    assert len(list(folder.iterdir())) == 3


def test_a_fit_adds_up_all_files(site):
    write(site)
    document = site.controller.well("fit", "big", "--host", HOST, "--json").json
    single = site.controller.well(
        "fit", str(SMOKE), "--host", HOST, "--context", "512", "--parallel", "1", "--json"
    )
    assert document["hosts"][0]["bytes"]["weights"] == single.json["hosts"][0]["bytes"]["weights"]


def test_a_set_that_lost_a_file_is_put_together_again(site):
    write(site)
    (folder,) = site.root.glob("models/sets/*")
    (folder / "model-00002-of-00003.gguf").unlink()
    plan = site.controller.well("plan", HOST, "--json").host
    assert [step["title"] for step in plan["steps"]] == ["put the 3 files of big together"]
    site.controller.well("push", HOST, "--yes")
    assert len(list(folder.iterdir())) == 3
    assert not list(site.root.glob("trash/*"))


def test_a_draft_and_adapters_are_served_and_what_is_gone_restarts_the_server(site):
    write(site, draft="small", lora=["polite", "brief"])
    before = site.pid()
    notes = " ".join(site.controller.well("plan", HOST, "--json").host["notes"])
    site.controller.well("deploy", HOST, "--yes")
    assert "with draft model small, adapter polite, adapter brief" in notes
    (process,) = site.llama_servers()
    assert site.pid() != before
    paths = re.findall(r"--lora (\S+)", process)[0].split(",")
    assert [digest(Path(path)) for path in paths] == [
        digest(site.controller.folder / f"l{n}.gguf") for n in (1, 2)
    ]
    assert f"--spec-draft-model {site.root}/models/{digest(SMOKE)}/model.gguf" in process
    assert "--spec-type draft-simple" in process
    log = (site.root / "services" / "chat" / "log" / "server.log").read_text(errors="replace")
    assert "lora" in log
    site.controller.well("chat", "chat@h1", "Once upon a time", "--max-tokens", "8", "--json")
    assert site.controller.well("deploy", HOST, "--yes").out == "h1: nothing to do\n"
    assert "nothing to do" in site.controller.well("gc", HOST, "--yes").out
    (release,) = [
        found
        for file in site.root.glob("releases/chat/*/RELEASE.json")
        if (found := json.loads(file.read_text()))["companions"]
    ]
    assert [one["model"] for one in release["companions"]] == ["small", "polite", "brief"]
    write(site, lora=["polite"])
    site.controller.well("deploy", HOST, "--yes")
    (process,) = site.llama_servers()
    assert "--spec-draft-model" not in process
    assert site.controller.well("deploy", HOST, "--yes").out == "h1: nothing to do\n"


def test_a_projector_of_nothing_is_refused_by_llama_server_and_the_former_runs_again(site):
    write(site, mmproj="eyes")
    ended = site.controller("deploy", HOST, "--yes")
    assert ended.code == 1
    assert "projector" in ended.err
    assert "what ran before runs again" in ended.err
    (process,) = site.llama_servers()
    assert "--mmproj" not in process


def test_a_role_that_a_file_cannot_have_is_refused_before_anything_moves(site):
    write(site, mmproj="polite")
    ended = site.controller("plan", HOST)
    assert ended.code == 6
    assert "model polite is no projector: its header says that it is an adapter" in ended.err
