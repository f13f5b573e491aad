"""Every file of the llama.cpp recordings: who reads it, and what must come of it.

    http      what health, props, slots and metrics make of an answer; {} where it is none of theirs
    ended     words of the cause that a server's log and exit code give
    devices   names of the devices that a build lists
    flags     one flag that a help text names
    version   build number, commit, version for people
    buffers   MiB of weights, keys and values, compute, output by device; {} where the log has no buffers
    sums      MiB in all by device that a server printed when it ended
    built     the cause in a build's log, with its exit code; None where it ended with 0
    cases     the same of a file with many; those that failed

A pattern may stand for files of which the same is true.
"""

from typing import Any

NONE: dict[str, Any] = {}
MODEL = "models/gemma-3-270m-q4_k_m.gguf"
SILENT = "it did not say why"
ENDED = "it ended by itself"
HTTP = "b11434-cpu/http"
ROUTER = "b11434-cpu/http_router"
EXIT = "b11434-cpu/exit"
KV = "b11434-cpu/kv"
RPC = "b11434-cpu/rpc"

# file, reader in test_llama_cpp.py, what comes of it; the first row that matches a file counts
ROWS: tuple[tuple[str, str, Any], ...] = (
    ("b10434-vulkan/version.txt", "version", (1, "7e4c0a9", "0.1.0-dev")),
    # what a start allocated
    (
        "b10434-vulkan/log_all_layers.stderr.txt",
        "buffers",
        {"host": (170.0, None, 5.52, 1.0), "Vulkan0": (65.16, 21.0, 19.52, None)},
    ),
    (
        "b10434-vulkan/log_partial_10.stderr.txt",
        "buffers",
        {"host": (202.39, 10.0, 5.52, 1.0), "Vulkan0": (32.77, 11.0, 21.93, None)},
    ),
    (f"{KV}/c4000_np3_split.txt", "buffers", {"host": (247.82, 58.5, 20.82, 3.0)}),
    (f"{KV}/c4096_np1_f16.txt", "buffers", {"host": (247.82, 27.0, 23.28, 1.0)}),
    (f"{KV}/c4096_np1_loadmode_none.txt", "buffers", {"host": (235.17, 27.0, 23.28, 1.0)}),
    (f"{KV}/c4096_np1_q4_0.txt", "buffers", {"host": (247.82, 7.6, 23.81, 1.0)}),
    (f"{KV}/c4096_np1_q8_0.txt", "buffers", {"host": (247.82, 14.35, 23.81, 1.0)}),
    (f"{KV}/c4096_np1_swa_full.txt", "buffers", {"host": (247.82, 72.0, 26.28, 1.0)}),
    (f"{KV}/c4096_np1_ub2048.txt", "buffers", {"host": (247.82, 49.5, 99.11, 1.0)}),
    (f"{KV}/c4096_np4_split.txt", "buffers", {"host": (247.82, 72.0, 20.28, 4.0)}),
    (f"{KV}/c4096_np4_unified.txt", "buffers", {"host": (247.82, 49.5, 24.78, 4.0)}),
    (f"{KV}/c4096_np_auto.txt", "buffers", {"host": (247.82, 49.5, 24.78, 4.0)}),
    ("b11434-cpu/log_lv4.stderr.txt", "buffers", {"host": (247.82, 21.0, 21.28, 1.0)}),
    ("b11434-cpu/log_lv5.stderr.txt", "buffers", {}),  # cut within the rehearsal of --fit
    ("b11434-cpu/log_jsonl_lv4.stdout.txt", "buffers", {"host": (247.82, 21.0, 21.28, 1.0)}),
    ("b11434-cpu/log_jsonl_default.stdout.txt", "sums", {"host": 289}),
    (
        f"{RPC}/log_lv4_rpc_device_none.stderr.txt",
        "buffers",
        {"host": (247.82, 21.0, 21.28, 1.0)},
    ),
    (
        f"{RPC}/log_lv4_rpc_partial_10.stderr.txt",
        "buffers",
        {"host": (209.07, 10.0, 21.28, 1.0), "RPC0": (202.77, 11.0, 17.52, None)},
    ),
    (
        f"{RPC}/log_lv4_*.stderr.txt",
        "buffers",
        {"host": (170.0, None, 8.03, 1.0), "RPC0": (235.16, 21.0, 20.02, None)},
    ),
    # builds
    ("b11434-cpu/build/b1.*.txt", "built-0", None),
    ("b11434-cpu/build/ninja_progress_excerpt.txt", "built-0", None),
    (
        "b11434-cpu/build/configure_cases.txt",
        "cases",
        {
            "-DLLAMA_CUBLAS=ON": "LLAMA_CUBLAS is deprecated, use GGML_CUDA instead",
            "-DGGML_BACKEND_DL=ON": "GGML_NATIVE is not compatible with GGML_BACKEND_DL, consider using",
            "-DGGML_CPU_ALL_VARIANTS=ON": "GGML_CPU_ALL_VARIANTS requires GGML_BACKEND_DL",
            "-DGGML_HIP=ON": "no HIP compiler",
            "-DGGML_VULKAN=ON": "Vulkan_LIBRARY Vulkan_INCLUDE_DIR glslc",
            "-DGGML_METAL=ON": "find_library",
            "-DGGML_BLAS=ON -DGGML_BLAS_VENDOR=OpenBLAS": "BLAS not found",
            "-DLLAMA_CUDA=ON": "development files for cublas",
            "-DGGML_CUDA=ON -DCMAKE_CUDA_ARCHITECTURES=89": "development files for cublas",
        },
    ),
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
