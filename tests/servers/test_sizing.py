"""How large a server may be on its host, by models in the shapes of published ones."""

from dataclasses import replace

import pytest

from fleet.core.errors import PlanError
from fleet.core.facts import Cpu, Gpu, Memory
from fleet.io.models.memory import read_header
from fleet.models.layout import layout
from fleet.servers.context import contexts
from fleet.servers.shares import Case, recommended
from fleet.servers.sizing import size
from tests.servers.values import GIB, RTX, facts, server
from tests.shapes import Q4_K, SHAPES, write

DESKTOP = facts(host="rtx", gpus=(RTX,), memory=Memory(64 * GIB, 40 * GIB, False, 0, 0))
MAC = facts(
    host="mac",
    os="macos",
    arch="arm64",
    cpu=Cpu("Apple M3 Max", 10, 4, 14, ()),
    memory=Memory(36 * GIB, 20 * GIB, True, 0, 0),
    gpus=(Gpu("apple", "Apple M3 Max", "metal", None, None, None, 30, None),),
)
LAPTOP = facts()
LAYOUTS = {}


@pytest.fixture
def sized(tmp_path):
    def one(model, here=DESKTOP, backend="cuda", others=(), build=None, **wish):
        for name in (model, *(each for each, _ in others)):
            if name not in LAYOUTS:
                file = write(tmp_path / f"{name}.gguf", SHAPES[name])
                LAYOUTS[name] = layout(read_header(file))
        case = Case("chat", server(model=model, **wish), LAYOUTS[model])
        beside = [Case(f"other-{name}", server(model=name, **more), LAYOUTS[name]) for name, more in others]
        return size(here.host, case, beside, here, backend, build)

    return one


def test_a_model_that_fits_gets_the_context_it_was_trained_for(sized):
    found = sized("llama3-8b")
    assert (found.sizing.context, found.sizing.is_whole) == (8192, True)
    (note,) = found.notes
    assert note.startswith("needs 9.1 GiB of memory, and up to 2.0 GiB for cached prompts; 4")
    assert "tokens/s are expected (cuda: " in note
    assert found.expected.is_whole
    assert found.expected.low < found.expected.tps < found.expected.high


def test_where_it_does_not_all_fit_the_context_is_the_largest_round_number_that_does(sized):
    found = sized("qwen3-8b").sizing
    assert found.context == 16384 and found.is_whole
    assert "trained for 40960" in found.reason and "CUDA0" in found.reason


def test_a_smaller_cache_type_is_chosen_only_where_the_context_would_be_too_small(sized):
    found = sized("gemma2-9b").sizing
    assert found.kv_type == "q8_0" and found.context > 4096
    assert "f16 would leave 4096" in found.kv_reason
    assert sized("gemma2-9b", kv_type="f16").sizing.kv_type is None
    assert sized("gemma2-9b", args={"flash-attn": False}).sizing.kv_type is None  # it would need that


def test_what_a_processor_keeps_twice_is_not_shared_out_to_others(tmp_path):
    cores = Cpu("Cortex-A76", 4, None, 4, ("asimddp",))
    board = facts(host="pi", arch="arm64", cpu=cores, memory=Memory(16 * GIB, 15 * GIB, False, 0, 0))
    model = layout(read_header(write(tmp_path / "m.gguf", SHAPES["qwen3-8b"], file_type=15, packed=Q4_K)))
    big = Case("big", server(model="qwen3-8b"), model)
    little = layout(read_header(write(tmp_path / "n.gguf", SHAPES["gemma3-270m"])))
    other = Case("other", server(model="small"), little)
    found = size("pi", big, [other], board, "cpu", None)
    assert found.sizing.context >= 8192
    assert not any("little memory" in note for note in found.notes)


def test_other_servers_on_unified_memory_take_from_the_device_and_from_main_memory_alike():
    board = facts(
        host="jetson",
        arch="arm64",
        memory=Memory(8 * GIB, 7 * GIB, True, 0, 0),
        gpus=(Gpu("nvidia", "Orin", "cuda", None, None, "8.7", None, "12.6"),),
    )
    # of 8 GiB one stays free, one is the system's, one the other servers'
    assert [pool.available for pool in recommended(board, "cuda", GIB)] == [5 * GIB, 5 * GIB]


def test_layers_in_main_memory_are_said_before_anything_moves(sized):
    found = sized("qwen3-32b")
    assert found.sizing.is_whole is False and 0 < found.sizing.layers < 65
    assert found.sizing.context == 8192
    assert "fits only in part" in found.notes[1] and "CUDA0" in found.notes[1]
    assert found.expected.is_whole is False


def test_the_experts_of_a_mixture_leave_the_device_first(sized):
    found = sized("qwen3-30b-a3b")
    assert found.sizing.layers == 49 and 0 < found.sizing.experts < 48
    assert "without the experts of" in found.notes[1]


@pytest.mark.parametrize(
    ("model", "here", "backend"),
    [("llama3-70b", DESKTOP, "cuda"), ("qwen3-32b", MAC, "metal"), ("qwen3-32b", LAPTOP, "cpu")],
)
def test_what_cannot_fit_is_refused_with_what_to_change(sized, model, here, backend):
    small = replace(here, memory=replace(here.memory, total=min(here.memory.total, 36 * GIB)))
    with pytest.raises(PlanError, match="does not fit") as wrong:
        sized(model, small, backend)
    assert str(wrong.value.next).startswith(f"fleet fit {model} --host {here.host}")
    assert wrong.value.kind == "does-not-fit"


def test_a_context_set_by_hand_is_never_changed(sized):
    found = sized("llama3-8b", context=4096, kv_type="q8_0")
    assert (found.sizing.context, found.sizing.kv_type) == (4096, None)
    with pytest.raises(PlanError, match="does not fit"):
        sized("qwen3-8b", LAPTOP, "cpu", context=1 << 20)


def test_layers_set_by_hand_are_no_shortfall_later(sized):
    assert sized("llama3-8b", args={"gpu-layers": 10}).expected.is_whole is None


def test_only_the_devices_that_are_named_count(sized):
    two = replace(DESKTOP, gpus=(RTX, RTX))
    both = sized("qwen3-8b", two).sizing
    assert (both.context, both.is_whole) == (40960, True)
    assert sized("qwen3-8b", two, devices="CUDA1").sizing.context == 16384
    assert sized("qwen3-8b", two, devices="none").sizing.is_whole is None
    lent = sized("qwen3-8b", two, devices="RPC0").sizing
    assert lent.context is None and "no build" in lent.reason


def test_two_servers_of_a_host_share_what_there_is(sized):
    alone = sized("qwen3-8b", LAPTOP, "cpu").sizing.context
    beside = sized("qwen3-8b", LAPTOP, "cpu", others=(("qwen3-0.6b", {"context": 8192}),)).sizing.context
    assert beside < alone
    big = replace(LAPTOP, memory=replace(LAPTOP.memory, total=32 * GIB))
    one = sized("qwen3-8b", big, "cpu", others=(("qwen3-8b", {}),))
    assert 2 * one.expected.bytes < 32 * GIB


def test_servers_on_devices_of_their_own_take_nothing_from_each_other(sized):
    two = replace(DESKTOP, gpus=(RTX, RTX))
    alone = sized("qwen3-8b", two, devices="CUDA0").sizing.context
    assert (
        sized("qwen3-8b", two, others=(("qwen3-8b", {"devices": "CUDA1"}),), devices="CUDA0").sizing.context
        == alone
    )
    assert (
        sized("qwen3-8b", two, others=(("qwen3-0.6b", {"devices": "CUDA0"}),), devices="CUDA0").sizing.context
        < alone
    )


def test_what_is_free_this_minute_changes_nothing(sized):
    busy = replace(
        DESKTOP,
        memory=replace(DESKTOP.memory, available=GIB, total=DESKTOP.memory.total - (50 << 20)),
        gpus=(replace(RTX, memory_free=GIB),),
    )
    assert sized("qwen3-8b", busy) == sized("qwen3-8b")


def test_unknown_memory_leaves_everything_to_llama_server(sized):
    blind = replace(LAPTOP, memory=Memory(None, None, False, None, None), unknown={"memory": "no /proc"})
    found = sized("qwen3-8b", blind, "cpu").sizing
    assert (found.context, found.is_whole) == (None, None)
    assert "no /proc" in found.reason


def test_contexts_are_round_and_never_beyond_the_training():
    found = list(contexts(40960))
    assert found[:4] == [40960, 32768, 24576, 16384]
    assert found[-1] == 2048
    assert all(one <= 40960 for one in found)
