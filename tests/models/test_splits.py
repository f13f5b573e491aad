"""Models of several files: their names, their id, and what does not belong together."""

from dataclasses import replace

import pytest

from fleet.core.errors import PlanError
from fleet.core.facts import ModelFile, ModelSet
from fleet.core.plan import Artifact, Put, Run
from fleet.io.models.memory import read_header
from fleet.models import plan, splits
from fleet.models.splits import Part
from fleet.sources.base import Address, Local
from tests.models.values import BARE
from tests.parts import split


@pytest.fixture(scope="module")
def headers(tmp_path_factory):
    return [read_header(file) for file in split(tmp_path_factory.mktemp("split"))]


def changed(header, **values):
    return replace(header, values=header.values | {key.replace("__", "."): v for key, v in values.items()})


def test_files_of_one_model_belong_together(headers):
    splits.check(headers)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda h: [h[0], h[2], h[1]], "its name says part 2 of 3, its header says part 3 of 3"),
        (lambda h: h[:2], "its name says part 1 of 2, its header says part 1 of 3"),
        (lambda h: h[:1], "it is one of 3 files of a split model, and its name does not say so"),
        (lambda h: [changed(h[0], split__count=99999)], "it is one of 99999 files"),
        (lambda h: [h[0], changed(h[1], split__tensors__count=11), h[2]], "part 2 of 3 is of another model"),
        (
            lambda h: [h[0], changed(h[1], general__architecture="qwen3"), h[2]],
            "part 2 of 3 is of another model: that is of qwen3",
        ),
        (lambda h: [h[0], replace(h[1], tensors=4), h[2]], "its 3 files hold 11 tensors, the model has 12"),
        (lambda h: [h[0], changed(h[1], split__no="1"), h[2]], "its header says part 0 of 3"),
    ],
)
def test_files_that_do_not_belong_together_are_named(headers, change, what):
    with pytest.raises(PlanError, match=what):
        splits.check(change(headers))


def test_a_whole_model_under_the_name_of_a_part_is_refused(headers):
    whole = changed(headers[0], split__count=0)
    with pytest.raises(PlanError, match="its name says part 1 of 2, its header says a whole model"):
        splits.check_part(whole, Part(1, 2))


def test_places_of_further_files_follow_from_the_first():
    assert splits.places(Local("a/m-00001-of-00002.gguf"))[1] == Local("a/m-00002-of-00002.gguf")
    found = splits.places(Address("https://x/m-00001-of-00002.gguf?download=true"))
    assert found[1] == Address("https://x/m-00002-of-00002.gguf?download=true")
    assert splits.places(Local("m.gguf")) == (Local("m.gguf"),)


def files(*sizes: int | None) -> Artifact:
    return splits.together(
        "big", [Artifact("model", f"{n}" * 64, "big", size) for n, size in enumerate(sizes, 1)]
    )


def test_one_file_is_itself_and_several_have_an_id_over_theirs_in_their_order():
    assert files(5) == Artifact("model", "1" * 64, "big", 5)
    both = files(5, 6)
    assert (both.size, [part.name for part in both.parts]) == (11, ["big, part 1 of 2", "big, part 2 of 2"])
    assert both.id == splits.set_id(["1" * 64, "2" * 64]) != splits.set_id(["2" * 64, "1" * 64])
    assert files(5, None).size is None


def test_a_file_that_is_there_twice_is_refused():
    one = Artifact("model", "1" * 64, "big", 5)
    with pytest.raises(PlanError, match="part 2 is the same file as part 1"):
        splits.together("big", [one, one])


def test_only_missing_files_move_and_then_they_are_put_together():
    big = files(5, 6)
    here = replace(BARE, models=(ModelFile("1" * 64, 5),))
    steps = plan.steps(here, (big, big))
    assert [step.title for step in steps] == [
        "push model big, part 2 of 2",
        "put the 2 files of big together",
    ]
    assert isinstance(steps[0].action, Put)
    assert isinstance(steps[1].action, Run)
    there = replace(BARE, sets=(ModelSet(big.id, (5, 6)),))
    assert plan.steps(there, (big,)) == ()
    assert plan.path(big) == f"models/sets/{big.id}/model-00001-of-00002.gguf"


@pytest.mark.parametrize("sizes", [(5,), (5, 7), (6, 5), (5, 6, 7)])
def test_a_set_that_is_not_as_it_should_be_is_put_together_again(sizes):
    big = files(5, 6)
    here = replace(
        BARE,
        models=(ModelFile("1" * 64, 5), ModelFile("2" * 64, 6)),
        sets=(ModelSet(big.id, sizes),),
    )
    assert [step.title for step in plan.steps(here, (big,))] == ["put the 2 files of big together"]
