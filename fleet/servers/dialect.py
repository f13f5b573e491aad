"""Flags in the words of one very llama-server: builds of different months work side by side."""

from collections.abc import Callable, Mapping

from fleet.servers.capabilities import Capabilities

ALL_LAYERS = 999  # more than any model has; what a program without `auto` and `all` is told

# Without these a server is not ours, or open to strangers: they are never left out.
ESSENTIAL = frozenset({"model", "alias", "host", "port", "api-key-file", "mmproj", "lora"})

# Name of today -> its earlier names, newest first.
EARLIER: dict[str, tuple[str, ...]] = {
    "no-webui": ("no-ui",),
    "no-ui": ("no-webui",),
    "gpu-layers": ("n-gpu-layers",),
    "log-verbosity": ("verbosity",),
    "embedding": ("embeddings",),
    "rerank": ("reranking",),
    "spec-draft-n-max": ("draft-max", "draft-n", "draft"),
    "spec-draft-n-min": ("draft-min", "draft-n-min"),
    "spec-draft-p-min": ("draft-p-min",),
    "spec-draft-model": ("model-draft",),
    "spec-draft-ngl": ("gpu-layers-draft", "n-gpu-layers-draft"),
    "spec-draft-device": ("device-draft",),
    "spec-draft-type-k": ("cache-type-k-draft",),
    "spec-draft-type-v": ("cache-type-v-draft",),
    "spec-draft-threads": ("threads-draft",),
}

Words = Mapping[str, object]


def speak(wanted: Words, known: Capabilities | None, *, is_own: bool) -> tuple[dict[str, object], list[str]]:
    """The flags as this program takes them.

    Args:
        wanted: flags by the names of today (see flags.translate).
        known: the program; None where it is not built yet, which is taken for one of today.
        is_own: fleet's own flags: one that the program lacks is left out, for it was written
            before the thing that the flag rules. A person's own is kept, and refused by name.

    Returns:
        Flags by the program's names, and a sentence for each that means something else there.
    """
    if known is None:
        return dict(wanted), []
    found: dict[str, object] = {}
    notes: list[str] = []
    for name, value in wanted.items():
        said = SPECIAL[name](value, known) if name in SPECIAL else None
        if said is not None:
            found |= said
            if said != {name: value}:
                notes.append(f"{_shown(name, value)} is {_list(said) or 'left out'} for this build")
            continue
        here = next((each for each in (name, *EARLIER.get(name, ())) if _has(each, value, known)), None)
        if here is not None:
            found[here] = value
        elif not is_own or name in ESSENTIAL:
            found[name] = value
        else:
            notes.append(f"this build has no --{name}: left out")
    return found, notes


def can_use_socket(known: Capabilities | None) -> bool:
    """Whether it listens on a unix socket: programs of before March 2025 do not."""
    return known is None or not known.knows("host") or known.mentions("host", ".sock")


def _has(name: str, value: object, known: Capabilities) -> bool:
    return known.knows(f"no-{name}" if value is False else name)


def _load_mode(value: object, known: Capabilities) -> dict[str, object] | None:
    """Source: `--load-mode` came in June 2026 (llama.cpp #20834), the old names went in #28334."""
    if known.knows("load-mode"):
        return None
    old: dict[object, dict[str, object]] = {
        "mmap+mlock": {"mlock": True},
        "mlock": {"mlock": True, "no-mmap": True},
        "none": {"no-mmap": True},
        "dio": {"direct-io": True},
    }
    return old.get(value, {})


def _flash_attention(value: object, known: Capabilities) -> dict[str, object] | None:
    """Source: it takes a value since autumn 2025; a value after the bare flag would be an error."""
    if not known.knows("flash-attn") or known.takes_value("flash-attn"):
        return None
    return {"flash-attn": True} if value in ("on", 1, True) else {}


def _gpu_layers(value: object, known: Capabilities) -> dict[str, object] | None:
    """Source: `auto` and `all` are words since `--fit`, December 2025 (llama.cpp #16653)."""
    is_word = value in ("auto", "all", -1, -2)
    if not is_word or known.mentions("gpu-layers", "'auto'"):
        return None
    return {"gpu-layers": ALL_LAYERS}


def _log_colors(value: object, known: Capabilities) -> dict[str, object] | None:
    if not known.knows("log-colors") or known.takes_value("log-colors"):
        return None
    return {"log-colors": True} if value == "on" else {}


SPECIAL: dict[str, Callable[[object, Capabilities], dict[str, object] | None]] = {
    "load-mode": _load_mode,
    "flash-attn": _flash_attention,
    "gpu-layers": _gpu_layers,
    "log-colors": _log_colors,
}


def _shown(name: str, value: object) -> str:
    return f"--{name}" if value is True else f"--{name} {value}"


def _list(flags: Words) -> str:
    return " ".join(_shown(name, value) for name, value in flags.items())
