"""AMD GPUs through ROCm."""

from fleet.backends.base import Backend, Lack
from fleet.backends.rules import amd as rules
from fleet.core.facts import Facts, Gpu
from fleet.core.shell import assign, quote
from fleet.core.versions import dotted, numbers

GIB = 2**30


def gpus(facts: Facts) -> tuple[Gpu, ...]:
    return tuple(gpu for gpu in facts.gpus if gpu.vendor == "amd")


def score(facts: Facts) -> int:
    return 95 if gpus(facts) and facts.os == "linux" else 0


def flags(facts: Facts) -> tuple[str, ...]:
    targets = sorted({target for gpu in gpus(facts) if (target := _target(gpu))})
    # without a word from the kernel the build asks the GPUs itself
    return ("GGML_HIP=ON", *((f"GPU_TARGETS={';'.join(targets)}",) if targets else ()))


def lack(facts: Facts) -> Lack | None:
    """A GPU that this ROCm has no kernels for."""
    there = numbers(facts.tools["hipconfig"].version) if "hipconfig" in facts.tools else ()
    for gpu in gpus(facts):
        target = _target(gpu)
        if gpu.capability is not None and target is None:
            what = f"ROCm has no kernels for {gpu.name} ({gpu.capability})"
            return Lack(what, None)
        first = rules.TARGETS[target] if target else rules.OLDEST
        if rules.OLDEST <= there < first:
            what = (
                f"ROCm {dotted(there)} has no kernels for {gpu.name} ({target}), {dotted(first)} is the first"
            )
            return Lack(what, f"ROCm {dotted(first)} or newer from AMD's own packages")
    return None


def notes(facts: Facts) -> tuple[str, ...]:
    return tuple(
        f"{gpu.name} ({gpu.capability}) has no kernels of its own in ROCm and computes as {sibling[0]}"
        for gpu in gpus(facts)
        if (sibling := _sibling(gpu))
    )


def prelude(facts: Facts) -> str:
    """ROCm's own clang, as llama.cpp docs/build.md names it."""
    tool = facts.tools.get("hipconfig")
    program = quote(tool.path if tool else "hipconfig")
    return f'HIPCXX="$({program} -l)/clang" HIP_PATH="$({program} -R)"\nexport HIPCXX HIP_PATH\n'


def launch(facts: Facts) -> str:
    """The sibling as which a GPU computes; by number where there are several GPUs."""
    cards = gpus(facts)
    siblings = {number: found[1] for number, gpu in enumerate(cards) if (found := _sibling(gpu))}
    names = {
        "HSA_OVERRIDE_GFX_VERSION" + (f"_{number}" if len(cards) > 1 else ""): value
        for number, value in siblings.items()
    }
    return f"{assign(**names)}export {' '.join(names)}\n" if names else ""


def _target(gpu: Gpu) -> str | None:
    """What to compile for it."""
    sibling = _sibling(gpu)
    name = sibling[0] if sibling else gpu.capability or ""
    return name if name in rules.TARGETS else None


def _sibling(gpu: Gpu) -> tuple[str, str] | None:
    return rules.SIBLINGS.get(gpu.capability or "")


backend = Backend(
    "AMD ROCm",
    ("hipconfig",),
    score,
    flags,
    switch="GGML_HIP",
    unseen="sudo usermod -aG render,video USER on the host, then log in anew",
    device="ROCm",
    gpus=gpus,
    libraries=("hipblas", "rocblas"),
    place="rocm",
    oldest={"hipconfig": rules.OLDEST},
    cmake=(3, 21),
    compilers=lambda facts: ("c++", "hipconfig"),
    lack=lack,
    notes=notes,
    prelude=prelude,
    launch=launch,
    archive="rocm",
    memory=2 * GIB,
    room=4 * GIB,
)
