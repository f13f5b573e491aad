"""`fleet models suggest`: the best quantisation of each model on each host, as an expert would say."""

import json
from dataclasses import replace

import pytest

from fleet.commands.base import Request
from fleet.commands.fit import told
from fleet.commands.models_suggest import Answer, document, flow, lines, verb
from fleet.core.choices import ListFiles
from fleet.core.errors import PlanError, UnreachableError, UsageError
from fleet.core.facts import Build, Cpu, Memory, ModelSet, Tool
from fleet.core.flow import AskOracle, LastMeasured, Probe, ReadWeights
from fleet.core.inventory import Host, Inventory, Model
from fleet.core.stock import Cached, Known, ReadStock, Stocked
from fleet.models.layout import layout
from fleet.models.offered import File, Offered
from fleet.models.suggest import GOALS
from fleet.models.tensors import Sums
from fleet.models.weights import join
from fleet.models.wish import Wish
from tests.commands import experts
from tests.models.values import AVX2, BARE, GIB, M3_MAX, MTL0, RTX_4070, TWO_3090, nvidia, read
from tests.shapes import SHAPES, Shape, write

NVCC = {"nvcc": Tool("nvcc", "/usr/local/cuda/bin/nvcc", "12.4.131")}
LAPTOP = Cpu("13th Gen Intel(R) Core(TM) i7-13700H", 6, 8, 20, AVX2)
CARD = nvidia("NVIDIA GeForce RTX 3090", 24576, 24100)
HOSTS = {
    "rtx": replace(RTX_4070, tools=NVCC),
    "laptop": replace(BARE, cpu=LAPTOP, memory=Memory(32 * GIB, 27 * GIB, False, None, None)),
    "mac": replace(M3_MAX, builds=(Build("f", "metal", 11434, (MTL0,)),)),
    "dual": replace(TWO_3090, tools=NVCC, gpus=(CARD, CARD)),
    "pi": replace(
        BARE,
        platform="raspberry-pi",
        arch="arm64",
        cpu=Cpu("Cortex-A76", 4, None, 4, ("asimddp",)),
        memory=Memory(8 * GIB, 7 * GIB, False, None, None),
    ),
}
Q14 = Shape("qwen3-14b", "qwen3", 40, 5120, 40, 8, 128, 17408, 151936, has_head_norms=True)
NAMES = ("llama3-8b", "qwen3-14b", "llama3-70b", "qwen3-30b-a3b")
INVENTORY = Inventory(
    hosts={name: Host(address="192.0.2.1") for name in HOSTS},
    models={name: Model(source=f"file:{name}.gguf", allow_unpinned=True) for name in NAMES},
)
NOTHING = Offered()


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shapes")
    found = {}
    for name in (*NAMES, "gemma3-270m"):
        kind = 15 if name == "gemma3-270m" else 7
        path = write(folder / name, (SHAPES | {"qwen3-14b": Q14})[name], file_type=kind)
        found[name] = join(name, [(read(path), path.stat().st_size)], "5" * 64)
    found["gemma3-270m"] = replace(found["gemma3-270m"], size=253_113_024)  # of the published Q4_K_M
    return found


def request(*hosts: str, **options) -> Request:
    values = {"model": (), "context": None, "parallel": None, "goal": "balanced", "table": False}
    return Request("models-suggest", hosts or tuple(HOSTS), values | options)


def answered(weights, host: str, offered=NOTHING, cached=(), inventory=INVENTORY, **options):
    conversation = flow(request(host, **options), inventory, host)
    try:
        need = next(conversation)
        while True:
            match need:
                case Probe():
                    need = conversation.send(HOSTS[host])
                case ReadWeights(model) if model in weights:
                    need = conversation.send(weights[model])
                case ReadWeights():
                    need = conversation.throw(PlanError("there is no such file", next="fleet config show"))
                case ReadStock():
                    need = conversation.send(Stocked((), cached, None))
                case ListFiles():
                    need = conversation.send(offered)
                case LastMeasured():
                    need = conversation.send(({}, None, 0.0))
                case AskOracle():
                    need = conversation.send("")
    except StopIteration as stop:
        return stop.value


def best(page, model: str) -> str | None:
    assert isinstance(page[model], Answer)
    found = page[model].advice.best
    return found.name if found else None


@pytest.mark.parametrize("goal", GOALS)
@pytest.mark.parametrize("host", HOSTS)
def test_the_advice_is_what_an_expert_works_out_on_paper(weights, host, goal) -> None:
    page = answered(weights, host, goal=goal)
    found = {name: (best(page, name), page[name].wish.context < 8192) for name in NAMES if best(page, name)}
    wanted = {name: experts.advised(name, host, goal) for name in NAMES}
    assert found == {name: (said[0], said[1] < 8192) for name, said in wanted.items() if said}


def test_a_shorter_context_comes_before_fewer_bits_where_nobody_asked_for_one(weights) -> None:
    """A Pi 5 of 8 GB: Q4_K_M of Llama-3-8B has 4.6 GiB, its cache 1 GiB for 8192 tokens; 6 GiB are there."""
    one = answered(weights, "pi", model=("llama3-8b",))["llama3-8b"]
    assert (one.advice.best.name, one.wish.context) == ("Q4_K_M", 6144)
    assert "nothing fits that loses as little as Q4_K_M: context = 6144 for its server" in one.notes[-1]
    asked = answered(weights, "pi", model=("llama3-8b",), context=8192)["llama3-8b"]
    assert (asked.advice.best.name, asked.wish.context) == ("IQ4_XS", 8192)
    assert ("Q4_K_M", {"kv_type": "q8_0"}) in [(quant, change.settings) for quant, change in asked.instead]
    text = "\n".join(lines(request("pi"), {"pi": {"llama3-8b": asked}}))
    assert 'or    Q4_K_M with kv_type = "q8_0"' in text


def test_what_is_served_with_a_model_leaves_it_less_room(weights) -> None:
    """A card of 12 GB holds Q5_K_M of Llama-3-8B, but not beside a projector of 5 GiB."""
    models = dict(INVENTORY.models)
    models["eyes"] = Model(source="file:eyes.gguf", allow_unpinned=True)
    models["llama3-8b"] = Model(source="file:llama3-8b.gguf", allow_unpinned=True, mmproj="eyes")
    seeing = INVENTORY.model_copy(update={"models": models})
    small = weights["gemma3-270m"]
    eyes = replace(small, name="eyes", sums=Sums(rest=5 * GIB))
    page = answered(weights | {"eyes": eyes}, "rtx", inventory=seeing, model=("llama3-8b",))
    found = page["llama3-8b"]
    assert next(one for one in found.choices if one.name == "Q5_K_M").fit.verdict == "changes"
    assert any("with projector eyes: 5.0 GiB more" in note for note in found.notes)
    assert best(answered(weights, "rtx", model=("llama3-8b",)), "llama3-8b") == "Q5_K_M"


def test_a_model_of_several_files_is_asked_of_the_planner_by_its_first_file(weights) -> None:
    strange = weights["llama3-8b"]
    values = {key.replace("llama.", "rwkv7."): value for key, value in strange.header.values.items()}
    header = replace(strange.header, values=values | {"general.architecture": "rwkv7"})
    path = f"models/sets/{strange.sha256}/model-00001-of-00003.gguf"
    there = replace(
        HOSTS["laptop"],
        builds=(Build("f" * 16, "cpu", 11434),),
        sets=(ModelSet(strange.sha256, (1, 2, 3)),),
    )
    conversation = told("laptop", there, "cpu", strange, layout(header, strange.sums), Wish(4096))
    need = next(conversation)
    assert (need.fingerprint, need.path) == ("f" * 16, path)
    gone = replace(there, sets=())
    with pytest.raises(StopIteration) as stop:
        next(told("laptop", gone, "cpu", strange, layout(header, strange.sums), Wish(4096)))
    assert stop.value.value is None


def test_where_nothing_fits_it_says_what_would(weights) -> None:
    page = answered(weights, "rtx", model=("qwen3-30b-a3b",))
    one = page["qwen3-30b-a3b"]
    assert 2 < one.bits < 4
    assert ("Q4_K_M", {"args"}) in [(quant, set(change.settings)) for quant, change in one.instead]
    text = "\n".join(lines(request("rtx"), {"rtx": page}))
    assert "nothing fits" in text
    assert "n-cpu-moe" in text


def test_a_repository_offers_what_it_lists_and_nothing_else(weights) -> None:
    files = (File("Q4_K_M", 4_920_000_000, "hf:org/M:Q4_K_M"),)
    page = answered(weights, "rtx", Offered(files), model=("llama3-8b",))
    one = page["llama3-8b"]
    assert [choice.name for choice in one.choices] == ["Q8_0", "Q4_K_M"]
    assert not any(choice.variant.is_estimate for choice in one.choices)
    fast = answered(weights, "rtx", Offered(files), model=("llama3-8b",), goal="speed")["llama3-8b"]
    assert fast.line == 'source = "hf:org/M:Q4_K_M"'


@pytest.mark.parametrize(("kind", "origin"), [(1, "file:llama3-8b.gguf"), (7, "hf:OWNER/REPO")])
def test_a_file_that_nobody_offers_can_be_made_and_the_command_is_said(weights, kind, origin) -> None:
    """Of a file of 16 bits itself, else of the model as it was published."""
    one = weights["llama3-8b"]
    header = replace(one.header, values=one.header.values | {"general.file_type": kind})
    page = answered(weights | {"llama3-8b": replace(one, header=header)}, "rtx", model=("llama3-8b",))
    text = list(lines(request("rtx"), {"rtx": page}))
    assert f"          fleet models convert {origin} --to Q5_K_M" in text


def test_what_the_inventory_has_needs_no_change(weights) -> None:
    one = answered(weights, "rtx", model=("llama3-8b",), goal="quality")["llama3-8b"]
    assert one.advice.best.is_held
    assert one.line is None


def test_a_held_file_stays_where_the_better_one_is_hardly_another(weights) -> None:
    """Rows of gemma3-270m are no multiple of 256: its Q5_K_M is nearly as large as its Q4_K_M."""
    one = answered(weights, "rtx", model=("gemma3-270m",))["gemma3-270m"]
    better = next(choice for choice in one.choices if choice.name == "Q5_K_M")
    assert better.loss.likely < one.advice.best.loss.likely
    assert one.advice.best.is_held
    assert one.line is None
    assert "no reason to change" in one.advice.why


def test_an_estimated_size_says_on_what_it_was_checked(weights) -> None:
    dense = "\n".join(lines(request("mac"), {"mac": answered(weights, "mac", model=("llama3-8b",))}))
    assert "within 1% of five files of dense models" in " ".join(dense.split())
    assert "experts" not in dense
    page = answered(weights, "mac", model=("qwen3-30b-a3b",))
    experts = " ".join("\n".join(lines(request("mac"), {"mac": page})).split())
    assert experts.endswith("of models of experts no file was compared")


def test_what_the_cache_holds_beside_the_inventory_is_advised_on_too(weights) -> None:
    here = weights | {"/cache/a.gguf": weights["gemma3-270m"]}
    cached = (
        Cached("5" * 64, 253_113_024, "/cache/a.gguf", "Q4_K_M"),
        Cached("6" * 64, 9, "/cache/part", None),
    )
    page = answered(here, "rtx", cached=cached)
    assert set(page) == {*NAMES, "/cache/a.gguf"}  # the part is no model, and says nothing
    assert page["/cache/a.gguf"].advice.best.is_held
    text = "\n".join(lines(request("rtx"), {"rtx": {"/cache/a.gguf": page["/cache/a.gguf"]}}))
    assert "nothing: you hold that file" in text


def test_files_that_models_of_the_inventory_are_made_of_are_not_named_twice() -> None:
    known = Known("m", "file:m", "id", None, None, None, None, ("5" * 64,))
    whole, other = Cached("5" * 64, 1, "/a", None), Cached("6" * 64, 1, "/b", None)
    assert Stocked((known,), (whole, other, Cached(None, 1, "/c", None)), None).unnamed() == (other,)


def test_a_hub_that_is_silent_is_a_note_and_no_error(weights) -> None:
    one = answered(weights, "rtx", Offered(problem="no answer"), model=("llama3-8b",))["llama3-8b"]
    assert one.notes[-1] == "other quantisations are not listed: no answer"


def test_a_model_that_nobody_can_read_leaves_the_others_their_advice(weights) -> None:
    page = answered(weights, "rtx", model=("gone.gguf", "llama3-8b"))
    assert isinstance(page["gone.gguf"], PlanError)
    assert best(page, "llama3-8b") == "Q5_K_M"


def test_an_unreachable_host_carries_its_error(weights) -> None:
    error = UnreachableError("no route to it", host="gone", next="fleet facts gone")
    said = document(request(), {"gone": error})["hosts"][0]
    assert said["error"]["kind"]
    assert said["models"] == []
    assert list(lines(request(), {"gone": error})) == ["gone: unknown, no route to it"]


def test_the_document_is_json_and_lines_keep_eighty_columns(weights) -> None:
    results = {host: answered(weights, host) for host in HOSTS}
    said = json.loads(json.dumps(document(request(), results)))
    assert verb.schema == "fleet.suggest/1"
    assert [host["name"] for host in said["hosts"]] == list(HOSTS)
    keys = [set(model) for host in said["hosts"] for model in host["models"]]
    assert all(one == keys[0] for one in keys)
    assert all(len(line) <= 80 for line in lines(request(), results))


def test_the_table_asks_no_host_and_names_its_sources() -> None:
    conversation = flow(request("rtx", table=True), INVENTORY, "rtx")
    with pytest.raises(StopIteration):
        next(conversation)
    text = list(lines(request(table=True), {}))
    assert all(len(line) <= 80 for line in text)
    assert any(line.startswith("source: ") for line in text)
    assert json.loads(json.dumps(document(request(table=True), {})))["table"][0]["quantisation"] == "F16"


@pytest.mark.parametrize("wrong", [{"goal": "best"}, {"context": 0}, {"parallel": -1}])
def test_what_makes_no_sense_is_refused_before_a_host_is_asked(wrong) -> None:
    with pytest.raises(UsageError):
        next(flow(request("rtx", **wrong), INVENTORY, "rtx"))
