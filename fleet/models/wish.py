"""How a model is to be served, as far as its memory depends on it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fleet.core.inventory import Server

PARALLEL = 4  # slots, and a cache that all of them share: llama-server's own choice
UBATCH = 512  # tokens
WHOLE = 2048  # tokens: a text that is embedded or ranked goes through in one piece
KV_TYPE = "f16"
MIB = 2**20


@dataclass(frozen=True, slots=True)
class Wish:
    """Arguments of a llama-server that cost memory."""

    context: int | None = None  # tokens over all slots; None: as the model was trained
    parallel: int = PARALLEL
    unified: bool = True  # one cache for all slots, else each has its part
    kv_type_k: str = KV_TYPE
    kv_type_v: str = KV_TYPE
    ubatch: int = UBATCH  # tokens
    gpu_layers: int | None = None  # None: all that fit; counts the output as one
    experts_on_host: int = 0  # layers whose experts stay in main memory (--n-cpu-moe)
    swa_full: bool = False
    all_outputs: bool = False  # of every token, as embeddings and ranks need; else of the last one of a slot
    cache_ram: int = 0  # bytes of main memory for cached prompts
    split: tuple[float, ...] = ()  # proportions among the devices; empty: by their free memory
    devices: tuple[str, ...] | None = None  # as --list-devices names them; None: all of the backend
    mapped: bool = True  # the file is mapped: its pages are shared with the system's cache
    locked: bool = False  # its pages must stay in memory


def wish(server: "Server", cache_ram: int = 0, given: Mapping[str, object] | None = None) -> Wish:
    """What the inventory wants of a server.

    Args:
        server: its table.
        cache_ram: bytes of main memory for prompts, where its `args` do not say.
        given: its `args` as flags of today (servers.flags.translate); as they are typed without it.
    """
    given = server.args if given is None else given
    parallel = server.parallel or _number(given, "parallel") or PARALLEL
    unified = given.get("kv-unified", server.parallel is None)
    kind = server.kv_type or KV_TYPE
    lent = _number(given, "cache-ram")
    layers = _number(given, "gpu-layers")
    named = server.devices or given.get("device")
    return Wish(
        context=server.context or _number(given, "ctx-size"),
        parallel=parallel,
        unified=bool(unified) or parallel == 1,
        kv_type_k=str(given.get("cache-type-k", kind)),
        kv_type_v=str(given.get("cache-type-v", kind)),
        ubatch=_number(given, "ubatch-size") or (UBATCH if server.kind == "chat" else WHOLE),
        gpu_layers=layers if layers is not None and layers >= 0 else None,
        experts_on_host=1 << 20 if given.get("cpu-moe") else _number(given, "n-cpu-moe") or 0,
        swa_full=bool(given.get("swa-full")),
        all_outputs=server.kind != "chat",
        cache_ram=cache_ram if lent is None else max(0, lent) * MIB,
        devices=_names(str(named)) if named else None,
        mapped=str(given.get("load-mode", "auto")) not in ("none", "dio"),
        locked="mlock" in str(given.get("load-mode", "auto")),
    )


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip() not in ("", "none"))


def _number(given: Mapping[str, object], name: str) -> int | None:
    value = given.get(name)
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    try:
        return int(value)
    except ValueError:
        return None
