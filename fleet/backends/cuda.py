"""NVIDIA GPUs through CUDA."""

import re
from dataclasses import dataclass

from fleet.backends.base import Backend, Lack, absence, kept, missing
from fleet.backends.rules import nvidia as rules
from fleet.core.facts import Facts, Gpu, Tool
from fleet.core.packages import install, suggest
from fleet.core.shell import quote
from fleet.core.versions import dotted, numbers

GIB = 2**30
TITLE = "NVIDIA CUDA"
JETSON = "jetson"  # its driver is part of the system, and JetPack brings the one toolkit for it


@dataclass(frozen=True, slots=True)
class Way:
    """A toolkit, and the compiler that it takes for the code of the processor."""

    nvcc: Tool
    host: Tool | None  # None: the c++ that everything else is compiled with
    why: str | None = None  # why it is another one


def gpus(facts: Facts) -> tuple[Gpu, ...]:
    """Those that NVIDIA's own driver shows; the kernel's nouveau knows no CUDA."""
    return tuple(gpu for gpu in facts.gpus if gpu.vendor == "nvidia" and gpu.api == "cuda")


def score(facts: Facts) -> int:
    return 100 if gpus(facts) else 0


def flags(facts: Facts) -> tuple[str, ...]:
    found = {rules.capability(gpu.capability, gpu.name) for gpu in gpus(facts)}
    known = sorted((int(rules.architecture(each)) for each in found if each), key=int)
    # without an answer from the driver the build asks the GPUs itself, also where one of several is silent
    wanted = "native" if None in found or not known else ";".join(map(str, known))
    way = _way(facts)
    host = (f"CMAKE_CUDA_HOST_COMPILER={way.host.name}",) if isinstance(way, Way) and way.host else ()
    return ("GGML_CUDA=ON", f"CMAKE_CUDA_ARCHITECTURES={wanted}", *host)


def lack(facts: Facts) -> Lack | None:
    """What keeps a host with an NVIDIA GPU and a toolkit from building for it."""
    way = _way(facts)
    return way if isinstance(way, Lack) else None


def notes(facts: Facts) -> tuple[str, ...]:
    """Which toolkit of several, and which compiler."""
    way = _way(facts)
    if isinstance(way, Lack):
        return ()
    said = []
    if len(toolkits := _toolkits(facts)) > 1:
        others = ", ".join(str(tool.version) for tool in toolkits if tool != way.nvcc)
        said.append(f"CUDA {way.nvcc.version} is used, {way.nvcc.path}; also there: {others}")
    if way.host is not None:
        version = way.host.version or "unknown version"
        said.append(f"CUDA code is compiled with {way.host.name} ({version}): {way.why}")
    return tuple(said)


def compilers(facts: Facts) -> tuple[str, ...]:
    way = _way(facts)
    if isinstance(way, Lack):
        return ("c++", "nvcc")
    return ("c++", way.nvcc.name, *((way.host.name,) if way.host else ()))


def prelude(facts: Facts) -> str:
    """The nvcc that was chosen, so that CMake takes no other."""
    way = _way(facts)
    return "" if isinstance(way, Lack) else f"CUDACXX={quote(way.nvcc.path)}\nexport CUDACXX\n"


def launch(facts: Facts) -> str:
    # Source: CUDA C++ programming guide, "CUDA environment variables"
    return kept("CUDA_CACHE_PATH")


def _way(facts: Facts) -> Way | Lack:
    """The newest toolkit that suits GPUs, driver and compiler; else what is wrong with the newest."""
    toolkits = _toolkits(facts)
    if not toolkits:
        absent = missing(facts, backend.tools, backend.libraries)
        return absence(TITLE, absent, facts, backend.place, {"nvcc": suggest("nvcc", _suited(facts))})
    ways = [_judged(tool, facts) for tool in toolkits]
    return next((way for way in ways if isinstance(way, Way)), ways[0])


def _suited(facts: Facts) -> str | None:
    """The toolkit to install, where not every one compiles for the cards: the last or the first that does."""
    wanted = (rules.capability(gpu.capability, gpu.name) for gpu in gpus(facts))
    known = [rules.TOOLKITS[each] for each in wanted if each in rules.TOOLKITS]
    if ends := [last for _, last in known if last is not None]:
        return dotted(min(ends))
    first = max((first for first, _ in known), default=rules.PACKAGED)
    return dotted(first) if first > rules.PACKAGED else None


def _toolkits(facts: Facts) -> list[Tool]:
    """Every nvcc that is there, the newest first; one that is there under two names once."""
    found: dict[tuple[int, ...], Tool] = {}
    for name, tool in facts.tools.items():
        if name == "nvcc" or re.fullmatch(r"nvcc-\d[\d.]*", name):
            parts = numbers(tool.version)
            if parts not in found or name == "nvcc":
                found[parts] = tool
    return [found[parts] for parts in sorted(found, reverse=True)]


def _judged(nvcc: Tool, facts: Facts) -> Way | Lack:
    parts = numbers(nvcc.version)
    if len(parts) < 2:
        return Way(nvcc, None)
    toolkit = (parts[0], parts[1])
    name = f"CUDA {dotted(toolkit)}"
    for gpu in gpus(facts):
        wanted = rules.capability(gpu.capability, gpu.name)
        misfit = rules.fits_card(toolkit, wanted) if wanted else None
        if misfit is not None:
            return _other_toolkit(name, misfit, gpu, wanted or "", facts)
        if facts.platform != JETSON and not rules.accepts(toolkit, gpu.runtime, gpu.driver):
            most = f"CUDA {gpu.runtime}" if gpu.runtime else f"driver {gpu.driver}"
            return Lack(
                f"{name} is newer than the driver of {gpu.name} accepts ({most})",
                f"a newer driver, or {install(facts, suggest('nvcc', gpu.runtime))}",
            )
    if absent := _files_missing(toolkit, facts):
        return absence(f"{TITLE} ({nvcc.path})", absent, facts, backend.place)
    return _host_compiler(nvcc, toolkit, name, facts)


def _other_toolkit(name: str, misfit: str, gpu: Gpu, wanted: str, facts: Facts) -> Lack:
    first, last = rules.TOOLKITS[wanted]
    if misfit == "too new":
        newest = dotted(last or first)
        what = (
            f"{name} no longer compiles for {gpu.name} (capability {wanted}); {newest} is the last that does"
        )
        return Lack(what, install(facts, suggest("nvcc", newest)))
    oldest = dotted(first)
    what = f"{name} is too old for {gpu.name} (capability {wanted}), which needs {oldest} or newer"
    return Lack(what, install(facts, suggest("nvcc", oldest)))


def _files_missing(toolkit: rules.Version, facts: Facts) -> tuple[str, ...]:
    """Libraries that this very toolkit lacks, where the probe told those of several toolkits apart."""
    return tuple(
        name
        for name in backend.libraries
        if any(file.startswith(f"{name}-") for file in facts.libraries)
        and f"{name}-{dotted(toolkit)}" not in facts.libraries
    )


def _host_compiler(nvcc: Tool, toolkit: rules.Version, name: str, facts: Facts) -> Way | Lack:
    """The c++ of the host where nvcc accepts it, else the newest other one that it accepts."""
    most = rules.ceiling(toolkit)
    default = facts.tools.get("c++")
    major = (numbers(default.version) if default else ()) or (0,)
    kind = "clang" if default and _is_clang(default, facts) else "gcc"
    accepted = None if most is None else most.clang if kind == "clang" else most.gcc
    if facts.os != "linux" or most is None or accepted is None or major[0] <= accepted:
        return Way(nvcc, None)
    why = f"{name} accepts {kind} up to {accepted}, and c++ here is {default.version if default else kind}"
    for prefix, limit in (("g++", most.gcc), ("clang++", most.clang or 0)):
        fit = [
            (number, tool)
            for each, tool in facts.tools.items()
            if (found := re.fullmatch(re.escape(prefix) + r"-(\d{1,2})", each))
            and (number := int(found[1])) <= limit
        ]
        if fit:
            return Way(nvcc, max(fit, key=lambda pair: pair[0])[1], why)
    return Lack(why, f"{install(facts, f'g++-{most.gcc}')}, or a newer CUDA toolkit")


def _is_clang(default: Tool, facts: Facts) -> bool:
    """Whether c++ is clang: versions alone do not tell, but c++ has that of one of the two."""
    gcc = facts.tools.get("g++") or facts.tools.get("gcc")
    clang = facts.tools.get("clang++") or facts.tools.get("clang")
    is_gcc = gcc is not None and gcc.version == default.version
    return "clang" in (default.version or "") or (
        clang is not None and clang.version == default.version and not is_gcc
    )


backend = Backend(
    TITLE,
    ("nvcc",),
    score,
    flags,
    switch="GGML_CUDA",
    unseen="nvidia-smi on the host says how the driver does; after an update of it: reboot",
    device="CUDA",
    gpus=gpus,
    libraries=("cudart", "cublas"),
    place="cuda",
    cmake=(3, 18),
    compilers=compilers,
    lack=lack,
    notes=notes,
    prelude=prelude,
    launch=launch,
    archive="cuda",
    memory=2 * GIB,
    room=4 * GIB,
)
