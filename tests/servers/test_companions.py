"""What is served with a model: its flags in the words of one program, and its memory."""

import itertools
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from fleet.core.errors import PlanError
from fleet.core.inventory import Host, Inventory, Model
from fleet.core.plan import Artifact
from fleet.models import kv
from fleet.models.layout import layout
from fleet.models.weights import Weights
from fleet.models.wish import Wish
from fleet.servers.capabilities import Capabilities, Flag
from fleet.servers.companions import Companion, companions, everything, extra, flags
from fleet.servers.release import files, release
from fleet.servers.sizing import Case, size
from tests.models.values import read
from tests.servers.values import PRINT, SHA, facts, server
from tests.shapes import SHAPES, write

GIB = 2**30
NEW = Capabilities(
    {
        "mmproj": Flag("FILE", ""),
        "lora": Flag("FNAME", "use comma-separated values to load multiple adapters"),
        "spec-draft-model": Flag("FNAME", ""),
        "spec-type": Flag("none,draft-simple", ""),
    }
)
OLD = Capabilities(
    {"lora": Flag("FNAME", "can be repeated to use multiple adapters"), "model-draft": Flag("FNAME", "")}
)
_ids = itertools.count(1)


def one(role: str, name: str = "other", spec: str | None = None) -> Companion:
    sha256 = f"{next(_ids):064x}"
    return Companion(role, name, sha256, f"models/{sha256}/model.gguf", spec)


def weights(name: str, model: str = "llama3.2-1b", **values: object) -> Weights:
    with tempfile.TemporaryDirectory() as folder:
        found = read(write(Path(folder) / "model.gguf", SHAPES[model]))
    changed = {key.replace("__", "."): value for key, value in values.items()}
    header = replace(found, values=found.values | changed)
    return Weights(name, header, header.sums, 1, None)


def inventory(**big: object) -> Inventory:
    models = {name: Model(source=f"file:{name}", sha256=SHA) for name in ("eyes", "small", "a", "b")}
    return Inventory(models=models | {"big": Model(source="file:big", sha256=SHA, **big)})


def test_a_model_brings_what_is_served_with_it():
    wish = inventory(mmproj="eyes", draft="small", lora=["a", "b"])
    assert everything(wish, ["big", "small"]) == ("big", "eyes", "small", "a", "b")
    assert everything(wish, ["nobody"]) == ("nobody",)


def test_a_program_of_today_gets_them_by_the_names_of_today():
    eyes, small, a, b = one("mmproj"), one("draft", spec="draft-simple"), one("lora"), one("lora")
    assert flags("chat", (eyes, small, a, b), "/r", {}, NEW) == {
        "mmproj": f"/r/{eyes.path}",
        "spec-draft-model": f"/r/{small.path}",
        "spec-type": "draft-simple",
        "lora": f"/r/{a.path},/r/{b.path}",
    }


def test_a_comma_in_a_path_is_quoted():
    a = one("lora")
    assert flags("chat", (a,), '/r,"x"', {}, NEW) == {"lora": f'"/r,""x""/{a.path}"'}


def test_an_old_program_is_told_in_its_words_or_refuses_clearly():
    small, a, b = one("draft", spec="draft-simple"), one("lora"), one("lora")
    assert set(flags("chat", (small, a), "/r", {}, OLD)) == {"spec-draft-model", "lora"}
    with pytest.raises(PlanError, match="takes one adapter, its model has 2"):
        flags("chat", (a, b), "/r", {}, OLD)
    with pytest.raises(PlanError, match="cannot take a projector: it has no --mmproj") as caught:
        flags("chat", (one("mmproj"),), "/r", {}, OLD)
    assert "newer ref" in caught.value.next


def test_a_flag_that_is_also_set_by_hand_is_refused():
    for args in ({"model-draft": "/x"}, {"spec-draft-model": "/x"}):
        with pytest.raises(PlanError, match=r"has a draft model, and .* has spec-draft-model too"):
            flags("chat", (one("draft"),), "/r", args, NEW)
    by_hand = flags("chat", (one("draft", spec="draft-simple"),), "/r", {"spec-type": "ngram-mod"}, NEW)
    assert "spec-type" not in by_hand


@pytest.mark.parametrize(
    ("values", "spec"),
    [
        ({}, "draft-simple"),
        ({"general__architecture": "eagle3"}, "draft-eagle3"),
        ({"general__architecture": "dflash"}, None),
        ({"llama__nextn_predict_layers": 1}, None),
    ],
)
def test_a_draft_is_used_as_what_it_is(values, spec):
    files = {"small": Artifact("model", "1" * 64, "small", 1)}
    (found,) = companions(inventory(draft="small"), "big", files, {"small": weights("small", **values)})
    assert found.spec == spec


@pytest.mark.parametrize(
    ("role", "values", "what"),
    [
        ("mmproj", {}, "model eyes is no projector: its header says that it is a model"),
        ("draft", {"general__type": "adapter"}, "model eyes is no draft model: .* it is an adapter"),
        ("draft", {"general__architecture": "clip"}, "model eyes is no draft model: .* it is a projector"),
        ("lora", {"general__type": "model"}, "model eyes is no adapter: .* it is a model"),
    ],
)
def test_a_file_in_a_role_that_it_cannot_have_is_refused(role, values, what):
    wish = inventory(**{role: ["eyes"] if role == "lora" else "eyes"})
    files = {"eyes": Artifact("model", "1" * 64, "eyes", 1)}
    with pytest.raises(PlanError, match=what):
        companions(wish, "big", files, {"eyes": weights("eyes", **values)})


def test_the_memory_of_a_draft_is_its_weights_and_its_cache():
    small = weights("small")
    found = extra(inventory(draft="small"), "big", {"small": small})
    wish = Wish(context=8192, kv_type_k="q8_0", kv_type_v="q8_0")
    cache = kv.cache(layout(small.header), Wish(context=8192)).total
    assert found.bytes(wish) == small.sums.total + cache  # f16, whatever the model's own cache is
    assert "the buffers of the draft model" in found.unknown
    unlike = {"nobody-knows__block_count": 16, "nobody-knows__embedding_length": 64}
    strange = weights("small", general__architecture="nobody-knows", **unlike)
    other = extra(inventory(draft="small"), "big", {"small": strange})
    assert other.bytes(wish) == small.sums.total
    assert "the cache of the draft (its heads are not given for every layer)" in other.unknown


def test_what_is_served_with_a_model_leaves_it_less_context():
    big, small = weights("big", "qwen3-8b"), weights("small")
    alone = Case("chat", server(context=None), layout(big.header))
    beside = replace(alone, extra=extra(inventory(draft="small"), "big", {"small": small}))
    sizes = [size("h", case, (), facts(), "cpu", None) for case in (alone, beside)]
    assert (sizes[0].sizing.context or 0) > (sizes[1].sizing.context or 0) > 0
    assert sizes[1].expected.tps is None
    assert any("with draft model small: " in note for note in sizes[1].notes)


def test_a_companion_makes_another_release_and_stands_in_its_record():
    a = one("lora", "polite")

    def made(*given: Companion):
        return release("chat", server(), Host(), facts(), PRINT, "cpu", SHA, companions=given)

    plain, adapted, other = made(), made(a), made(replace(a, sha256="7" * 64))
    assert len({plain.rid, adapted.rid, other.rid}) == 3
    assert adapted.argv[adapted.argv.index("--lora") + 1] == f"{facts().root}/{a.path}"
    text = files(adapted)[0].text
    assert f'"sha256": "{a.sha256}"' in text
    assert '"model": "polite"' in text


def test_a_release_of_a_model_of_several_files_starts_from_the_first_and_names_all():
    parts = tuple(Artifact("model", f"{n}" * 64, f"part {n}", 5) for n in (1, 2))
    big = Artifact("model", "9" * 64, "big", 10, parts)
    made = release("chat", server(), Host(), facts(), PRINT, "cpu", big.id, model=big)
    first = f"{facts().root}/models/sets/{big.id}/model-00001-of-00002.gguf"
    assert made.argv[made.argv.index("--model") + 1] == first
    assert f'  "{parts[0].id}",\n  "{parts[1].id}"\n' in files(made)[0].text
