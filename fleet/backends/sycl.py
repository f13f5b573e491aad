"""Intel GPUs through SYCL, where oneAPI is there already; elsewhere Vulkan takes them.

Written from llama.cpp docs/backend/SYCL.md; no such machine has been met.
"""

from fleet.backends.base import Backend
from fleet.core.facts import Facts, Gpu
from fleet.core.shell import quote

# what setvars.sh sets that a compiler or a program needs
NAMES = (
    "ONEAPI_ROOT CMPLR_ROOT MKLROOT TBBROOT DNNLROOT PATH"
    " LD_LIBRARY_PATH LIBRARY_PATH CPATH CMAKE_PREFIX_PATH"
)
SETVARS = "/opt/intel/oneapi/setvars.sh"


def gpus(facts: Facts) -> tuple[Gpu, ...]:
    return tuple(gpu for gpu in facts.gpus if gpu.vendor == "intel")


def score(facts: Facts) -> int:
    return 50 if gpus(facts) and facts.os == "linux" else 0


def flags(facts: Facts) -> tuple[str, ...]:
    return ("GGML_SYCL=ON", "CMAKE_C_COMPILER=icx", "CMAKE_CXX_COMPILER=icpx")


def environment(facts: Facts) -> str:
    """oneAPI's variables. Its script wants a bash, whatever shell runs ours."""
    read = (
        f'. "$1" > /dev/null 2>&1; for name in {NAMES}; do '
        'if [ -n "${!name:-}" ]; then printf "export %s=%q\\n" "$name" "${!name}"; fi; done'
    )
    return f'eval "$(bash -c {quote(read)} fleet {quote(facts.libraries.get("oneapi", SETVARS))})"\n'


backend = Backend(
    "Intel SYCL",
    (),  # icx and icpx are on the path once oneAPI's script ran
    score,
    flags,
    switch="GGML_SYCL",
    unseen="sudo usermod -aG render,video USER on the host, then log in anew",
    device="SYCL",
    gpus=gpus,
    libraries=("oneapi", "mkl"),
    place="oneapi",
    cmake=(3, 20),
    compilers=lambda facts: ("icpx",),
    launch=environment,
    archive="sycl",
    memory=2 * 2**30,
    room=4 * 2**30,
)
