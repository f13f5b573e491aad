"""Which settings fleet recommends, and why."""

from dataclasses import replace

import pytest

from fleet.core.facts import Build, Cpu, Device, Memory
from fleet.servers.settings import Sizing, recommend
from tests.servers.values import GIB, PRINT, RTX, facts, server

DESKTOP = facts(gpus=(RTX,))
MODEL = Sizing(context=16384, kv_type=None, is_whole=True, layers=37, weights=5 * GIB, reason="it fits")
HYBRID = Cpu("13th Gen Intel(R) Core(TM) i7-13700H", 6, 8, 20, ("avx2",))
APPLE = Cpu("Apple M3 Max", 10, 4, 14, ())


def chosen(wish=None, backend="cpu", here=None, build=None, sizing=MODEL):
    found = recommend("chat", wish or server(), here or facts(), backend, build, None, sizing)
    return {one.name: one for one in found}


def values(*given, **changes):
    return {name: one.value for name, one in chosen(*given, **changes).items()}


def test_every_setting_has_a_reason_and_what_it_stands_on():
    for one in chosen(backend="cuda", here=DESKTOP).values():
        assert one.reason and one.source, one.name
        assert not one.reason.endswith("."), one.name


def test_what_the_inventory_says_wins_and_is_named_as_the_source():
    wish = server(
        context=4096, parallel=2, kv_type="q8_0", devices="CUDA0", args={"threads": 3, "n-gpu-layers": 20}
    )
    found = chosen(wish, "cuda", DESKTOP)
    for name, value in {"ctx-size": 4096, "parallel": 2, "cache-type-k": "q8_0", "device": "CUDA0"}.items():
        assert (found[name].value, found[name].source) == (value, "inventory.toml, [servers.chat]")
    for name, value in {"threads": 3, "gpu-layers": 20}.items():
        assert (found[name].value, found[name].source) == (value, "inventory.toml, [servers.chat.args]")


def test_nothing_depends_on_what_is_free_this_minute():
    busy = replace(
        DESKTOP,
        memory=replace(DESKTOP.memory, available=1, swap_used=5),
        gpus=(replace(RTX, memory_free=1, processes=9),),
    )
    assert chosen(backend="cuda", here=busy) == chosen(backend="cuda", here=DESKTOP)


@pytest.mark.parametrize(
    ("cpu", "os", "threads", "batch"),
    [
        (HYBRID, "linux", 6, 14),
        (APPLE, "macos", 10, 10),
        (Cpu("AMD Ryzen 9 7950X", 16, 0, 32, ()), "linux", 16, 16),
        (Cpu("in a container", 8, 0, 2, ()), "linux", 2, 2),
    ],
)
def test_threads_are_the_fast_cores_and_prompts_may_use_the_slow_ones_too(cpu, os, threads, batch):
    found = values(here=facts(cpu=cpu, os=os))
    assert (found["threads"], found["threads-batch"]) == (threads, batch)


def test_where_cores_are_unknown_threads_are_left_to_llama_server_and_it_says_why():
    here = facts(cpu=Cpu(None, None, None, None, ()), unknown={"cpu.cores_performance": "no /proc"})
    one = chosen(here=here)["threads"]
    assert one.value is None and "no /proc" in one.reason


def test_memory_nodes_count_only_where_there_are_several_with_processors():
    assert values(here=facts(cpu=replace(HYBRID, numa_nodes=2)))["numa"] == "distribute"
    assert "numa" not in values(here=facts(cpu=replace(HYBRID, numa_nodes=1)))


LOCKABLE = Memory(16 * GIB, None, False, 2 * GIB, 0, lockable=8 * GIB)


@pytest.mark.parametrize(
    ("memory", "mode", "why"),
    [
        (replace(LOCKABLE, total=32 * GIB), "mmap+mlock", "stay out of the swap"),
        (LOCKABLE, None, "twice the weights are more than half"),  # this processor reorders them
        (replace(LOCKABLE, lockable=8 << 20), None, "8.0 MiB may be locked"),
        (replace(LOCKABLE, lockable=None), None, "unknown"),
        (replace(LOCKABLE, swap_total=0), None, "no swap"),
        (replace(LOCKABLE, total=8 * GIB), None, "more than half"),
    ],
)
def test_weights_are_locked_only_where_that_is_allowed_and_of_use(memory, mode, why):
    one = chosen(here=facts(memory=memory))["load-mode"]
    assert one.value == mode and why in one.reason


def test_weights_on_a_gpu_are_not_locked_in_main_memory():
    assert values(backend="cuda", here=replace(DESKTOP, memory=LOCKABLE))["load-mode"] is None


def test_devices_are_those_that_the_build_showed():
    two = tuple(Device(f"CUDA{n}", "RTX 3090", 24 * GIB, None) for n in range(2))
    build = Build(PRINT, "cuda", 11434, (*two, Device("RPC0", "elsewhere", None, None)))
    found = chosen(backend="cuda", here=DESKTOP, build=build)
    assert found["device"].value == "CUDA0,CUDA1"
    assert found["split-mode"].value == "layer"
    assert found["tensor-split"].value is None
    assert "--fit" in found["tensor-split"].reason


def test_layers_and_context_are_left_to_fit_where_the_model_is_unknown():
    found = chosen(backend="cuda", here=DESKTOP, sizing=Sizing(None, None, None, None, None, "no header"))
    assert found["gpu-layers"].value == "auto"
    assert found["ctx-size"].value is None and "no header" in found["ctx-size"].reason


def test_a_small_cache_type_brings_flash_attention():
    found = values(sizing=replace(MODEL, kv_type="q8_0", kv_reason="short of room"))
    assert (found["cache-type-k"], found["cache-type-v"], found["flash-attn"]) == ("q8_0", "q8_0", "on")
    assert values()["flash-attn"] == "auto"
    assert values()["cache-type-k"] is None
    assert "f16" in chosen()["cache-type-k"].reason


def test_texts_to_embed_fit_into_one_batch():
    found = values(server(kind="embedding", context=512))
    assert (found["batch-size"], found["ubatch-size"]) == (512, 512)
