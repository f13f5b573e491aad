"""Caches and compute buffers, against what llama-server printed for the same arguments."""

import pytest

from fleet.core.errors import PlanError
from fleet.models import buffers
from fleet.models.compute import compute
from fleet.models.kv import cache, cells, row
from fleet.models.layout import layout
from fleet.models.wish import Wish
from tests.models.test_layout import of
from tests.models.values import MIB, shape

# The recorded starts of tests/models/test_buffers.py, as wishes.
STARTS = {
    "c4096_np1_f16": Wish(4096, 1),
    "c4096_np1_loadmode_none": Wish(4096, 1),
    "c4096_np1_q8_0": Wish(4096, 1, kv_type_k="q8_0", kv_type_v="q8_0"),
    "c4096_np1_q4_0": Wish(4096, 1, kv_type_k="q4_0", kv_type_v="q4_0"),
    "c4096_np4_unified": Wish(4096, 4),
    "c4096_np_auto": Wish(4096),
    "c4096_np4_split": Wish(4096, 4, unified=False),
    "c4000_np3_split": Wish(4000, 3, unified=False),
    "c4096_np1_swa_full": Wish(4096, 1, swa_full=True),
    "c4096_np1_ub2048": Wish(4096, 1, ubatch=2048),
}
# KiB for each token of context at f16. Source: the publishers' layers, KV heads and head sizes.
PER_TOKEN = {
    "qwen3-8b": 144,
    "qwen3-32b": 256,
    "qwen3-30b-a3b": 96,
    "llama3-8b": 128,
    "llama3-70b": 320,
    "qwen3.5-27b": 64,
}


@pytest.fixture(scope="module")
def gemma(tmp_path_factory):
    return shape("gemma3-270m", tmp_path_factory.mktemp("shapes"))


@pytest.mark.parametrize(("name", "wish"), STARTS.items())
def test_a_recorded_cache_is_exact(shared, gemma, name, wish):
    log = (shared / f"recordings/llama.cpp/b11434-cpu/kv/{name}.txt").read_text()
    found = buffers.read(log.splitlines())
    # each of its lines is rounded to hundredths of a MiB
    assert abs(cache(gemma, wish).total - found.kv) <= 0.01 * MIB


@pytest.mark.parametrize(("name", "wish"), STARTS.items())
def test_a_recorded_compute_buffer_is_exact_to_a_twentieth_of_a_mib(shared, gemma, name, wish):
    log = (shared / f"recordings/llama.cpp/b11434-cpu/kv/{name}.txt").read_text()
    found = buffers.read(log.splitlines())
    takes = compute(gemma, wish)
    assert abs(takes.alone - found.compute) <= 0.05 * MIB
    assert abs(takes.output - found.output) <= 0.01 * MIB


def test_what_a_device_and_its_host_compute_with_is_what_an_rpc_device_showed(shared, gemma):
    log = (shared / "recordings/llama.cpp/b11434-cpu/rpc/log_lv4_rpc_all_layers.stderr.txt").read_text()
    found = buffers.read(log.splitlines())
    takes = compute(gemma, Wish(2048, 1))
    assert abs(takes.device - found.of("compute", "RPC0")) <= 0.05 * MIB
    assert abs(takes.host - found.of("compute", "host")) <= 0.05 * MIB


@pytest.mark.parametrize(("name", "kib"), PER_TOKEN.items())
def test_a_token_of_context_costs_what_the_publishers_shapes_say(tmp_path, name, kib):
    layout = shape(name, tmp_path)
    grown = [sum(cache(layout, Wish(tokens, 1)).kv) for tokens in (8192, 4096)]
    assert grown[0] - grown[1] == kib * 1024 * 4096


def test_the_4070_log_of_a_hybrid_model_is_exact(tmp_path):
    # 26 of 65 layers on the card: the output and the last 25. The log has no line of the states.
    layout = shape("qwen3.5-27b", tmp_path)
    found = cache(layout, Wish(131072, 1, ubatch=1024))
    assert sum(found.kv[-25:]) == 3584 * MIB
    assert sum(found.kv[:-25]) == 4608 * MIB
    assert sum(found.state[-25:]) == 18 * 817_152 * 4


def test_states_of_a_recurrent_layer_are_kept_for_each_slot(tmp_path):
    layout = shape("qwen3.5-27b", tmp_path)
    one, four = (sum(cache(layout, Wish(8192, slots)).state) for slots in (1, 4))
    assert four == 4 * one


def test_slots_with_caches_of_their_own_are_padded_each(gemma):
    assert cells(gemma, Wish(4000, 3, unified=False)).full == 1536
    assert cells(gemma, Wish(4000, 1)).full == 4096


def test_a_window_grows_with_the_slots_that_share_a_cache(gemma):
    assert [cells(gemma, Wish(8192, slots)).window for slots in (1, 2, 4)] == [1024, 1536, 2560]


def test_a_cache_type_that_does_not_divide_a_row_is_refused():
    assert row(64, "q8_0") == 68
    with pytest.raises(PlanError, match="multiples of 32"):
        row(80, "q8_0")
    with pytest.raises(PlanError, match="no KV cache type called 'q9'"):
        row(64, "q9")


@pytest.mark.parametrize(
    ("width", "heads", "feed", "experts", "ubatch", "mib"),
    [(7168, 128, 18432, (16, 8, 2048), 1024, 820.03), (4096, 64, 12288, (8, 2, 2048), 512, 204.01)],
)
def test_latent_attention_opens_all_heads_at_once(width, heads, feed, experts, ubatch, mib):
    """Measured: llama-server b11434 on files without weights in these shapes of deepseek2."""
    many, used, inner = experts
    values = {"attention__head_count": heads, "attention__head_count_kv": 1, "embedding_length": width}
    values |= {"attention__key_length": 576, "attention__value_length": 512, "feed_forward_length": feed}
    values |= {"attention__key_length_mla": 192, "attention__value_length_mla": 128}
    values |= {"expert_count": many, "expert_used_count": used, "expert_feed_forward_length": inner}
    found = layout(of("deepseek2", 4, leading_dense_block_count=1, **values))
    wish = Wish(4096, 1, ubatch=ubatch)
    assert cache(found, wish).total == 18 * MIB
    assert mib * 0.999 <= compute(found, wish).alone / MIB <= mib * 1.05
