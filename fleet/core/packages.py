"""The command that installs a tool or a library, in the words of the host's own package manager.

Sources: llama.cpp docs/build.md (Vulkan, ROCm), docs/backend/SYCL.md (oneAPI); NVIDIA's and AMD's
installation guides for the names in their own repositories; else the distributions' lists of packages.
"""

import re
from collections.abc import Mapping

from fleet.core.facts import Facts

# family of distributions -> words in the name of the system, command
FAMILIES: Mapping[str, tuple[tuple[str, ...], str]] = {
    "apt": (
        ("debian", "ubuntu", "mint", "raspbian", "raspberry", "pop!_os", "kali", "proxmox", "jetson"),
        "apt-get install",
    ),
    "fedora": (("fedora",), "dnf install"),
    "dnf": (("red hat", "rocky", "almalinux", "centos", "amazon", "oracle"), "dnf install"),
    "zypper": (("suse",), "zypper install"),
    "apk": (("alpine",), "apk add"),
    "nix": (("nixos",), "nix-shell -p"),
    "pacman": (("arch", "manjaro", "endeavouros"), "pacman -S"),
}

ONEAPI: Mapping[str, str | None] = {
    "pacman": "intel-oneapi-basekit",
    "apk": None,
    "nix": None,
    "": "intel-oneapi-base-toolkit",
}

# what is asked for -> packages by family; "" is the family for all others, None: there is no package.
# A tool that is not here is called like its package everywhere.
PACKAGES: Mapping[str, Mapping[str, str | None]] = {
    "c++": {"apt": "g++", "apk": "g++ musl-dev linux-headers", "pacman": "gcc", "nix": "gcc", "": "gcc-c++"},
    "cc": {"apk": "gcc musl-dev", "": "gcc"},
    "ninja": {"apt": "ninja-build", "fedora": "ninja-build", "dnf": "ninja-build", "": "ninja"},
    "make": {"nix": "gnumake", "": "make"},
    "nvcc": {
        "apt": "nvidia-cuda-toolkit",
        "pacman": "cuda",
        "nix": "cudaPackages.cudatoolkit",
        "apk": None,
        "": "cuda-toolkit",
    },
    "cudart": {"apt": "nvidia-cuda-dev", "pacman": "cuda", "nix": "cudaPackages.cudatoolkit", "apk": None},
    "cublas": {"apt": "libcublas-dev", "pacman": "cuda", "nix": "cudaPackages.cudatoolkit", "apk": None},
    "glslc": {"apt": "glslc", "fedora": "glslc", "dnf": "glslc", "": "shaderc"},
    "spirv-headers": {
        "fedora": "spirv-headers-devel",
        "dnf": "spirv-headers-devel",
        "zypper": "spirv-headers-devel",
        "": "spirv-headers",
    },
    "vulkan": {
        "apt": "libvulkan-dev",
        "zypper": "vulkan-devel",
        "pacman": "vulkan-headers vulkan-icd-loader",
        "apk": "vulkan-headers vulkan-loader-dev",
        "nix": "vulkan-headers vulkan-loader",
        "": "vulkan-headers vulkan-loader-devel",
    },
    "vulkaninfo": {"": "vulkan-tools"},
    "hipconfig": {"fedora": "hipcc rocm-hip-devel", "pacman": "rocm-hip-sdk", "apk": None, "": "rocm"},
    "hipblas": {"fedora": "hipblas-devel", "pacman": "rocm-hip-sdk", "apk": None, "": "rocm"},
    "rocblas": {"fedora": "rocblas-devel", "pacman": "rocm-hip-sdk", "apk": None, "": "rocm"},
    "icx": ONEAPI,
    "icpx": ONEAPI,
    "oneapi": ONEAPI,
    "mkl": ONEAPI,
    "opencl": {
        "apt": "ocl-icd-opencl-dev opencl-headers",
        "pacman": "ocl-icd opencl-headers",
        "apk": "opencl-icd-loader-dev opencl-headers",
        "": "ocl-icd-devel opencl-headers",
    },
}

# packages that no distribution has: whose repository must be added first
ELSEWHERE: tuple[tuple[str, str], ...] = (
    (r"cuda-toolkit|cuda-cudart|libcublas-dev(el)?-\d", "NVIDIA's repository"),
    (r"rocm", "AMD's repository"),
    (r"intel-oneapi-base-toolkit", "Intel's repository"),
)

NO_GLSLC = re.compile(r"Ubuntu (?:18|20|22)\.|bullseye|buster")  # releases before glslc was packaged

WORDS: Mapping[str, str] = {
    "c++": "a C++ compiler",
    "cudart": "the development files of the CUDA runtime",
    "cublas": "the development files of cuBLAS",
    "vulkan": "the development files of Vulkan",
    "spirv-headers": "the SPIR-V headers",
    "hipconfig": "ROCm (hipconfig)",
    "hipblas": "the development files of hipBLAS",
    "rocblas": "the development files of rocBLAS",
    "oneapi": "Intel oneAPI (setvars.sh)",
    "mkl": "Intel MKL",
    "opencl": "the development files of OpenCL",
}
APPLE = ("cc", "c++", "make", "git")  # all come with the command-line tools
BREW = {"glslc": "shaderc", "vulkan": "vulkan-headers vulkan-loader molten-vk"}
CUDA = re.compile(r"nvcc(?:-(\d+\.\d+))?|cudart|cublas")


def called(name: str) -> str:
    """A tool or library in a sentence."""
    return WORDS.get(name, name)


def suggest(name: str, version: str | None) -> str:
    """A tool in a wanted version, as `install` takes it: `nvcc-12.4`."""
    found = re.match(r"\d+\.\d+", version or "")
    return f"{name}-{found[0]}" if found else name


def debian(name: str) -> str:
    """The package of a tool on the controller, for a hint that knows no system."""
    return PACKAGES.get(name, {}).get("apt") or name


def install(facts: Facts, *names: str) -> str:
    """What to type on the host so that it has the tools and libraries.

    Args:
        names: as they are called on the command line and in Facts.libraries: `c++`, `nvcc-12.4`, `cublas`.

    Returns:
        One command; where the package manager is not known, a sentence that names what is wanted.
    """
    if facts.os == "macos":
        return _macos(names)
    if facts.platform == "termux":
        return "pkg install " + " ".join({"c++": "clang", "cc": "clang"}.get(name, name) for name in names)
    system = (facts.os_version or "").lower()
    found = next((f for f, (words, _) in FAMILIES.items() if any(word in system for word in words)), None)
    if found is None:
        return f"install {' and '.join(names)} with the package manager of that host"
    wanted: dict[str, None] = {}
    for name in names:
        package = _package(facts, found, name, names)
        if package is None:
            return f"install {called(name)}, which {facts.os_version} has no package of"
        wanted |= dict.fromkeys(package.split())
    sudo = "" if facts.user == "root" or found == "nix" else "sudo "
    return f"{sudo}{FAMILIES[found][1]} {' '.join(wanted)}{_whence(facts, ' '.join(wanted), found)}"


def _package(facts: Facts, family: str, name: str, names: tuple[str, ...]) -> str | None:
    """Packages of one name, with blanks between; None where the family has none."""
    if CUDA.fullmatch(name):
        return _cuda(facts, family, name, names)
    if compiler := re.fullmatch(r"(g\+\+|gcc|clang\+\+|clang)-(\d+)", name):
        return _compiler(family, compiler[1], compiler[2])
    packages = PACKAGES.get(name, {"": name})
    return packages[family] if family in packages else packages.get("", name)


def _cuda(facts: Facts, family: str, name: str, names: tuple[str, ...]) -> str | None:
    """Parts of the CUDA toolkit: of the distribution, of NVIDIA's repository, or of JetPack.

    A part comes from where the nvcc that is there came from; NVIDIA's names hold the version.
    """
    if facts.platform == "jetson":
        return "nvidia-jetpack"
    packages = PACKAGES[name.partition("-")[0]]
    own = packages[family] if family in packages else packages.get("", "cuda-toolkit")
    if family not in ("apt", "fedora", "dnf", "zypper"):
        return own
    nvcc = facts.tools.get("nvcc")
    found = re.search(r"\d+\.\d+", (nvcc.version if nvcc else None) or "")
    wanted = CUDA.fullmatch(name)
    version = wanted[1] if wanted and wanted[1] else None
    if name.startswith("nvcc"):
        if version is None and (facts.platform == "wsl" or family != "apt"):
            version = next((gpu.runtime for gpu in facts.gpus if gpu.runtime), None)
        plain = "cuda-toolkit" if facts.platform == "wsl" else own
        return f"cuda-toolkit-{version.replace('.', '-')}" if version else plain
    if any(other.startswith("nvcc") for other in names):
        return _cuda(facts, family, next(other for other in names if other.startswith("nvcc")), names)
    if nvcc is None or not found or (family == "apt" and nvcc.path.startswith("/usr/bin/")):
        return own
    suffix = "dev" if family == "apt" else "devel"
    part = "libcublas" if name == "cublas" else "cuda-cudart"
    return f"{part}-{suffix}-{found[0].replace('.', '-')}"


def _compiler(family: str, kind: str, major: str) -> str | None:
    """A compiler of a wanted version."""
    if family == "apt":
        return f"{kind.replace('clang++', 'clang')}-{major}"
    if kind.startswith("clang"):
        names = {"apk": f"clang{major}", "pacman": f"clang{major}", "nix": f"clang_{major}"}
        return names.get(family, "clang")
    plus = kind == "g++"
    names = {
        "fedora": f"gcc{major}-c++" if plus else f"gcc{major}",
        "zypper": f"gcc{major}-c++" if plus else f"gcc{major}",
        "dnf": f"gcc-toolset-{major}-gcc-c++" if plus else f"gcc-toolset-{major}-gcc",
        "pacman": f"gcc{major}",
        "nix": f"gcc{major}",
    }
    return names.get(family)


def _whence(facts: Facts, packages: str, family: str) -> str:
    """Whose repository has the packages, where it is not the distribution's."""
    if family == "apt" and "glslc" in packages and NO_GLSLC.search(facts.os_version or ""):
        return " (glslc from LunarG's Vulkan SDK: this release has no package of it)"
    if family in ("pacman", "nix") or (family == "fedora" and "rocm" in packages):
        return ""
    for pattern, owner in ELSEWHERE:
        if re.search(rf"(^| )({pattern})", packages):
            if facts.platform == "wsl" and "NVIDIA" in owner:
                return " (from NVIDIA's WSL repository; never a Linux driver: Windows brings it)"
            return f" (from {owner})"
    return ""


def _macos(names: tuple[str, ...]) -> str:
    commands = []
    if any(name in APPLE for name in names):
        commands.append("xcode-select --install")
    others = [BREW.get(name, name) for name in names if name not in APPLE]
    if others:
        commands.append("brew install " + " ".join(others))
    return " && ".join(commands)
