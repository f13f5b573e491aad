"""Every file of the hardware recordings: who reads it, and what must come of it.

    A value      what the reader finds
    Unknown(...) nothing, and this must stand in the reason

A pattern may stand for files of which the same is true.
"""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Unknown:
    """No value, because ..."""

    words: str


H100 = "nvidia-linux-h100-mig-590.48.01"
L40S = "nvidia-linux-l40s-595.80"
SUPER = "nvidia-linux-rtx-4080-super-595.71.05"
VM = "linux-debian12-vm-cpu-only"
DRIVER = "Make sure that the latest NVIDIA driver is installed"
PARTS = tuple(f"MIG-{n:08d}-0000-0000-0000-{n:012d}" for n in range(4))

ASSUMED = "66% of memory, assumed until a build there names the limit"

# file, reader in test_recordings.py, what comes of it
ROWS: tuple[tuple[str, str, Any], ...] = (
    # builds: why cmake failed, by its exit code
    (
        f"{VM}/cmake.find_package-cudatoolkit-vulkan-missing.txt",
        "cmake",
        "the development files of Vulkan are not there: Vulkan_LIBRARY Vulkan_INCLUDE_DIR glslc",
    ),
    (
        f"{VM}/cmake.project-CUDA.broken-nvcc-on-path.txt",
        "cmake",
        "nvcc is there and compiles nothing: its toolkit is not whole",
    ),
    (f"{VM}/cmake.project-CUDA.no-nvcc.txt", "cmake", "the CUDA toolkit was not found"),
    (f"{VM}/cmake.project-CUDA.toolkit13-no-gpu.ok.txt", "cmake", None),
    ("nvcc-toolkit-limits.measured.txt", "toolkits", ()),  # nothing that our data say otherwise
    # llama.cpp: MiB of weights, keys and values, and what was refused, by device
    (
        "nvidia-rtx4070-desktop/llama-server.fit-and-oom.log",
        "buffers",
        {"host": (8740.26, 4608.0, 0.0), "CUDA0": (6096.65, 3584.0, 1401.75)},
    ),
    # Metal names its limit where no buffer is: nothing that a server allocated
    ("macos-m4max-36gb/ggml_metal_device_init.log", "metal", Unknown(ASSUMED)),
    ("macos-metal-limits/*.txt", "metal", Unknown(ASSUMED)),
    # speeds: rows that are judged, and those within the range
    ("reference-decode-speeds.csv", "speeds", (35, 35)),
    (
        "nvidia-rtx4070-desktop/llama-bench.b8571-rows.txt",
        "bench",
        Unknown("vulkan-qwen3.5-9b-q4km: no bandwidth, layers or bytes"),
    ),
    # NVIDIA: name, capability, MiB in all, MiB free, driver
    (
        f"{SUPER}/idle.query-gpu.txt",
        "nvidia",
        (("NVIDIA GeForce RTX 4080 SUPER", "8.9", 16376, 15348, "595.71.05"),),
    ),
    (
        f"{SUPER}/load.query-gpu.txt",
        "nvidia",
        (("NVIDIA GeForce RTX 4080 SUPER", "8.9", 16376, 14470, "595.71.05"),),
    ),
    (f"{L40S}/idle.query-gpu.txt", "nvidia", (("NVIDIA L40S", "8.9", 46068, 45460, "595.80"),)),
    (f"{L40S}/load.query-gpu.txt", "nvidia", (("NVIDIA L40S", "8.9", 46068, 44225, "595.80"),)),
    (f"{H100}/idle.query-gpu.txt", "nvidia", (("NVIDIA H100 80GB HBM3", "9.0", 81559, 81022, "590.48.01"),)),
    (f"{H100}/load.query-gpu.txt", "nvidia", (("NVIDIA H100 80GB HBM3", "9.0", 81559, 69956, "590.48.01"),)),
    (
        "nvidia-dual-rtx3090-linux/nvidia-smi-query-gpu.csv",
        "nvidia",
        (("NVIDIA GeForce RTX 3090", "8.6", 24576, None, "580.126.09"),) * 2,
    ),
    (f"{SUPER}/*.nvidia-smi.txt", "runtime", "13.2"),
    (f"{L40S}/*.nvidia-smi.txt", "runtime", "13.2"),
    (f"{H100}/*.nvidia-smi.txt", "runtime", "13.1"),
    ("nvidia-rtx4070-desktop/nvidia-smi.txt", "runtime", "12.4"),
    (f"{SUPER}/capabilities.version.txt", "runtime", "13.2"),
    (f"{L40S}/capabilities.version.txt", "runtime", "13.2"),
    (f"{H100}/capabilities.version.txt", "runtime", "13.1"),
    (f"{SUPER}/idle.query-compute-apps.txt", "programs", 1),
    (f"{SUPER}/load.query-compute-apps.txt", "programs", 3),
    (f"{L40S}/idle.query-compute-apps.txt", "programs", 0),
    (f"{L40S}/load.query-compute-apps.txt", "programs", 2),
    (f"{H100}/idle.query-compute-apps.txt", "programs", 0),
    (f"{H100}/load.query-compute-apps.txt", "programs", 3),
    (f"{SUPER}/capabilities.list.txt", "parts", {}),
    (f"{L40S}/capabilities.list.txt", "parts", {}),
    (f"{H100}/capabilities.list.txt", "parts", {0: PARTS}),
    # The probe does not ask for these; as an answer to what it asks, they name no card.
    *(
        (f"{folder}/{name}", "nvidia", Unknown("named no card"))
        for folder in (SUPER, L40S, H100)
        for name in (
            "*.query.txt",
            "*.dmon.txt",
            "*.pmon.txt",
            "capabilities.topo--m.txt",
            "capabilities.nvlink--s.txt",
            "capture-header.txt",
        )
    ),
    (f"{H100}/capabilities.nvml-symbols.txt", "nvidia", Unknown("named no card")),
    ("nvidia-smi-xml/*.xml", "nvidia", Unknown("named no card")),
    (
        "errors/nvidia-smi.nvml-mismatch.exit18.stdout.txt",
        "nvidia-18",
        Unknown("ended with 18: Failed to initialize"),
    ),
    ("errors/nvidia-smi.driver-not-loaded.exit9.txt", "nvidia-9", Unknown(DRIVER)),
    ("errors/nvidia-smi.no-devices.txt", "nvidia-6", Unknown("ended with 6: No devices were found")),
    ("errors/nvidia-smi.no-devices.txt", "nvidia", Unknown("named no card: No devices were found")),
    ("errors/nvidia-smi.unknown-field.stdout.txt", "nvidia-2", Unknown('ended with 2: Field "cuda_version"')),
    ("errors/nvidia-smi.unknown-field.stdout.txt", "nvidia", Unknown('named no card: Field "cuda_version"')),
    (f"{VM}/nvidia-smi.not-installed.txt", "nvidia-127", ()),
    ("nvidia-rtx4070-desktop/nvcc--version.txt", "version", "12.4"),
    (f"{VM}/nvcc--version.toolkit13-without-gpu.txt", "version", "13.0"),
    (
        "errors/llama-bench.cuda-build-without-driver.stderr.txt",
        "smoke",
        "the library libcuda.so.1 is not on this host",
    ),
    # AMD: name, target, bytes in all, bytes free
    (
        "amd-rx6800-plus-igpu/rocm-smi-showproductname-showmeminfo-vram-showuniqueid.csv",
        "rocm",
        (("Navi 21 [Radeon RX 6800/6800 XT / 6900 XT]", "gfx1030", 17163091968, 17163091968 - 692142080),),
    ),
    (
        "amd-rocm-smi-json/rocm-smi-json.rx6700xt_rocm430.json",
        "rocm",
        (("AMD 0x73df", None, 12868124672, 12868124672 - 1622728704),),
    ),
    (
        "amd-rocm-smi-json/rocm-smi-json.rx6700xt_rocm602.json",
        "rocm",
        (("Navi 22 [Radeon RX 6700/6700 XT / 6800M]", None, 12868124672, 12868124672 - 1572757504),),
    ),
    (
        "amd-rocm-smi-json/rocm-smi-json.mi100_rocm602.json",
        "rocm",
        (("Arcturus GL-XL [Instinct MI100]", None, 34342961152, 34342961152 - 6750208),) * 4,
    ),
    (
        "amd-rocm-smi-json/rocm-smi-json.vega-20-WKS-GL-XE.json",
        "rocm",
        (("Radeon Instinct MI50 32GB", None, 34342961152, 34342961152 - 10850304),),
    ),
    (
        "amd-dual-rx7900xtx/rocminfo.excerpt.txt",
        "rocminfo",
        (("AMD Radeon RX 7900 XTX", "gfx1100", 25149440 * 1024, None),) * 2,
    ),
    (f"{VM}/rocm-smi.not-installed.txt", "rocm-127", ()),
    # Intel, Vulkan
    ("intel-igpu/intel_gpu_top-J.json", "vulkan", ()),
    (
        "vulkan/vulkaninfo--summary.rtx2060-plus-llvmpipe.txt",
        "vulkan",
        (("nvidia", "NVIDIA GeForce RTX 2060"),),
    ),
    ("vulkan/vulkaninfo--summary.dgx-spark-headless-head.txt", "vulkan", ()),
    (f"{VM}/vulkaninfo--summary.no-gpu.txt", "vulkan", ()),
    # processors: model, one flag
    (
        "linux-cpuinfo-flags/proc-cpuinfo.linux-rhel7-haswell.txt",
        "cpu",
        ("Intel(R) Xeon(R) CPU E5-2680 v3 @ 2.50GHz", "avx2"),
    ),
    (
        "linux-cpuinfo-flags/proc-cpuinfo.linux-rocky8.5-zen4.txt",
        "cpu",
        ("AMD EPYC 9654 96-Core Processor", "avx512_bf16"),
    ),
    (
        "linux-cpuinfo-flags/proc-cpuinfo.linux-rocky9-zen5.txt",
        "cpu",
        ("AMD Ryzen 9 9950X 16-Core Processor", "avx512_vnni"),
    ),
    (
        "linux-cpuinfo-flags/proc-cpuinfo.linux-ubuntu20.04-zen3.txt",
        "cpu",
        ("AMD Ryzen 9 5950X 16-Core Processor", "avx2"),
    ),
    (
        "linux-cpuinfo-flags/proc-cpuinfo.linux-unknown-sapphirerapids.txt",
        "cpu",
        ("Intel(R) Xeon(R) Platinum 8480+", "amx_int8"),
    ),
    (
        "linux-cpuinfo-flags/proc-cpuinfo.linux-ubuntu26.04-arrowlake_s.txt",
        "cpu",
        ("Intel(R) Core(TM) Ultra 9 285", "avx_vnni"),
    ),
    ("linux-cpuinfo-flags/proc-cpuinfo.linux-ubuntu22.04-neoverse_v2.txt", "cpu", ("Neoverse-V2", "i8mm")),
    ("linux-cpuinfo-flags/proc-cpuinfo.linux-asahi-m2.txt", "cpu", ("Apple M2 (Blizzard)", "i8mm")),
    ("linux-generic/linux-proc-cpuinfo.txt", "cpu", ("Intel(R) Core(TM) i5-7360U CPU @ 2.30GHz", "avx2")),
    (
        "linux-intel-i7-1370p-6P8E-20t/proc-cpuinfo.txt",
        "cpu",
        ("13th Gen Intel(R) Core(TM) i7-1370P", "avx_vnni"),
    ),
    ("linux-jetson-orin-nano-8gb-jp62/lscpu.txt", "cpu", ("Cortex-A78AE", "asimddp")),
    ("linux-raspberrypi5-16gb/lscpu.txt", "cpu", ("Cortex-A76", "asimddp")),
    ("linux-wsl2-arm64/lscpu.txt", "cpu", (None, "asimddp")),
    (f"{VM}/lscpu.txt", "cpu", ("AMD EPYC", "avx2")),
    (f"{VM}/lscpu-*", "cpu", Unknown("the kernel does not name it")),
    (f"{VM}/nproc.txt", "threads", 2),
    ("linux-intel-i7-1370p-6P8E-20t/sys-devices-system-cpu.txt", "kinds", (6, 8)),
    ("linux-intel-i7-1370p-6P8E-20t/sys-devices-system-node.txt", "nodes", 1),
    # memory: bytes in all, bytes available
    ("linux-intel-i7-1370p-6P8E-20t/proc-meminfo.txt", "memory", (33269243904, 29628952576)),
    (f"{VM}/proc-meminfo.txt", "memory", (25276063744, 24249794560)),
    ("linux-generic/linux-proc-meminfo.txt", "memory", (3997272 * 1024, 3386876 * 1024)),
    (f"{VM}/ulimit-l.txt", "lockable", 8 << 20),
    ("linux-jetson-orin-nano-8gb-jp62/sbc-bench-*.txt", "board", ("jetson", True)),
    ("linux-raspberrypi5-16gb/sbc-bench-*.txt", "board", ("raspberry-pi", False)),
    ("linux-wsl2-arm64/sbc-bench-*.txt", "board", ("wsl", False)),
    # The probe reads /proc/meminfo itself; what other programs make of it is no answer to that.
    (f"{VM}/free-b.txt", "memory", Unknown("total        used        free")),
    ("linux-generic/ubuntu-18.04-free*.txt", "memory", Unknown("total        used        free")),
    ("linux-jetson-agx-orin-jp72/tegrastats.txt", "memory", Unknown("RAM 20642/62817MB")),
    (f"{VM}/proc-loadavg.txt", "memory", Unknown("/")),
    (f"{VM}/proc-pressure-*.txt", "memory", Unknown("avg10=")),
    (f"{VM}/proc-sys-vm-swappiness.txt", "memory", Unknown("60")),
    (f"{VM}/sys-kernel-mm-transparent_hugepage-enabled.txt", "memory", Unknown("madvise")),
    # systems
    (f"{VM}/etc-os-release.txt", "distribution", "Debian GNU/Linux 12 (bookworm)"),
    (f"{VM}/glibc-ldd--version.txt", "libc", "glibc 2.36"),
    (f"{VM}/cmake--version.txt", "version", "3.25.1"),
    (f"{VM}/gcc--version.txt", "version", "12.2.0"),
    (f"{VM}/uname-srvm.txt", "platform", "linux"),
    ("linux-intel-i7-1370p-6P8E-20t/proc-version.txt", "platform", "linux"),
    ("linux-generic/centos-7.7-uname-a.out.txt", "platform", "linux"),
    ("linux-generic/debian10-uname-a.out.txt", "platform", "linux"),
    ("linux-generic/ubuntu-18.04-uname-a.out.txt", "platform", "linux"),
    ("linux-generic/osx-10.14.6-uname-a.out.txt", "platform", "macos-intel"),
    ("macos-os-lines/uname-vm.macos15.2.txt", "platform", "macos"),
    ("macos-os-lines/sw_vers.macos14.4.1.txt", "sw_vers", "macOS 14.4.1"),
    ("macos-os-lines/version-build.macos15.2.txt", "sw_vers", Unknown("15.2 (24C101)")),
    (f"{VM}/sw_vers.not-macos.txt", "sw_vers", Unknown("command not found")),
    # Macs: model, fast cores, slower cores, threads
    ("macos-m3max-36gb-14core/sysctl-hw-machdep.cpu.txt", "sysctl", ("Apple M3 Max", 10, 4, 14)),
    ("macos-m1/sysctl-machdep.cpu.txt", "sysctl", ("Apple processor", None, None, 8)),
    (
        "macos-intel/sysctl-machdep.cpu.skylake.txt",
        "sysctl",
        ("Intel(R) Core(TM) i7-6700K CPU @ 4.00GHz", None, None, None),
    ),
    ("macos-m3ultra-512gb/sysctl-n-hw.memsize-brand_string.txt", "sysctl", Unknown("549755813888")),
    ("macos-os-lines/sysctl.unknown-oid.txt", "sysctl", Unknown("unknown oid 'hw.optional.arm.FEAT_SVE'")),
    ("macos-m1pro-m2pro/*.txt", "sysctl", Unknown("Hardware:")),
    ("macos-m2/*.json", "sysctl", Unknown("{")),
    ("macos-intel/system_profiler-SPHardware-SPSoftware.txt", "sysctl", Unknown("Hardware:")),
    ("macos-os-lines/sysctl-vm.partial.txt", "swap", (2048 << 20, 1066926080)),
    ("macos-os-lines/sysctl.48gib-18core-under-load.txt", "swap", (13312 << 20, 12190419517)),
    ("macos-intel/vm_stat.txt", "vm_stat", 4096 * (1364873 + 1583485 + 1061442 + 207521)),
    ("macos-m3ultra-512gb/vm_stat.head.txt", "vm_stat", 16384 * (9563156 + 11287075 + 133882 + 89568)),
    (
        "macos-m3ultra-512gb/powermetrics-cpu_power-gpu_power.excerpt.txt",
        "vm_stat",
        Unknown("Machine model: Mac15,14"),
    ),
    ("macos-os-lines/memory_pressure-Q.line.txt", "vm_stat", Unknown("memory free percentage")),
    ("macos-os-lines/pmset-g-batt.ac.txt", "vm_stat", Unknown("AC Power")),
    ("macos-m3max-30core/*.txt", "apple", ("Apple M3 Max", 30)),
    ("macos-m4/ioreg-*.txt", "apple", ("Apple M4", 10)),
    ("macos-m4/system_profiler-*.json", "apple", ("Apple M4", 10)),
    ("macos-m3max-64gb-40core/*.json", "apple", ("Apple M3 Max", 40)),
    ("macos-os-lines/clang--version.macos15.2.txt", "version", "16.0.0"),
    (
        "errors/xcode-select.no-clt.exit2.stderr.txt",
        "xcode",
        Unknown("no Command Line Tools: xcode-select: error"),
    ),
    (
        "errors/xcrun.missing-clt.stderr.txt",
        "xcode",
        Unknown("no Command Line Tools: xcrun: error: invalid active developer path"),
    ),
)
