"""`fleet fit` on a real host with nothing built: from the inventory, a file, and an address."""

import pytest

from tests.controller import Controller
from tests.embedded import Embedded
from tests.shapes import SHAPES, write


@pytest.fixture(scope="module")
def controller(embedded: Embedded, tmp_path_factory) -> Controller:
    found = Controller(tmp_path_factory.mktemp("fit"))
    found.write(embedded.up(["near"]).values())
    return found


def test_a_host_with_nothing_built_is_answered(controller):
    document = controller.well("fit", "tiny", "--host", "near", "--json").json
    assert (document["schema"], document["model"]) == ("fleet.fit/1", "tiny")
    (host,) = document["hosts"]
    assert (host["name"], host["verdict"], host["error"]) == ("near", "fits", None)
    sizes = host["bytes"]
    assert sizes["total"] == sum(sizes[key] for key in ("weights", "kv", "compute", "other"))
    assert 0 < sizes["total"] < host["available"]


def test_a_file_that_is_larger_than_all_memory_does_not_fit(controller, tmp_path):
    path = write(tmp_path / "large.gguf", SHAPES["llama3-70b"], layers=1000)  # 870 GB, all of it a hole
    ended = controller.well("fit", str(path), "near", "--context", "8192", "--parallel", "1")
    lines = ended.out.splitlines()
    assert "llama, 1000 layers" in " ".join(lines[:2])
    assert "near: does not fit" in lines
    assert any("main memory lacks" in line for line in lines)
    assert max(len(line) for line in lines if str(path) not in line) <= 80


def test_a_name_that_is_no_model_is_a_mistake_with_the_known_ones(controller):
    ended = controller("fit", "tyny", "--host", "near")
    assert ended.code == 2
    assert "no model called 'tyny'" in ended.err
    assert "tiny" in ended.err


def test_nothing_is_changed_or_left_on_the_host(controller):
    before = controller.well("facts", "near", "--json").host
    controller.well("fit", "tiny", "near")
    after = controller.well("facts", "near", "--json").host
    assert [before[key] for key in ("builds", "models", "parts", "layout")] == [
        after[key] for key in ("builds", "models", "parts", "layout")
    ]
