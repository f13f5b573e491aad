"""What llama-server allocated, from every log we have of one."""

import json
from pathlib import Path

import pytest

from fleet.models.buffers import HOST, MIB, Buffers, device_of, read

KV = {
    "c4096_np1_f16": (27.00, 23.28, 1.0),
    "c4096_np1_q8_0": (14.35, 23.81, 1.0),
    "c4096_np1_q4_0": (7.60, 23.81, 1.0),
    "c4096_np4_unified": (49.50, 24.78, 4.0),
    "c4096_np_auto": (49.50, 24.78, 4.0),
    "c4096_np4_split": (72.00, 20.28, 4.0),
    "c4000_np3_split": (58.50, 20.82, 3.0),
    "c4096_np1_swa_full": (72.00, 23.28 + 3, 1.0),
    "c4096_np1_ub2048": (49.50, 99.11, 1.0),
}


def recorded(shared: Path, name: str) -> Buffers:
    return read((shared / "recordings" / name).read_text().splitlines())


def mib(count: int | None) -> float | None:
    return None if count is None else round(count / MIB, 2)


def test_the_log_of_the_4070_closes_to_one_mib(shared):
    found = recorded(shared, "hardware/nvidia-rtx4070-desktop/llama-server.fit-and-oom.log")
    assert (mib(found.of("weights", "CUDA0")), mib(found.of("kv", "CUDA0"))) == (6096.65, 3584.0)
    assert (mib(found.of("weights", HOST)), mib(found.kv)) == (8740.26, 8192.0)
    (compute,) = found.refused
    assert (compute.device, compute.kind, compute.bytes) == ("CUDA0", "compute", 1_469_841_408)
    assert (mib(found.projected), found.projected_on, found.is_adjusted) == (11138, "device", True)
    recurrent = 18 * 817_152 * 4  # bytes: the log has no line of the 18 recurrent states on the card
    assert abs(found.on("CUDA0") + compute.bytes + recurrent - found.projected) < MIB
    assert found.recurrent is None
    assert found.devices[0].title == "NVIDIA GeForce RTX 4070"
    assert mib(found.devices[0].free) == 10430


@pytest.mark.parametrize(("name", "expected"), KV.items())
def test_a_recorded_start_adds_up(shared, name, expected):
    found = recorded(shared, f"llama.cpp/b11434-cpu/kv/{name}.txt")
    assert (mib(found.kv), mib(found.compute), mib(found.output)) == expected
    assert mib(found.weights) == 235.16 + 12.66
    assert found.on_devices == 0
    printed = sum(row.total for row in found.result)
    assert abs(printed + found.output - found.total) < 8 * MIB


@pytest.mark.parametrize("name", ["log_lv4.stderr.txt", "log_jsonl_lv4.stdout.txt"])
def test_text_and_json_lines_say_the_same(shared, name):
    found = recorded(shared, f"llama.cpp/b11434-cpu/{name}")
    assert found.by_device() == {
        HOST: {
            "weights": round(235.16 * MIB) + round(12.66 * MIB),
            "output": MIB,
            "kv": 21 * MIB,
            "compute": round(21.28 * MIB),
        }
    }
    assert [mib(row.total) for row in found.projection] == [264, 12]
    assert [mib(row.total) for row in found.result] == [277, 12]
    assert (mib(found.projected), found.projected_on, found.is_adjusted) == (264, "host", False)


def test_json_lines_at_the_default_level_have_the_sums_alone(shared):
    found = recorded(shared, "llama.cpp/b11434-cpu/log_jsonl_default.stdout.txt")
    assert (found.total, found.kv, found.on_devices) == (None, None, None)
    assert [mib(row.total) for row in found.projection] == [264, 12]
    assert [mib(row.model) for row in found.result] == [235, 12]


@pytest.mark.parametrize(
    ("name", "device", "sizes", "claimed"),
    [
        ("b10434-vulkan/log_all_layers.stderr.txt", "Vulkan0", (65.16, 21.0, 19.52), (19, 19)),
        ("b10434-vulkan/log_partial_10.stderr.txt", "Vulkan0", (32.77, 11.0, 21.93), (10, 19)),
        ("b11434-cpu/rpc/log_lv4_rpc_all_layers.stderr.txt", "RPC0", (235.16, 21.0, 20.02), (19, 19)),
        ("b11434-cpu/rpc/log_lv4_rpc_auto.stderr.txt", "RPC0", (235.16, 21.0, 20.02), (19, 19)),
        ("b11434-cpu/rpc/log_lv4_rpc_partial_10.stderr.txt", "RPC0", (202.77, 11.0, 17.52), (10, 19)),
    ],
)
def test_what_lies_on_a_device_is_told_apart(shared, name, device, sizes, claimed):
    found = recorded(shared, f"llama.cpp/{name}")
    assert tuple(mib(found.of(kind, device)) for kind in ("weights", "kv", "compute")) == sizes
    assert found.offloaded == claimed
    assert [one.name for one in found.devices] == [device]
    # the projection of llama.cpp and the sum of the lines are the same
    assert abs(found.on(device) - found.projected) < 2 * MIB


def test_layers_that_are_called_offloaded_prove_nothing(shared):
    found = recorded(shared, "llama.cpp/b11434-cpu/rpc/log_lv4_rpc_device_none.stderr.txt")
    assert found.offloaded == (19, 19)
    assert found.on_devices == 0


def test_a_failed_allocation_names_its_bytes(shared):
    found = recorded(shared, "llama.cpp/b11434-cpu/exit/oom_huge_ctx.txt")
    assert [(one.device, one.bytes) for one in found.refused] == [(HOST, 12_288_000_000)]
    assert found.total is None


def test_the_rehearsal_of_fit_is_not_counted(shared):
    lines = (shared / "recordings/llama.cpp/b11434-cpu/log_lv5.stderr.txt").read_text().splitlines()
    assert read(lines).total is None
    again = ["common_fit_params: fitting params to free memory took 1.69 seconds"]
    real = ["load_tensors:   CPU_Mapped model buffer size =   235.16 MiB"]
    assert mib(read(lines + again + real).total) == 235.16


def test_a_model_that_wakes_is_counted_once(shared):
    lines = (shared / "recordings/llama.cpp/b11434-cpu/log_lv4.stderr.txt").read_text().splitlines()
    assert read(lines + lines).buffers == read(lines).buffers


def test_every_recording_can_be_read(shared):
    for path in (shared / "recordings").rglob("*.t*xt"):
        found = read(path.read_text(errors="replace").splitlines())
        assert all(one.bytes >= 0 for one in found.buffers)


@pytest.mark.parametrize(
    ("name", "device"),
    [
        ("CPU", HOST),
        ("CPU_Mapped", HOST),
        ("CPU_REPACK", HOST),
        ("AMX", HOST),
        ("CUDA_Host", HOST),
        ("Vulkan_Host", HOST),
        ("CUDA0", "CUDA0"),
        ("CUDA1_Split", "CUDA1"),
        ("ROCm0", "ROCm0"),
        ("MTL0_Mapped", "MTL0"),
        ("MTL0_Private", "MTL0"),
        ("Metal_Mapped", "MTL0"),
        ("SYCL0", "SYCL0"),
        ("RPC0[127.0.0.1:50152]", "RPC0"),
    ],
)
def test_a_buffer_is_named_after_its_device(name, device):
    assert device_of(name) == device


@pytest.mark.parametrize(
    ("line", "kind", "size"),
    [
        ("llm_load_tensors:      CUDA0 buffer size =  4095.05 MiB", "weights", 4095.05),
        ("llama_kv_cache_init:      CUDA0 KV buffer size =   512.00 MiB", "kv", 512),
        ("llama_new_context_with_model:  CUDA_Host  output buffer size =     0.49 MiB", "output", 0.49),
        ("llama_context:      MTL0 compute buffer size =   304.75 MiB", "compute", 304.75),
        ("0.01 I llama_memory_recurrent:      CUDA0 RS buffer size =    56.11 MiB", "recurrent", 56.11),
        ("x: CUDA0 DSV4 compressor state buffer size =     2.50 MiB", "recurrent", 2.5),
    ],
)
def test_older_and_newer_spellings_are_read(line, kind, size):
    (found,) = read([line]).buffers
    assert (found.kind, mib(found.bytes)) == (kind, size)


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[]",
        '{"type": 7}',
        '{"type":"fit_memory_breakdown"}',
        '{"type":"fit_memory_breakdown","data":{"unit":"MiB","rows":[7,{"name":7},{"name":"x","model":"y"}]}}',
        '{"type":"fit_memory_breakdown","data":{"unit":"GiB","rows":[{"name":"x","model":1,"context":1,"compute":1}]}}',
        json.dumps({"type": "log", "msg": ["x"]}),
        "x" * 100_000 + " model buffer size = 1.00 MiB",
    ],
)
def test_what_is_no_line_of_llama_server_says_nothing(line):
    found = read([line])
    assert (found.total, found.projection, found.result) == (None, (), ())
