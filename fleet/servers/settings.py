"""The settings that fleet recommends for a server on a host, each with its reason and source.

They depend on what stays as it is: the machine, the inventory, the model, the build's devices.
Free memory changes from minute to minute, and a setting that followed it would be another one
at every look: a second deploy would not be empty.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fleet.backends.base import BACKENDS
from fleet.core.facts import Build, Facts
from fleet.core.plan import Choice
from fleet.core.proof import NOTHING, Expected
from fleet.servers.capabilities import Capabilities
from fleet.servers.devices import device_names, device_totals, listed
from fleet.servers.flags import HELP, translate
from fleet.servers.memory import lent

if TYPE_CHECKING:
    from fleet.core.inventory import Server

GIB = 2**30
PARALLEL = 4
EMBEDDING_BATCH = 2048  # tokens

HERE = "this host"
FIT = "llama.cpp common/fit.cpp"
HEADER = "the header of the model"
PAIRS = "llama.cpp docs/build.md, GGML_CUDA_FA_QUANTS"
CORES = "llama.cpp common/common.cpp, cpu_get_num_math"


@dataclass(frozen=True, slots=True)
class Sizing:
    """What the model's header says of its size here; see fleet.servers.sizing.

    Attributes:
        context: tokens over all slots that fit; None where nobody could count.
        kv_type: None leaves llama-server's own.
        is_whole: whether all layers fit on the devices; None on the CPU, or unknown.
        layers: that fit on the devices, where not all do.
        experts: layers whose experts stay in main memory.
        weights: bytes of the file's tensors.
        reason: of the context.
    """

    context: int | None
    kv_type: str | None
    is_whole: bool | None
    layers: int | None
    weights: int | None
    reason: str
    kv_reason: str = ""
    experts: int = 0


UNSIZED = Sizing(None, None, None, None, None, "")


@dataclass(frozen=True, slots=True)
class Sized:
    """A server's size on its host.

    Attributes:
        expected: what its start should show.
        notes: what a person should know before anything moves.
    """

    sizing: Sizing = UNSIZED
    expected: Expected = NOTHING
    notes: tuple[str, ...] = ()


def recommend(
    name: str,
    wish: "Server",
    facts: Facts,
    backend: str,
    build: Build | None = None,
    known: Capabilities | None = None,
    sizing: Sizing = UNSIZED,
) -> tuple[Choice, ...]:
    """Every setting of a server that depends on its host or its model, in the order of importance.

    Args:
        name: of the server, for the source of what the inventory says.
        build: the finished build, whose devices are known by name; None before it is there.
        known: what its llama-server can do; None is taken for one of today.
        sizing: of its model.
    """
    written = translate(wish.args)[0]
    place = f"inventory.toml, [servers.{name}]"
    found = (
        *_devices(wish, facts, backend, build, known, sizing, place),
        *_sizes(wish, sizing, place),
        *_batches(wish, sizing),
        *_threads(facts),
        *lent(facts, backend, sizing.weights),
    )
    return tuple(
        Choice(one.name, written[one.name], "set by hand", f"{place[:-1]}.args]")
        if one.name in written
        else one
        for one in found
    )


def flags(choices: tuple[Choice, ...]) -> dict[str, object]:
    """The choices that are passed on."""
    return {one.name: one.value for one in choices if one.value is not None}


def _devices(
    wish: "Server",
    facts: Facts,
    backend: str,
    build: Build | None,
    known: Capabilities | None,
    sizing: Sizing,
    place: str,
) -> Iterator[Choice]:
    names = device_names(facts, backend, build)
    if wish.devices is not None:
        yield Choice("device", wish.devices, "set by hand", place)
    elif names == ("none",):
        why = "the build computes on the CPU alone"
        if not facts.gpus:
            why = "no GPU here that llama.cpp could use, so the CPU alone"
        yield Choice("device", "none", why, HERE)
        return
    else:
        why = "named, so that a missing device ends the start and is no silent fall back to the CPU"
        if cards := dict.fromkeys(gpu.name for gpu in BACKENDS.take(backend).gpus(facts)):
            why = f"{', '.join(cards)}; {why}"
        source = "llama-server --list-devices there" if listed(backend, build) else HERE
        yield Choice("device", ",".join(names), why, source)
    fits_itself = known is None or known.knows("fit")
    if fits_itself:
        why = "as many as there is room for at the start; --fit counts, and a number would switch it off"
        yield Choice("gpu-layers", "auto", why, FIT)
        if sizing.experts:
            yield Choice("n-cpu-moe", None, "--fit moves as many experts as it must", FIT)
    elif sizing.is_whole is False and sizing.layers is not None:
        why = f"{sizing.layers} fit on the device, and this build cannot count for itself"
        yield Choice("gpu-layers", sizing.layers, why, HEADER)
    else:
        yield Choice("gpu-layers", "all", "all of them, as far as is known", HEADER)
    if sizing.experts and not fits_itself:
        why = f"the experts of {sizing.experts} layers do not fit on the device; the rest matters more there"
        yield Choice("n-cpu-moe", sizing.experts, why, HEADER)
    if len(names) > 1:
        yield from _split(names, facts, backend, build, fits_itself)


def _split(
    names: tuple[str, ...], facts: Facts, backend: str, build: Build | None, fits_itself: bool
) -> Iterator[Choice]:
    why = "layers go to the devices in turn: more memory, the same speed; rows need a fast link"
    yield Choice("split-mode", "layer", why, HELP)
    totals = device_totals(facts, backend, build)
    shares = tuple(round(total / GIB) for total in totals if total)
    if fits_itself:
        why = "--fit shares out by what is free at the start; fixed shares would switch it off"
        yield Choice("tensor-split", None, why, FIT)
    elif len(shares) == len(names) and len(set(shares)) > 1:
        why = "in the proportion of the devices' memory, which is not the same"
        yield Choice("tensor-split", ",".join(map(str, shares)), why, HERE)
    else:
        yield Choice("tensor-split", None, "equal devices get equal shares", "llama.cpp")


def _sizes(wish: "Server", sizing: Sizing, place: str) -> Iterator[Choice]:
    if wish.context is not None:
        yield Choice("ctx-size", wish.context, "set by hand; over all slots", place)
    elif sizing.context is not None:
        yield Choice("ctx-size", sizing.context, sizing.reason, HEADER)
    else:
        why = "left to llama-server: as trained, or what --fit finds" + (
            f" ({sizing.reason})" if sizing.reason else ""
        )
        yield Choice("ctx-size", None, why, "llama.cpp")
    if wish.parallel is not None:
        yield Choice("parallel", wish.parallel, "set by hand", place)
    else:
        why = "llama-server's default; the slots share one cache, so that one long request may have it all"
        yield Choice("parallel", PARALLEL, why, HELP)
        yield Choice("kv-unified", True, "as above", HELP)
    kv_type = wish.kv_type or sizing.kv_type
    if kv_type is not None:
        why = "set by hand" if wish.kv_type else sizing.kv_reason
        source = place if wish.kv_type else PAIRS
        yield Choice("cache-type-k", kv_type, why, source)
        yield Choice(
            "cache-type-v",
            kv_type,
            "as for K: mixed pairs are slow on CUDA",
            PAIRS,
        )
    else:
        yield Choice(
            "cache-type-k",
            None,
            "f16, its default; a smaller one only where the context would be short",
            HELP,
        )
    if kv_type not in (None, "f16", "bf16", "f32"):
        yield Choice("flash-attn", "on", "a quantised KV cache needs it", HELP)
    else:
        yield Choice("flash-attn", "auto", "llama.cpp tests whether the device can", HELP)


def _batches(wish: "Server", sizing: Sizing) -> Iterator[Choice]:
    if wish.kind != "chat":
        batch = min(EMBEDDING_BATCH, wish.context or sizing.context or EMBEDDING_BATCH)
        why = f"a text to embed or rank must fit into one batch; texts of up to {batch} tokens"
        yield Choice("batch-size", batch, why, HELP)
        yield Choice("ubatch-size", batch, "as above", HELP)
        return
    why = "llama-server's default; more would be faster at prompts and take more memory on the device"
    yield Choice("batch-size", 2048, "llama-server's default", HELP)
    yield Choice("ubatch-size", 512, why, "measured: 23 MiB with 512, 99 MiB with 2048, for a model of 270M")


def _threads(facts: Facts) -> Iterator[Choice]:
    cpu = facts.cpu
    fast = cpu.cores_performance
    if not fast:
        why = facts.unknown.get("cpu.cores_performance", "the number of fast cores is unknown")
        yield Choice("threads", None, f"left to llama-server: {why}", HERE)
        return
    limit = cpu.threads or fast
    threads = min(fast, limit)
    slow = cpu.cores_efficiency or 0
    why = f"the {fast} fast cores" if slow else f"the {fast} cores"
    if limit < fast:
        why = f"{limit} processors are allowed here"
    elif cpu.threads and cpu.threads > fast + slow:
        why += ", without their second threads"
    if slow and limit >= fast:
        why += f"; {slow} slow ones would hold them up"
    yield Choice("threads", threads, why, CORES)
    both = min(fast + slow, limit)
    if slow and facts.os != "macos":
        why = f"prompts use the {slow} slow cores too: they are bound by arithmetic, not by memory"
        yield Choice("threads-batch", both, why, HERE)
    else:
        yield Choice("threads-batch", threads, "as for generating", CORES)
    if (cpu.numa_nodes or 0) > 1:
        why = f"{cpu.numa_nodes} memory nodes have processors: the weights are spread over them"
        yield Choice("numa", "distribute", why, HELP)
