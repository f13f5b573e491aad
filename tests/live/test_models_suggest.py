"""`fleet models suggest` on a real host over SSH: what it holds, and what nobody has."""

import pytest

from tests.controller import Controller
from tests.embedded import Embedded
from tests.shapes import SHAPES, write


@pytest.fixture(scope="module")
def controller(embedded: Embedded, tmp_path_factory) -> Controller:
    found = Controller(tmp_path_factory.mktemp("suggest"))
    found.write(embedded.up(["near"]).values())
    return found


def test_every_model_of_the_inventory_is_answered_and_the_host_is_left_as_it_was(controller):
    document = controller.well("models", "suggest", "near", "--json").json
    assert document["schema"] == "fleet.suggest/1"
    (host,) = document["hosts"]
    assert (host["name"], host["error"]) == ("near", None)
    tiny = next(model for model in host["models"] if model["name"] == "tiny")
    assert tiny["error"] is None
    assert tiny["on_host"] is False
    assert tiny["choices"][0]["held"]


def test_a_file_gets_its_advice_in_eighty_columns(controller, tmp_path):
    path = write(tmp_path / "large.gguf", SHAPES["llama3-8b"], file_type=7)  # all of it a hole
    lines = controller.well("models", "suggest", "near", "--model", str(path)).out.splitlines()
    assert lines[0] == "near, goal balanced"
    assert any(line.startswith("    why   ") for line in lines)
    assert max(len(line) for line in lines if str(path) not in line) <= 80


def test_a_goal_that_is_none_is_a_mistake_with_the_known_ones(controller):
    ended = controller("models", "suggest", "near", "--goal", "best")
    assert ended.code == 2
    assert "quality, balanced, speed" in ended.err
