"""What of an inventory's server its memory depends on, and what of a host it may use."""

import pytest

from fleet.core.errors import PlanError
from fleet.core.inventory import Server
from fleet.models.judge import judge, speeds, usable
from fleet.models.layout import layout
from fleet.models.placement import Model, whole
from fleet.models.room import pools
from fleet.models.weights import join
from fleet.models.wish import Wish, wish
from tests.models.values import GIB, RTX_4070, TWO_3090, read, shape
from tests.shapes import SHAPES, write


def of(given=None, **keys) -> Wish:
    return wish(Server(model="m", on=("all",), **keys), 0, given)


def test_slots_that_nobody_counted_share_one_cache():
    assert (of().parallel, of().unified) == (4, True)
    assert (of(parallel=2).parallel, of(parallel=2).unified) == (2, False)
    assert of({"kv-unified": True}, parallel=2).unified
    assert of(parallel=1).unified


def test_flags_count_as_keys_do():
    found = of(
        {
            "ubatch-size": "1024",
            "gpu-layers": 12,
            "n-cpu-moe": 3,
            "swa-full": True,
            "cache-ram": 100,
            "cache-type-k": "q4_0",
            "load-mode": "none",
        },
        context=4096,
        kv_type="q8_0",
    )
    assert (found.ubatch, found.gpu_layers, found.experts_on_host) == (1024, 12, 3)
    assert (found.kv_type_k, found.kv_type_v) == ("q4_0", "q8_0")
    assert (found.cache_ram, found.swa_full, found.mapped) == (100 << 20, True, False)


def test_what_embeds_takes_a_text_in_one_piece_and_gives_every_token_out():
    assert (of(kind="embedding").ubatch, of(kind="embedding").all_outputs) == (2048, True)
    assert (of().ubatch, of().all_outputs) == (512, False)


def test_all_layers_and_as_many_as_fit_are_both_no_number():
    assert of({"gpu-layers": "all"}).gpu_layers is None
    assert of({"gpu-layers": -1}).gpu_layers is None


def test_only_devices_that_are_named_are_used(tmp_path):
    found = usable(pools(TWO_3090, "cuda"), of(devices="CUDA1"))
    assert [pool.name for pool in found] == ["CUDA1", "host"]
    assert [pool.name for pool in usable(pools(TWO_3090, "cuda"), of({"device": "none"}))] == ["host"]
    with pytest.raises(PlanError, match="no device CUDA7 here"):
        usable(pools(TWO_3090, "cuda"), of(devices="CUDA7"))


def test_the_speed_of_a_second_card_is_its_own(tmp_path):
    model = shape("qwen3-8b", tmp_path)
    chosen = Wish(4096, 1, devices=("CUDA1",))
    placed = whole(Model(model, chosen), usable(pools(TWO_3090, "cuda"), chosen))
    assert speeds(TWO_3090, "cuda", model, chosen)(placed) is not None


def test_one_call_judges_a_host_where_nothing_is_built(tmp_path):
    path = write(tmp_path / "model.gguf", SHAPES["qwen3-8b"])
    weights = join("m", [(read(path), path.stat().st_size)], None)
    found = judge(RTX_4070, "cuda", layout(weights.header, weights.sums), Wish(4096, 1))
    assert found.verdict == "fits"
    assert found.available < 12 * GIB
    assert found.speed.tps > 30
