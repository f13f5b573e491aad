"""GPUs of Moore Threads through MUSA, which compiles llama.cpp's CUDA code.

Never chosen by itself: the probe knows nothing of these cards. Written from llama.cpp
(ggml/src/ggml-musa/CMakeLists.txt); no such machine has been met. That a GPU really computes is proven as
everywhere: without a MUSA0 in `--list-devices` the build is refused.
"""

from fleet.backends.base import Backend
from fleet.core.facts import Facts


def score(facts: Facts) -> int:
    return 1 if facts.os == "linux" else 0


def flags(facts: Facts) -> tuple[str, ...]:
    # the last is needed where libraries are linked into the program; clang of the toolkit is taken by itself
    return ("GGML_MUSA=ON", "CMAKE_POSITION_INDEPENDENT_CODE=ON")


backend = Backend(
    "Moore Threads MUSA",
    (),
    score,
    flags,
    switch="GGML_MUSA",
    unseen="mthreads-gmi on the host says how the driver does",
    device="MUSA",
    is_automatic=False,
    memory=2 * 2**30,
    room=4 * 2**30,
)
