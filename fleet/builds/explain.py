"""Why a build failed, from the last lines it printed."""

import re
from collections.abc import Sequence

from fleet.core.facts import Facts
from fleet.core.packages import install
from fleet.core.shell import complaint
from fleet.platforms.base import FENCED

# exit codes of build.sh and receive.sh
CONFIGURE, COMPILE, BACKEND, SMOKE, OTHER_CPU = 82, 83, 84, 85, 87

# CMake puts a target that it lacks on a line of its own, old versions of it within the sentence.
UNFOUND = r"(?:$| but the target was not found)"
REBUILD = "fleet build {host} --rebuild"


def explain(
    tail: Sequence[str], exit_code: int, facts: Facts | None = None, host: str = "HOST"
) -> tuple[str, str]:
    """The cause as a sentence, and what to do about it.

    Args:
        tail: last lines of the job's log, safe text.
        exit_code: of the job.
        facts: of the host, for the command that installs what is missing there.
        host: its name, where there are no facts at hand.
    """
    said, following = complaint("\n".join(tail))
    for pattern, what, remedy in CAUSES:
        found = next((match for line in reversed(tail) if (match := re.search(pattern, line))), None)
        if found:
            told = following if remedy == REBUILD else None
            tools = tuple(found.expand(name) for name in remedy) if isinstance(remedy, tuple) else remedy
            return found.expand(what), told or _remedy(tools, facts, host)
    if exit_code == OTHER_CPU:
        return said or "built for another CPU", following or _remedy(REBUILD, facts, host)
    if exit_code in (137, 9):
        return "the build was killed, which a full memory does", "stop servers there, then the same again"
    if exit_code == FENCED:
        return "another controller has taken over this host", "fleet status"
    if exit_code == COMPILE:
        errors = (line for line in tail if re.search(r"\berror\b:? ", line, re.I) and "fleet:" not in line)
        line = next(errors, None)
        return f"the compiler failed: {line}" if line else said or "the compiler failed", _look(facts, host)
    if exit_code == CONFIGURE:
        line = _after(tail, r"^CMake Error")
        return f"cmake failed: {line}" if line else said or "cmake failed", _look(facts, host)
    return said or f"the build ended with exit code {exit_code}", following or _look(facts, host)


# pattern, what (may use its groups), remedy: tools to install, or a sentence with {host}
CAUSES: tuple[tuple[str, str, tuple[str, ...] | str], ...] = (
    (
        r"No space left on device|the disk is full|Disk quota exceeded",
        "the disk is full",
        "fleet gc {host} --dry-run, or set root under [hosts.{host}] to a bigger disk",
    ),
    (
        r"No CMAKE_CXX_COMPILER could be found|CMAKE_CXX_COMPILER not set",
        "there is no C++ compiler",
        ("c++",),
    ),
    (r"No CMAKE_C_COMPILER could be found|CMAKE_C_COMPILER not set", "there is no C compiler", ("c++",)),
    (
        r"CMAKE_MAKE_PROGRAM is not set|unable to find a build program",
        "there is neither ninja nor make",
        ("make",),
    ),
    (r"cmake: (?:command )?not found", "there is no cmake", ("cmake",)),
    (
        r"CMake ([\d.]+) or higher is required\. +You are running version ([\d.]+)",
        r"cmake \2 is too old: \1 is needed",
        "on {host}: pip install --user cmake",
    ),
    (
        rf"CUDA::(cublas|cudart){UNFOUND}",
        r"the CUDA toolkit lacks its development files for \1",
        (r"\1",),
    ),
    (
        rf"CUDA::(\w+){UNFOUND}",
        r"the CUDA toolkit lacks its development files for \1",
        ("nvcc",),
    ),
    (
        r"Failed to detect a default CUDA architecture",
        "nvcc is there and compiles nothing: its toolkit is not whole",
        ("nvcc", "cudart"),
    ),
    (
        r"incompatible with that of previous function",
        "this CUDA toolkit is older than the host's C library and does not get on with it",
        'install a newer CUDA toolkit on {host}, or set backend = "cpu" under [hosts.{host}]',
    ),
    (
        r"Could NOT find Vulkan \(missing: ([^)]+)\)",
        r"the development files of Vulkan are not there: \1",
        ("vulkan", "glslc"),
    ),
    (
        r'provided by "SPIRV-Headers"|SPIRV-HeadersConfig\.cmake',
        "the SPIR-V headers are not there",
        ("spirv-headers",),
    ),
    (
        r'provided by "(hip|hipblas|rocblas)"',
        r"ROCm lacks its development files for \1",
        ("hipconfig", "hipblas", "rocblas"),
    ),
    (
        r"CMakeDetermineHIPCompiler|HIP compiler identification is unknown",
        "there is no HIP compiler that cmake could use",
        ("hipconfig",),
    ),
    (r"At least ROCM/HIP V([\d.]+) is required", r"this ROCm is older than \1", ("hipconfig",)),
    (r"cannot find ROCm device library", "ROCm lacks its device libraries", ("hipconfig", "rocblas")),
    (r"compiler lacks SYCL support", "the compiler is not oneAPI's", ("icpx", "oneapi", "mkl")),
    (
        r"unrecognized (?:command-line option|argument in option) .(-m(?:arch=)?[\w.+-]+)",
        r"the compiler is too old for the processors of a portable build: it has no \1",
        "take portable out of [hosts.{host}], or a newer compiler",
    ),
    (
        r"Failed to connect to ([\w.:\[\]]+)",
        r"no ggml-rpc-server answers at \1",
        "start ggml-rpc-server there, of the same llama.cpp, then the same again",
    ),
    (
        r"CUDA Toolkit not found|Failed to find nvcc|No CMAKE_CUDA_COMPILER could be found",
        "the CUDA toolkit was not found",
        ("nvcc",),
    ),
    (
        r"unsupported GNU version! (.*)",
        "nvcc does not accept this host's gcc: \\1",
        'install an older gcc or a newer CUDA toolkit, or set backend = "cpu" under [hosts.{host}]',
    ),
    (
        r"Unsupported gpu architecture '([^']+)'",
        r"this CUDA toolkit does not know the GPU (\1)",
        'install another CUDA toolkit, or set backend = "cpu" under [hosts.{host}]',
    ),
    (
        r"(?:internal compiler error: )?Killed \(program (\w+)\)|fatal error: Killed signal",
        "a compiler was killed: memory ran out",
        "stop servers on {host} for the build, then the same again",
    ),
    (r"illegal instruction|Illegal instruction", "built for another CPU", REBUILD),
    (r"error while loading shared libraries: ([^:]+):", r"the library \1 is not on this host", REBUILD),
    (r"version .(GLIBC(?:XX)?_[\d.]+)' not found", r"built for a newer system library: it needs \1", REBUILD),
    (
        r"xcrun: error: invalid active developer path",
        "the Xcode command-line tools are missing",
        "on {host}: xcode-select --install",
    ),
    (
        r"gzip: .*(?:not in gzip format|unexpected end of file|invalid compressed data)",
        "the archive is damaged",
        "the same command again sends it anew",
    ),
)


def _remedy(remedy: tuple[str, ...] | str, facts: Facts | None, host: str) -> str:
    if isinstance(remedy, str):
        return remedy.replace("{host}", facts.host if facts else host)
    if facts is None:
        return f"on {host}: install {' and '.join(remedy)}"
    return f"on {facts.host}: {install(facts, *remedy)}"


def _look(facts: Facts | None, host: str) -> str:
    return f"fleet doctor {facts.host if facts else host}"


def _after(tail: Sequence[str], pattern: str) -> str | None:
    """The text of an error that CMake prints below its heading."""
    for number, line in enumerate(tail):
        if re.search(pattern, line):
            told = (text.strip() for text in tail[number + 1 :] if text.strip())
            return next((text for text in told if not text.startswith("See also")), line)
    return None
