"""Why a server ended, told from what real ones left behind."""

import re
from pathlib import Path

import pytest

from fleet.servers.failure import explain

RECORDINGS = Path(__file__).parent / "recordings"
CAUSES = {
    "bad_flag": "does not know the flag --no-such-flag",
    "bad_value": "the value of -c is refused",
    "flag_api_key_file_missing": "the file that --api-key-file names cannot be read",
    "flag_ctk_bad": "the value of -ctk is refused: Unsupported cache type: q4_k",
    "flag_ctv_q8_fa_off": "needs flash attention",
    "flag_device_cuda0": "the device CUDA0 is not there",
    "flag_draft_max": "removed from llama.cpp: use --spec-draft-n-max",
    "flag_flash_attn_no_value_mid": "the value of --flash-attn is refused",
    "flag_host_bad": "could not listen on 203.0.113.9 port 18090",
    "flag_mlock": "does not know the flag --mlock",
    "flag_mmproj_missing": "the projector /nope.gguf cannot be loaded",
    "flag_np_zero": "the value of -np is refused",
    "flag_rpc_not_built": "no RPC",
    "flag_ssl_missing_files": "its TLS files cannot be read",
    "gguf_empty": "empty, or a folder",
    "gguf_magic": "not a GGUF file; it begins with 'XXXX'",
    "gguf_trunc": "cut short or damaged",
    "gguf_v1": "GGUF version 1",
    "gguf_v4": "GGUF version 4",
    "hf_offline": "no model was given",
    "missing_model": "the model cannot be opened: No such file or directory",
    "missing_value": "the value of -c is refused: expected value",
    "model_is_dir": "empty, or a folder",
    "oom_huge_ctx": "too little memory: 12288000000 bytes wanted in CPU",
    "oom_huge_ctx_fit_off": "too little memory: 12288000000 bytes wanted in CPU",
    "port_in_use": "the port is taken",
}


def recorded(path: Path) -> tuple[int | None, list[str]]:
    text = path.read_text(errors="replace")
    code = re.search(r"^exit code: (\S+)", text, re.MULTILINE)
    return (int(code[1]) if code and code[1] != "timeout" else None), text.splitlines()[2:]


@pytest.mark.parametrize("name", CAUSES)
def test_a_recorded_failure_has_its_cause_its_line_and_a_next_step(name):
    code, lines = recorded(RECORDINGS / "exit" / f"{name}.txt")
    why = explain(code, lines, "rtx", "chat")
    assert CAUSES[name] in why.cause
    assert why.line in [line.strip() for line in lines]
    assert "rtx" in why.next or "chat" in why.next


def test_every_recorded_failure_is_more_than_an_exit_code():
    for path in (RECORDINGS / "exit").glob("*.txt"):
        code, lines = recorded(path)
        if code == 1:
            assert explain(code, lines).line, path.name


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        ("log_wake_from_sleep_model_file_gone.stderr.txt", "gone or damaged when it woke up"),
        ("rpc_unreachable.txt", "the RPC server 127.0.0.1:50199 does not answer"),
        ("log_rpc_server_killed_midway.stderr.txt", "the RPC server ended"),
    ],
)
def test_an_abort_is_explained_by_its_last_words(name, cause):
    assert cause in explain(134, (RECORDINGS / name).read_text(errors="replace").splitlines()).cause


@pytest.mark.parametrize(
    ("code", "cause"),
    [
        (132, "another CPU"),
        (-4, "another CPU"),
        (137, "memory ran out"),
        (-9, "memory ran out"),
        (134, "internal check"),
        (139, "crashed"),
        (127, "not there"),
        (1, "with an error"),
        (0, "by itself"),
        (None, "did not say why"),
    ],
)
def test_an_exit_code_alone_still_says_something(code, cause):
    lines = ["0.01 E something odd"] if code == 1 else []
    why = explain(code, lines, "rtx", "chat")
    assert cause in why.cause
    assert why.next


HARDWARE = {
    "libcuda.so.1: cannot open shared object file: No such file or folder": "the NVIDIA driver is not there",
    "libc.so.6: version `GLIBC_2.38' not found (required by /b/x)": "needs a newer C library (GLIBC_2.38)",
    "failed to initialize CUDA: no CUDA-capable device is detected": "the driver shows no GPU",
    "CUDA error: no kernel image is available for execution on the device": "the build is for another GPU",
    "ggml_metal: command buffer 1 failed with status 5": "the GPU has too little memory",
    "AMX is not ready to be used!": "built for another CPU",
    "/r/run: 40: exec: /r/builds/1/bin/llama-server: not found": "the build is not there",
    "/r/run: line 40: /b/1/bin/llama-server: No such file or directory": "the build is not there",
}


@pytest.mark.parametrize(("line", "cause"), HARDWARE.items())
def test_lines_of_hardware_that_is_not_here(line, cause):
    why = explain(None, [line], "rtx", "chat")
    assert cause in why.cause
    assert why.next


def test_a_server_that_does_well_has_no_cause_of_failure(shared):
    well = [
        path
        for path in shared.glob("recordings/llama.cpp/*/**/log_*")
        if not any(word in path.name for word in ("gone", "killed", "sigill", "router"))
    ]
    assert len(well) > 15
    for path in well:
        why = explain(None, path.read_text(errors="replace").splitlines())
        assert why.cause in ("it did not say why", "it ended with an error"), path.name


def test_a_program_for_another_cpu_is_told_by_its_last_line(shared):
    path = shared / "recordings/llama.cpp/b10434-vulkan/log_sigill_prebuilt_native_cpu.stderr.txt"
    assert "another CPU" in explain(None, path.read_text().splitlines()).cause


def test_only_the_last_start_counts():
    old = ["fleet: starting chat, release a", "error: invalid argument: --x"]
    new = ["fleet: starting chat, release b", "0.1 E gguf_init_from_reader: failed to read magic"]
    assert "empty" in explain(1, old + new).cause


def test_the_memory_of_a_gpu_is_recognised():
    line = "alloc_buffer: allocating 4096.00 MiB on device 0: cudaMalloc failed: out of memory"
    why = explain(1, [line], "rtx", "chat")
    assert why.cause == "the GPU has too little memory"
    assert "smaller context" in why.next
