"""Every file of the llama.cpp recordings: who reads it, and what must come of it.

    http      what health, props, slots and metrics make of an answer; {} where it is none of theirs
    ended     words of the cause that a server's log and exit code give
    built     words of the cause that a build's log gives
    devices   names of the devices that a build lists
    flags     one flag that a help text names
    ELSEWHERE read by another room, whose tests have it

A pattern may stand for files of which the same is true.
"""

from typing import Any

ELSEWHERE = {
    "b10434-vulkan/version.txt": "fleet.servers.capabilities",
    "b10434-vulkan/log_all_layers.stderr.txt": "fleet.models.buffers",
    "b10434-vulkan/log_partial_10.stderr.txt": "fleet.models.buffers",
    "b11434-cpu/kv/*.txt": "fleet.models.buffers",
    "b11434-cpu/log_lv[45].stderr.txt": "fleet.models.buffers",
    "b11434-cpu/log_jsonl_*.stdout.txt": "fleet.models.buffers",
    "b11434-cpu/rpc/log_lv4_*.stderr.txt": "fleet.models.buffers",
    "b11434-cpu/build/*.txt": "fleet.builds.explain",
}

NONE: dict[str, Any] = {}
MODEL = "models/gemma-3-270m-q4_k_m.gguf"
SILENT = "it did not say why"
ENDED = "it ended by itself"
HTTP = "b11434-cpu/http"
ROUTER = "b11434-cpu/http_router"
EXIT = "b11434-cpu/exit"

# file, reader in test_llama_cpp.py, what comes of it; the first row that matches a file counts
ROWS: tuple[tuple[str, str, Any], ...] = (
    # HTTP: (status of the model), (asleep, slots, context, alias), (slot, busy, decoded), (busy, waiting)
    ("b10434-vulkan/http_*.http", "http", {"health": "loading"}),
    (f"{HTTP}/*health*.http", "http", {"health": "ready"}),
    (f"{ROUTER}/health.http", "http", {"health": "ready"}),
    ("b11434-cpu/health_transitions.txt", "transitions", ["loading", "ready"]),
    (f"{HTTP}/props.http", "http", {"props": (False, 4, 2048, MODEL)}),
    (f"{HTTP}/props_awake.http", "http", {"props": (False, 1, 2048, MODEL)}),
    (f"{HTTP}/props_sleeping.http", "http", {"props": (True, 1, 2048, MODEL)}),
    (f"{ROUTER}/props_a.http", "http", {"props": (False, 1, 512, "gemma-a")}),
    (
        f"{HTTP}/slots_busy.http",
        "http",
        {"slots": [(0, True, 60), (1, False, 0), (2, False, 0), (3, False, 0)]},
    ),
    (f"{HTTP}/slots_idle.http", "http", {"slots": [(n, False, None) for n in range(4)]}),
    (f"{HTTP}/slots_while_sleeping.http", "http", {"slots": [(0, False, None)]}),
    (
        f"{HTTP}/slots_after.http",
        "http",
        {"slots": [(0, False, None), (1, False, None), (2, False, 0), (3, False, 0)]},
    ),
    (
        f"{HTTP}/slot_fail_on_no_slot.http",
        "http",
        {"slots": [(0, False, None), (1, False, None), (2, False, 0), (3, False, 0)]},
    ),
    (f"{ROUTER}/slots_a.http", "http", {"slots": [(0, False, 0)]}),
    (f"{HTTP}/lora_adapters.http", "http", {"slots": []}),  # an empty list of anything is a list of no slots
    (f"{HTTP}/metrics_*.http", "http", {"metrics": (0, 0)}),
    (f"{ROUTER}/metrics_a.http", "http", {"metrics": (0, 0)}),
    # no state of a server: completions, errors, other lists; a router is not used by fleet
    (f"{HTTP}/*", "http", NONE),
    (f"{ROUTER}/*", "http", NONE),
    # ends of a server
    (f"{EXIT}/bad_flag.txt", "ended", "does not know the flag --no-such-flag"),
    (f"{EXIT}/bad_value.txt", "ended", "the value of -c is refused"),
    (f"{EXIT}/flag_api_key_file_missing.txt", "ended", "the file that --api-key-file names cannot be read"),
    (f"{EXIT}/flag_auto_split.txt", "ended", "does not know the flag --auto-split"),
    (f"{EXIT}/flag_config_yaml.txt", "ended", "does not know the flag --config"),
    (f"{EXIT}/flag_ctk_bad.txt", "ended", "Unsupported cache type: q4_k"),
    (f"{EXIT}/flag_ctv_q8_fa_off.txt", "ended", "needs flash attention"),
    (f"{EXIT}/flag_device_cuda0.txt", "ended", "the device CUDA0 is not there"),
    (f"{EXIT}/flag_draft_max.txt", "ended", "removed from llama.cpp: use --spec-draft-n-max"),
    (f"{EXIT}/flag_dry_run.txt", "ended", "does not know the flag --dry-run"),
    (f"{EXIT}/flag_fa_bad.txt", "ended", "the value of -fa is refused"),
    (f"{EXIT}/flag_flash_attn_no_value_*.txt", "ended", "the value of --flash-attn is refused"),
    (f"{EXIT}/flag_host_bad.txt", "ended", "could not listen on 203.0.113.9 port 18090"),
    (f"{EXIT}/flag_http3.txt", "ended", "does not know the flag --http3"),
    (f"{EXIT}/flag_mlock.txt", "ended", "does not know the flag --mlock"),
    (f"{EXIT}/flag_mmproj_missing.txt", "ended", "the projector /nope.gguf cannot be loaded"),
    (f"{EXIT}/flag_ngl_abc.txt", "ended", "the value of -ngl is refused"),
    (f"{EXIT}/flag_no_mmap.txt", "ended", "does not know the flag --no-mmap"),
    (f"{EXIT}/flag_np_zero.txt", "ended", "the value of -np is refused"),
    (f"{EXIT}/flag_ot_bad.txt", "ended", "the value of -ot is refused"),
    (f"{EXIT}/flag_reranker_model.txt", "ended", "does not know the flag --reranker-model"),
    (f"{EXIT}/flag_rpc_not_built.txt", "ended", "no RPC"),
    (f"{EXIT}/flag_ssl_missing_files.txt", "ended", "TLS files cannot be read"),
    (f"{EXIT}/gguf_empty.txt", "ended", "empty, or a folder"),
    (f"{EXIT}/gguf_magic.txt", "ended", "not a GGUF file; it begins with 'XXXX'"),
    (f"{EXIT}/gguf_trunc.txt", "ended", "cut short or damaged"),
    (f"{EXIT}/gguf_v1.txt", "ended", "GGUF version 1"),
    (f"{EXIT}/gguf_v4.txt", "ended", "GGUF version 4"),
    (f"{EXIT}/hf_offline.txt", "ended", "no model was given"),
    (f"{EXIT}/missing_model.txt", "ended", "the model cannot be opened: No such file or directory"),
    (f"{EXIT}/missing_value.txt", "ended", "the value of -c is refused: expected value"),
    (f"{EXIT}/model_is_dir.txt", "ended", "empty, or a folder"),
    (f"{EXIT}/oom_huge_ctx*.txt", "ended", "too little memory: 12288000000 bytes wanted in CPU"),
    (f"{EXIT}/port_in_use.txt", "ended", "the port is taken"),
    (f"{EXIT}/list_devices.txt", "devices", []),
    (f"{EXIT}/cache_list.txt", "ended", ENDED),
    (f"{EXIT}/embed_dash_version.txt", "ended", ENDED),
    (f"{EXIT}/flag_log_file_bad.txt", "ended", SILENT),  # it kept running
    (f"{EXIT}/flag_models_preset_missing.txt", "ended", SILENT),  # it kept running
    ("b11434-cpu/log_wake_from_sleep_model_file_gone.stderr.txt", "ended", "gone or damaged when it woke up"),
    ("b11434-cpu/rpc/log_rpc_server_killed_midway.stderr.txt", "ended", "the RPC server ended"),
    ("b11434-cpu/rpc/rpc_unreachable.txt", "ended", "the RPC server 127.0.0.1:50199 does not answer"),
    ("b10434-vulkan/log_sigill_prebuilt_native_cpu.stderr.txt", "ended-132", "another CPU"),
    ("b11434-cpu/signals/*.stderr.txt", "ended-0", ENDED),
    # healthy to their end: nothing in them is a cause
    ("b10434-vulkan/log_default_verbosity.stderr.txt", "ended", SILENT),
    ("b11434-cpu/log_router.*.txt", "ended", "not a GGUF file; it begins with 'XXXX'"),  # of its broken.gguf
    ("b11434-cpu/log_*.txt", "ended-0", ENDED),
    # what a build can do
    ("b10434-vulkan/list_devices.txt", "devices", ["Vulkan0 llvmpipe (LLVM 15.0.6, 256 bits) 2048"]),
    ("b11434-cpu/rpc/list_devices_rpc_build_no_server.txt", "devices", []),
    ("b11434-cpu/rpc/list_devices_with_rpc.txt", "devices", ["RPC0 127.0.0.1:50152 24105"]),
    ("*/help_llama-server.txt", "flags", "ctx-size"),
    ("b11434-cpu/rpc/ggml-rpc-server_help.txt", "ended", SILENT),
    # of other programs
    ("b11434-cpu/rpc/ggml-rpc-server.log.txt", "devices", ["CPU AMD EPYC 24105"]),
    ("b11434-cpu/tools/llama-bench_missing_model.stderr.txt", "ended", "the model cannot be opened"),
    ("b11434-cpu/tools/llama-fit_print_missing.txt", "ended", "the model cannot be opened"),
    ("b11434-cpu/tools/llama-bench_*flag.stderr.txt", "ended", "it ended with an error"),
    ("b11434-cpu/tools/llama-fit_*.txt", "ended", ENDED),
    ("b11434-cpu/tools/*", "ended", SILENT),
    ("b11434-cpu/signals/*.client_tail.txt", "http", NONE),
)
