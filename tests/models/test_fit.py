"""Whether a model fits, where its layers go, and what to change."""

from dataclasses import replace

import pytest

from fleet.core.facts import Build, Memory
from fleet.models import buffers
from fleet.models.fit import Fit, fit
from fleet.models.judge import judge
from fleet.models.layout import layout
from fleet.models.oracle import arguments, parse
from fleet.models.placement import Model, holds, shares, whole
from fleet.models.room import Pool, pools
from fleet.models.wish import Wish
from tests.models.values import BARE, GIB, M3_MAX, MIB, MTL0, RTX_4070, TWO_3090, read, shape
from tests.shapes import Q4_K, SHAPES, write

BIG = replace(RTX_4070, memory=Memory(64 * GIB, 60 * GIB, False, None, None))
MAC = replace(M3_MAX, builds=(Build("f", "metal", 11434, (MTL0,)),))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("shapes")


def settings(found: Fit) -> list[dict]:
    return [dict(change.settings) for change in found.changes]


def test_a_small_model_fits_on_the_card(folder):
    found = fit(shape("qwen3-8b", folder), Wish(8192, 1), pools(RTX_4070, "cuda"))
    assert (found.verdict, found.placement.gpu_layers, found.changes) == ("fits", 37, ())
    assert found.total == found.weights + found.kv + found.compute + found.other <= found.available
    # the embedding stays in main memory
    assert found.placement.host.weights == shape("qwen3-8b", folder).sums.input


def test_one_that_is_too_large_by_its_cache_is_told_what_helps_least_harm_first(folder):
    found = fit(shape("qwen3-8b", folder), Wish(28672, 1), pools(RTX_4070, "cuda"))
    assert found.verdict == "changes"
    assert found.total > found.available
    assert settings(found)[0] == {"kv_type": "q8_0"}
    assert all(change.saves > 0 and change.fits for change in found.changes)
    contexts = [one["context"] for one in settings(found) if set(one) == {"context"}]
    assert contexts and 4096 <= contexts[0] < 28672
    assert any("gpu-layers" in one.get("args", {}) for one in settings(found))


def test_what_is_enough_alone_is_not_proposed_again_with_more(folder):
    found = fit(shape("qwen3-8b", folder), Wish(28672, 1), pools(RTX_4070, "cuda"))
    for number, change in enumerate(found.changes):
        assert not [one for one in found.changes[:number] if one.settings.items() <= change.settings.items()]


def test_every_proposal_that_is_called_enough_is_enough(folder):
    room = pools(BIG, "cuda")
    found = fit(shape("qwen3-30b-a3b", folder), Wish(16384, 4), room)
    assert found.verdict == "changes"
    assert all(holds(change.placement, room) for change in found.changes)


def test_experts_move_to_main_memory_as_few_as_need_be(folder):
    layout, room = shape("qwen3-30b-a3b", folder), pools(BIG, "cuda")
    found = fit(layout, Wish(16384, 4), room)
    (moved,) = [change for change in found.changes if "n-cpu-moe" in change.settings.get("args", {})]
    count = moved.settings["args"]["n-cpu-moe"]
    model = Model(layout, Wish(16384, 4, experts_on_host=count - 1))
    assert not holds(whole(model, room), room)
    assert moved.placement.gpu_layers == 49
    experts = sum(layer.experts for layer in layout.sums.layers[:count])
    assert moved.placement.host.experts == experts


def test_what_is_larger_than_all_memory_does_not_fit(folder):
    for facts, backend in ((RTX_4070, "cuda"), (MAC, "metal"), (BARE, "cpu")):
        found = fit(shape("llama3-70b", folder), Wish(8192, 1), pools(facts, backend))
        assert found.verdict == "no"
        assert not [change for change in found.changes if change.fits]
        assert "lacks" in found.why


def test_two_cards_hold_what_one_cannot(folder):
    layout = shape("qwen3-32b", folder)
    assert fit(layout, Wish(8192, 1), pools(RTX_4070, "cuda")).verdict != "fits"
    found = fit(layout, Wish(8192, 1), pools(TWO_3090, "cuda"))
    assert found.verdict == "fits"
    assert sum(found.placement.split) == 65
    assert found.placement.split[0] > found.placement.split[1]  # it has more memory free


def test_a_split_is_proposed_where_proportions_alone_do_not_do(folder):
    layout = shape("qwen3-32b", folder)
    total = fit(layout, Wish(4096, 1), pools(TWO_3090, "cuda")).total
    room = (
        Pool("CUDA0", "", None, total // 2 + 700 * MIB),
        Pool("CUDA1", "", None, total // 2 + 900 * MIB),
        Pool("host", "", None, 8 * GIB),
    )
    found = fit(layout, Wish(4096, 1, split=(3.0, 1.0)), room)
    assert found.verdict == "changes"
    splits = [one["args"]["tensor-split"] for one in settings(found) if "tensor-split" in one.get("args", {})]
    assert splits


def test_on_unified_memory_the_device_and_the_host_share(folder):
    layout = shape("qwen3-8b", folder)
    tight = replace(MAC, memory=replace(MAC.memory, available=10 * GIB))
    assert fit(layout, Wish(8192, 1), pools(MAC, "metal")).verdict == "fits"
    assert fit(layout, Wish(8192, 1), pools(tight, "metal")).verdict != "fits"


def test_memory_lent_to_cached_prompts_counts(folder):
    layout = shape("qwen3-8b", folder)
    room = (Pool("host", "", None, 10 * GIB),)
    assert fit(layout, Wish(4096, 1), room).verdict == "fits"
    assert fit(layout, Wish(4096, 1, cache_ram=2 * GIB), room).verdict == "changes"


def test_a_pool_that_nobody_knows_makes_no_verdict(folder):
    room = (Pool("CUDA0", "a card", None, None, notes=("the driver is silent",)), Pool("host", "", None, GIB))
    found = fit(shape("qwen3-8b", folder), Wish(4096, 1), room)
    assert (found.verdict, found.available) == ("unknown", None)
    assert "the driver is silent" in found.why
    assert found.total is not None


def test_a_model_without_a_formula_is_asked_of_its_own_planner(folder):
    layout = replace(shape("qwen3-8b", folder), formula=False, why="it is unlike", attention=())
    room = pools(BARE, "cpu")
    blind = fit(layout, Wish(4096, 1), room)
    assert (blind.verdict, blind.kv) == ("unknown", None)
    assert "it is unlike" in blind.why
    said = parse("Host 8000 600 524 \n", layout, Wish(4096, 1))
    found = fit(layout, Wish(4096, 1), room, oracle=said)
    assert (found.verdict, found.weights, found.kv) == ("fits", 8000 * MIB, 600 * MIB)


def test_the_planners_logits_of_every_token_are_taken_off(shared, folder):
    layout = shape("gemma3-270m", folder)
    text = (shared / "recordings/llama.cpp/b11434-cpu/tools/llama-fit_print.txt").read_text()
    use = parse(text, layout, Wish(4096, 1))["host"]
    assert (use.weights, use.kv) == (222 * MIB, 27 * MIB)
    # printed are 524 MiB, of which 512 are logits; the real server took 23.28
    assert abs(use.compute - 23.28 * MIB) < 0.05 * MIB
    assert parse("nothing", layout, Wish(4096, 1)) is None


def test_the_planner_is_asked_with_words_of_the_shell():
    words = arguments(Wish(4096, 2, kv_type_k="q8_0", gpu_layers=12, swa_full=True), 4096)
    assert "--ctx-size 4096 --parallel 2" in words
    assert "--cache-type-k q8_0" in words
    assert words.endswith("--gpu-layers 12 --swa-full")
    chosen = arguments(Wish(4096, 1, devices=("CUDA1", "CUDA0"), split=(3.0, 1.0)), 4096)
    assert "--device CUDA1,CUDA0 --tensor-split 3.0,1.0" in chosen


def test_a_planner_that_does_not_name_the_gpu_proves_no_room_on_it(folder):
    layout = replace(shape("qwen3-8b", folder), formula=False, why="it is unlike")
    room, wish = pools(RTX_4070, "cuda"), Wish(4096, 1)
    lost = fit(layout, wish, room, oracle=parse("Host 8000 600 524 \n", layout, wish))
    assert (lost.verdict, lost.kv) == ("unknown", None)
    assert "says nothing of CUDA0" in lost.why
    said = parse("CUDA0 5000 600 524 \nHost 300 0 20 \n", layout, wish)
    assert fit(layout, wish, room, oracle=said).verdict == "fits"


@pytest.mark.parametrize(
    ("count", "weights", "expected"),
    [(37, (1.0,), (37,)), (10, (1.0, 1.0), (5, 5)), (65, (3.0, 1.0), (49, 16)), (5, (0.0, 0.0), (5, 0))],
)
def test_layers_are_dealt_by_proportion(count, weights, expected):
    assert shares(count, weights) == expected


def test_the_4070_log_closes_to_one_mib_and_is_predicted_within_two_percent(shared, folder):
    log = (shared / "recordings/hardware/nvidia-rtx4070-desktop/llama-server.fit-and-oom.log").read_text()
    said = buffers.read(log.splitlines())
    layout = shape("qwen3.5-27b", folder)
    wish = Wish(131072, 1, ubatch=1024, gpu_layers=26)
    room = (Pool("CUDA0", "", None, GIB), Pool("host", "", None, GIB))
    placed = whole(Model(layout, wish, build=8586), room).of("CUDA0")
    weights = said.of("weights", "CUDA0")  # of another quantisation than our file without weights
    closed = weights + placed.kv + said.refused[0].bytes
    assert abs(closed - said.projected) < MIB
    assert abs(weights + placed.kv + placed.compute - said.projected) < 0.02 * said.projected


def test_weights_that_a_processor_keeps_in_two_orders_need_their_bytes_once(tmp_path):
    """Of a mapped file the pages that were reordered are not read again: seen in /proc/PID/smaps."""
    model = layout(read(write(tmp_path / "m.gguf", SHAPES["qwen3-8b"], file_type=15, packed=Q4_K)))
    mapped = judge(BARE, "cpu", model, Wish(4096, 1)).placement.host
    twice = sum(layer.kinds[Q4_K] for layer in model.sums.layers) + model.sums.head.bytes
    assert mapped.again == twice
    assert mapped.logged - mapped.total == twice
    loaded = judge(BARE, "cpu", model, Wish(4096, 1, mapped=False)).placement.host
    assert (loaded.total, loaded.logged) == (mapped.total, mapped.total)
    locked = judge(BARE, "cpu", model, Wish(4096, 1, locked=True)).placement.host
    assert (locked.total, locked.logged) == (mapped.logged, mapped.logged)
