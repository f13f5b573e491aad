"""The command that installs a tool, in the words of the host's own package manager."""

from fleet.core.facts import Facts

# tool -> package, by family of systems; others are called like the tool
APT = {"c++": "g++", "cc": "gcc", "nvcc": "nvidia-cuda-toolkit", "ninja": "ninja-build"}
DNF = {"c++": "gcc-c++", "cc": "gcc", "nvcc": "cuda-toolkit", "ninja": "ninja-build"}
PACMAN = {"c++": "gcc", "cc": "gcc", "nvcc": "cuda"}
APK = {"c++": "g++ musl-dev linux-headers", "cc": "gcc musl-dev"}
ZYPPER = {"c++": "gcc-c++", "cc": "gcc", "nvcc": "cuda-toolkit"}

MANAGERS: tuple[tuple[tuple[str, ...], str, dict[str, str]], ...] = (
    (("debian", "ubuntu", "mint", "raspbian", "pop!_os", "kali", "proxmox"), "apt-get install", APT),
    (("fedora", "red hat", "rocky", "almalinux", "centos", "amazon", "oracle"), "dnf install", DNF),
    (("arch", "manjaro", "endeavouros"), "pacman -S", PACMAN),
    (("alpine",), "apk add", APK),
    (("suse",), "zypper install", ZYPPER),
)


def install(facts: Facts, *tools: str) -> str:
    """What to type on the host so that it has the tools.

    Args:
        tools: as they are called on the command line: `c++`, `cmake`, `nvcc`.

    Returns:
        One command; where the package manager is not known, a sentence that names the tools.
    """
    if facts.os == "macos":
        return _macos(tools)
    name = (facts.os_version or "").lower()
    sudo = "" if facts.user == "root" else "sudo "
    for families, command, packages in MANAGERS:
        if any(family in name for family in families):
            wanted = " ".join(dict.fromkeys(packages.get(tool, tool) for tool in tools))
            return f"{sudo}{command} {wanted}"
    return "install " + " and ".join(tools) + " with the package manager of that host"


def _macos(tools: tuple[str, ...]) -> str:
    commands = []
    if {"cc", "c++", "make", "git"} & set(tools):
        commands.append("xcode-select --install")
    others = [tool for tool in tools if tool not in ("cc", "c++", "make", "git")]
    if others:
        commands.append("brew install " + " ".join(others))
    return " && ".join(commands)
