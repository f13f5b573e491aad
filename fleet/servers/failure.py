"""Why a llama-server ended, from its exit code and its last lines."""

import re
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Failure:
    """One sentence, its evidence, and what to type."""

    cause: str
    line: str  # the decisive line; empty where there is none
    next: str


@dataclass(frozen=True, slots=True)
class Sign:
    pattern: str  # searched for in a line
    cause: str  # may use the pattern's groups: {1}
    next: str  # {host} and {server} too


EDIT = "edit [servers.{server}.args] in inventory.toml, then fleet deploy {host}"
SOURCE = "set another source for the model of {server} in inventory.toml, then fleet deploy {host}"
DEPLOY = "fleet deploy {host}"
SMALLER = 'set a smaller context or kv_type = "q8_0" for server {server}, then fleet deploy {host}'
REBUILD = "fleet build {host} --rebuild"
DOCTOR = "fleet doctor {host}"
LOGS = "fleet logs {server}@{host} --lines 200"

# In order of how much they explain: the first that is found in any line wins.
SIGNS = (
    Sign(r"failed to reload model after sleeping", "the model was gone or damaged when it woke up", DEPLOY),
    Sign(r"invalid device: (\S+)", "the device {1} is not there for this build", DOCTOR),
    Sign(r"the argument has been removed\. (use .+)", "a flag was removed from llama.cpp: {1}", EDIT),
    Sign(r"error: invalid argument: (\S+)", "llama-server does not know the flag {1}", EDIT),
    Sign(r'argument "([^"]+)": error: failed to open file', "the file that {1} names cannot be read", LOGS),
    Sign(
        r"RPC not supported in this build",
        "this build has no RPC",
        'set backend = "rpc" for {host} in inventory.toml, then fleet deploy {host}',
    ),
    Sign(
        r'error while handling argument "([^"]+)": (?:error: )?(.+)', "the value of {1} is refused: {2}", EDIT
    ),
    Sign(
        r"couldn't bind HTTP server socket, hostname: (\S+), port: (\d+)",
        "it could not listen on {1} port {2}: the port is taken, the address is not its own, "
        "or its TLS files cannot be read",
        "set another listen for server {server} in inventory.toml, then fleet deploy {host}",
    ),
    Sign(
        r"ErrorOutOfDeviceMemory|CUDA error: out of memory|cudaMalloc failed",
        "the GPU has too little memory",
        SMALLER,
    ),
    Sign(
        r"kIOGPUCommandBufferCallbackErrorOutOfMemory|command buffer \S+ failed with status 5",
        "the GPU has too little memory",
        SMALLER,
    ),
    Sign(
        r"no kernel image is available for execution|hipErrorNoBinaryForGpu",
        "the build is for another GPU than the one that is there",
        REBUILD,
    ),
    Sign(
        r"driver version is insufficient for CUDA runtime",
        "the NVIDIA driver is older than the CUDA of this build",
        DOCTOR,
    ),
    Sign(
        r"no CUDA-capable device is detected|failed to initialize (?:CUDA|ROCm): (?P<why>.*)",
        "the driver shows no GPU {1}",
        DOCTOR,
    ),
    Sign(r"libcuda\.so\S*: cannot open shared object", "the NVIDIA driver is not there", DOCTOR),
    Sign(r"version `(GLIBC\w*_[\d.]+)' not found", "the build needs a newer C library ({1})", REBUILD),
    Sign(r"AMX is not ready to be used", "it was built for another CPU, one with AMX", REBUILD),
    Sign(
        r"failed to allocate (\S+) buffer of size (\d+)",
        "too little memory: {2} bytes wanted in {1}",
        SMALLER,
    ),
    Sign(r"failed to allocate buffer for kv cache", "too little memory for the context", SMALLER),
    Sign(r"insufficient memory \(attempted to allocate ([^)]+)\)", "too little memory: {1} wanted", SMALLER),
    Sign(
        r"quantized V cache requires flash_attn",
        "a quantised KV cache needs flash attention",
        'set "flash-attn" = "on" for server {server}, or leave out kv_type',
    ),
    Sign(r"[Ff]ailed to load CLIP model from (\S+?)\.?(?: |$)", "the projector {1} cannot be loaded", SOURCE),
    Sign(r"failed to open GGUF file '([^']*)' \((.+)\)", "the model cannot be opened: {2}", DEPLOY),
    Sign(
        r"invalid magic characters: '(.*)', expected",
        "the model is not a GGUF file; it begins with {1!r}",
        SOURCE,
    ),
    Sign(r"data is not within the file bounds", "the model file is cut short or damaged", SOURCE),
    Sign(r"failed to read key-value pairs", "the model file is cut short or damaged", SOURCE),
    Sign(
        r"GGUFv1 is no longer supported", "the model is of GGUF version 1, which is not read any more", SOURCE
    ),
    Sign(
        r"this GGUF file is version (\d+)",
        "the model says it is of GGUF version {1}, newer than this build reads (there is none so far)",
        SOURCE,
    ),
    Sign(r"failed to read magic", "the model file is empty, or a folder", SOURCE),
    Sign(
        r"unknown model architecture: '([^']+)'",
        "this build does not know the architecture {1}",
        "set a newer ref in [llama_cpp], then fleet deploy {host}",
    ),
    Sign(r"exactly one out metadata, path_model, and file must be defined", "no model was given", EDIT),
    Sign(r"RPC server version mismatch", "the RPC server is of another llama.cpp than this build", LOGS),
    Sign(r"Failed to connect to (\S+:\d+)", "the RPC server {1} does not answer", LOGS),
    Sign(r"Remote RPC server crashed", "the RPC server ended or answered nonsense", LOGS),
    Sign(r"error while loading shared libraries: ([^:]+)", "the library {1} is missing on the host", REBUILD),
    Sign(r"Library not loaded: (\S+)", "the library {1} is missing on the host", REBUILD),
    Sign(
        r"already runs as process (\d+)",
        "another process of this server still runs: {1}",
        "fleet restart {server}@{host}",
    ),
    Sign(
        r"bin/llama-server'?: (?:No such file or directory|not found)$"
        r"|[Nn]o such file or directory: \S*bin/llama-server$",
        "the build is not there",
        DEPLOY,
    ),
    Sign(r"exiting due to model loading error", "the model could not be loaded", LOGS),
    Sign(r"exiting due to HTTP server error", "the HTTP server could not start", LOGS),
)

# 128 + signal, or the negative signal as some supervisors write it.
CODES = {
    132: ("it used a CPU instruction that this CPU lacks: the build is for another CPU", REBUILD),
    134: ("llama.cpp gave up on an internal check", LOGS),
    137: ("it was killed, most likely by the kernel because memory ran out", SMALLER),
    139: ("it crashed by touching memory that is not its own", REBUILD),
    135: ("it crashed by a bus error: the disk failed, or the model file shrank while in use", SOURCE),
    129: ("it was ended by a hang-up", LOGS),
    143: ("it was asked to end before it was ready", LOGS),
    130: ("it was interrupted before it was ready", LOGS),
    126: ("the build cannot be executed on this host", REBUILD),
    127: ("the build is not there, or a library of it is missing", DEPLOY),
    75: ("another process of this server still runs", "fleet restart {server}@{host}"),
}
ASSERTION = re.compile(r"\.(?:cpp|cu|c|m|h):\d+: ")


def explain(
    exit_code: int | None, lines: Sequence[str], host: str = "HOST", server: str = "SERVER"
) -> Failure:
    """The likely cause.

    Args:
        exit_code: None where nobody saw it end. Below 0 a signal's number.
        lines: the last of its log, oldest first; only those since its last start are looked at.
        host, server: for the command that comes next.

    Source: reference LLAMA_CPP.md section 6; patterns are tested over recorded failures.
    """
    code = 128 - exit_code if exit_code is not None and exit_code < 0 else exit_code
    last = since_start(lines)
    place = {"host": host, "server": server}
    for sign in SIGNS:
        for line in last:
            match = re.search(sign.pattern, line)
            if match:
                cause = sign.cause.format("", *(group or "" for group in match.groups()), **place)
                return Failure(cause, line.strip(), sign.next.format(**place))
    if code in CODES:
        cause, following = CODES[code]
        decisive = next((line.strip() for line in reversed(last) if ASSERTION.search(line)), "")
        return Failure(cause, decisive, following.format(**place))
    decisive = next((line.strip() for line in reversed(last) if " E " in line or "error" in line.lower()), "")
    ended = "it did not say why" if decisive == "" else "it ended with an error"
    if code == 0:
        ended = "it ended by itself, as if somebody had asked it to"
    return Failure(ended, decisive, LOGS.format(**place))


def since_start(lines: Sequence[str]) -> list[str]:
    """The lines of the last start that got as far as llama-server itself."""
    starts = [number for number, line in enumerate(lines) if line.startswith("fleet: starting ")]
    return list(lines[starts[-1] :] if starts else lines)
