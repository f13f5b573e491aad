"""Which weights a processor wants in another order: llama.cpp keeps a second copy of them.

The file stays mapped, so a "CPU_REPACK" buffer comes on top in what llama.cpp logs. The pages of the file
that it was made of are not read again and give way, so such weights need their bytes once. Where a GPU
offers pinned memory (CUDA, HIP, Vulkan, SYCL) weights on the CPU lie there and are not reordered.

Source: ggml/src/ggml-cpu/repack.cpp (ggml_repack_get_optimal_repack_type) and make_cpu_buft_list in
    src/llama-model.cpp of llama.cpp b11434.
"""

from fleet.core.facts import Facts

Q4_0, Q8_0, Q2_K, Q4_K, Q5_K, Q6_K, IQ4_NL, MXFP4, Q1_0 = 2, 8, 10, 12, 13, 14, 20, 39, 41
PINNED = frozenset({"cuda", "hip", "vulkan", "sycl"})
NOTHING: frozenset[int] = frozenset()


def reordered(facts: Facts, backend: str) -> frozenset[int]:
    """Numbers of the types that this host's processor keeps twice; none where nobody knows."""
    flags = {flag.lower() for flag in facts.cpu.flags}
    if backend in PINNED:
        return NOTHING
    if facts.arch == "x86_64" and "avx2" in flags:
        return frozenset({Q4_0, Q4_K, IQ4_NL, MXFP4} | ({Q2_K} if "avx512f" in flags else set()))
    is_apple = facts.os == "macos" and facts.arch == "arm64"  # every one of them has these instructions
    if is_apple or flags & {"asimddp", "i8mm"}:
        return frozenset({Q4_0, Q8_0, Q4_K, Q5_K, Q6_K, IQ4_NL, MXFP4, Q1_0})
    return NOTHING
