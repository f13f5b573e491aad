"""A repository of a hub that is to be converted: its headers are read, and its commit is pinned."""

from pathlib import Path
from typing import Any

import pytest

from tests import tiny_llama
from tests.controller import Controller
from tests.io.hubs import COMMIT, NEXT, TOKEN, ModelHub, Repo
from tests.live.sites import bare_cache

SOURCE = "hf:acme/Tiny"


@pytest.fixture
def repo(tmp_path: Path, hub: ModelHub) -> Repo:
    """A tiny Llama as people publish one: with code and a picture beside it."""
    folder = tiny_llama.write(tmp_path / "tiny")
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    hub.repos["acme/Tiny"] = Repo(files | {"modeling_tiny.py": b"import os", "logo.png": b"PNG"})
    return hub.repos["acme/Tiny"]


@pytest.fixture
def fleet(tmp_path: Path, hub: ModelHub, repo: Repo) -> Controller:
    """A controller whose one host is its own machine; llama.cpp's source is in its cache."""
    made = Controller(tmp_path / "here", cache=bare_cache(tmp_path / "cache"))
    made.env |= {"HF_ENDPOINT": hub.url, "HF_TOKEN": TOKEN, "HF_HOME": str(tmp_path)}
    made.write([], servers={}, models={})
    with made.inventory.open("a") as file:
        file.write(f'\n[hosts.here]\ntransport = "local"\nroot = "{tmp_path}/root"\n')
    return made


def planned(fleet: Controller, *words: str, source: str = SOURCE) -> Any:
    return fleet.well("models", "convert", source, "--to", "Q8_0", "--dry-run", "--json", *words).json


def commit(document: Any) -> str:
    """Of what is converted, as its note names it."""
    (found,) = [note.partition(f" from {SOURCE}@")[2] for note in document["notes"] if " from hf:" in note]
    return str(found.partition(";")[0])


def test_a_repository_is_planned_from_its_headers_and_no_code_of_it_is_taken(fleet, hub, repo):
    document = planned(fleet)
    sent = [
        step["title"].removeprefix("tiny: send ") for step in document["steps"] if ": send " in step["title"]
    ]
    assert sent == ["config.json", "tokenizer.model", "tokenizer_config.json", "model.safetensors"]
    assert commit(document) == COMMIT
    weights = len(repo.files["model.safetensors"])
    fetched = sum(len(repo.files[name]) for name in sent)
    assert hub.storage.sent < fetched - weights + 16384  # of the weights the header alone
    assert not (fleet.folder / "fleet.lock").exists()  # a dry run writes nothing


def locked(fleet: Controller) -> str:
    return (fleet.folder / "fleet.lock").read_text()


def asked(fleet: Controller, *words: str) -> Any:
    """A run that nobody agrees to: it looks, pins, and does nothing."""
    ended = fleet("models", "convert", SOURCE, "--to", "Q8_0", "--json", *words)
    assert ended.code == 7, ended
    return ended


def test_its_commit_is_pinned_once_and_taken_anew_only_where_somebody_says_so(fleet, hub, repo):
    asked(fleet)
    lock = locked(fleet)
    assert f'[origins."{SOURCE}"]\ncommit = "{COMMIT}"' in lock
    hub.repos["acme/Tiny"] = Repo(repo.files | {"config.json": b"{}"}, NEXT, before=repo)
    assert commit(planned(fleet)) == COMMIT
    assert locked(fleet) == lock
    # A dry run of a renewal shows what would come, and pins nothing.
    hub.repos["acme/Tiny"] = Repo(repo.files, NEXT, before=repo)
    assert commit(planned(fleet, "--renew")) == NEXT
    assert locked(fleet) == lock
    asked(fleet, "--renew")
    assert locked(fleet) == lock.replace(COMMIT, NEXT)
    assert commit(planned(fleet)) == NEXT


def test_models_and_repositories_in_the_lock_do_not_push_each_other_out(fleet, hub):
    with fleet.inventory.open("a") as file:
        file.write('\n[models.small]\nsource = "hf:acme/Tiny-GGUF:Q4_K_M"\n')
    fleet.well("models", "pin", "small")
    asked(fleet)
    fleet.well("models", "pin", "small")
    assert f'[origins."{SOURCE}"]' in locked(fleet)
    assert '[models."hf:acme/Tiny-GGUF:Q4_K_M"]' in locked(fleet)


def test_a_commit_that_is_named_needs_no_pin(fleet):
    assert commit(planned(fleet, source=f"{SOURCE}@{COMMIT}")) == COMMIT
    fleet("models", "convert", f"{SOURCE}@{COMMIT}", "--to", "Q8_0", "--json")
    assert not (fleet.folder / "fleet.lock").exists()


def test_a_lock_without_a_good_commit_is_damaged_and_nothing_is_asked(fleet, hub):
    (fleet.folder / "fleet.lock").write_text(
        f'schema = "fleet.lock/1"\n[models]\n[origins."{SOURCE}"]\ncommit = "main"\n'
    )
    ended = fleet("models", "convert", SOURCE, "--to", "Q8_0", "--dry-run")
    assert ended.code == 2
    assert f"'{SOURCE}' has no good commit" in ended.err
    assert hub.asked == []
