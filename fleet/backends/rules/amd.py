"""Which AMD GPUs ROCm has kernels for, and which pass for one of those.

Sources: ollama docs/gpu.mdx and llama.cpp docs/build.md for cards and overrides; the list of targets in
llama.cpp .devops/rocm.Dockerfile, which follows rocBLAS (PR 15994: 12xx since ROCm 6.4);
ggml/src/ggml-hip/CMakeLists.txt for the oldest ROCm. First versions of gfx950 and of the APUs 115x are
common knowledge: nobody measured them here.
"""

OLDEST = (6, 1)

# what to compile for -> first ROCm with kernels for it
TARGETS: dict[str, tuple[int, ...]] = {
    "gfx908": OLDEST,  # MI100
    "gfx90a": OLDEST,  # MI210, MI250
    "gfx942": OLDEST,  # MI300
    "gfx950": (7, 0),  # MI350
    "gfx1030": OLDEST,  # RX 6800 to 6950
    "gfx1100": OLDEST,  # RX 7900
    "gfx1101": OLDEST,  # RX 7800, 7700
    "gfx1102": OLDEST,  # RX 7600
    "gfx1150": (7, 0),  # Ryzen AI HX
    "gfx1151": (7, 0),  # Ryzen AI Max
    "gfx1200": (6, 4),  # RX 9060
    "gfx1201": (6, 4),  # RX 9070
}

# a GPU without kernels of its own -> the sibling whose kernels it runs, and how that one is called in
# HSA_OVERRIDE_GFX_VERSION. Linux only.
SIBLINGS: dict[str, tuple[str, str]] = {
    "gfx1031": ("gfx1030", "10.3.0"),  # RX 6700 XT
    "gfx1032": ("gfx1030", "10.3.0"),  # RX 6600
    "gfx1033": ("gfx1030", "10.3.0"),
    "gfx1034": ("gfx1030", "10.3.0"),
    "gfx1035": ("gfx1030", "10.3.0"),
    "gfx1036": ("gfx1030", "10.3.0"),
    "gfx1103": ("gfx1100", "11.0.0"),
}
