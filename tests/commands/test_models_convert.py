"""What `fleet models convert` does with what it made: the inventory, and what is printed."""

import pytest

from fleet.commands.base import Request
from fleet.commands.converting.finish import Listed, listed
from fleet.commands.converting.shown import Done, document, lines
from fleet.core.conversion import Origin
from fleet.core.edits import AddModel, EditInventory
from fleet.core.inventory import Inventory, Model
from fleet.core.plan import Plan
from fleet.models.convert import Job, Result
from fleet.models.outcome import Made

ORIGIN = Origin("tiny", "hf:o/tiny@c", (), False, "LlamaForCausalLM", 1_000_000, 1000, 300_000, 500, "BF16")
RESULTS = (Result("Q4_K_M", "4" * 64, 600_000), Result("Q8_0", "8" * 64, 1_100_000))
PATHS = {one.sha256: f"/cache/{one.sha256}.gguf" for one in RESULTS}
MADE = Made(Job(ORIGIN, ("Q4_K_M", "Q8_0"), "auto", None, None, "t"), RESULTS, {}, PATHS)
REQUEST = Request("models-convert", ())


def written(inventory: Inventory, *made: Made) -> tuple[Listed, list[AddModel]]:
    """What became of the results, and what was written."""
    flow, edits = listed(inventory, made, PATHS), []
    try:
        need = next(flow)
        while True:
            assert isinstance(need, EditInventory)
            edits.append(need.operation)
            need = flow.send(True)
    except StopIteration as stop:
        return stop.value, edits


def shown(found: Listed) -> str:
    return "\n".join(lines(REQUEST, {"": Done("h", Plan("h", ()), (MADE,), (), found)}))


def test_results_become_models_of_the_inventory_with_their_hashes():
    found, edits = written(Inventory(), MADE)
    assert found == Listed(added=("tiny-q4-k-m", "tiny-q8-0"))
    assert edits[0] == AddModel("tiny-q4-k-m", {"source": f"file:/cache/{'4' * 64}.gguf", "sha256": "4" * 64})
    assert "added to the inventory: tiny-q4-k-m, tiny-q8-0" in shown(found)
    assert "for inventory.toml" not in shown(found)


def test_what_the_inventory_has_is_left_as_it_is():
    there = Inventory(
        models={
            "tiny-q4-k-m": Model(source="file:elsewhere.gguf", sha256="4" * 64),
            "tiny-q8-0": Model(source="file:another.gguf", sha256="9" * 64),
        }
    )
    found, edits = written(there, MADE)
    assert (found.there, found.taken, edits) == (("tiny-q4-k-m",), ("tiny-q8-0",), [])
    text = shown(found)
    assert "another model called tiny-q8-0" in text
    assert '[models."tiny-q8-0"]' in text and '[models."tiny-q4-k-m"]' not in text


def test_two_models_of_one_name_do_not_become_one():
    found, edits = written(Inventory(), MADE, MADE)
    assert (len(edits), found.there) == (2, found.added)


def test_without_being_asked_the_lines_are_printed_and_nothing_is_written():
    text = shown(Listed())
    assert '  [models."tiny-q8-0"]' in text
    assert "the same command with --add writes these lines" in text


@pytest.mark.parametrize("found", [Listed(), Listed(added=("tiny-q4-k-m",))])
def test_the_document_says_what_became_of_the_inventory(found):
    said = document(REQUEST, {"": Done("h", Plan("h", ()), (MADE,), (), found)})
    assert said["inventory"] == {"added": list(found.added), "there": [], "taken": []}
    assert [file["model"] for file in said["models"][0]["files"]] == ["tiny-q4-k-m", "tiny-q8-0"]
