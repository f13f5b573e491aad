"""Which llama-server flags an inventory may set, and what is said about the others."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from fleet.core.names import nearest
from fleet.servers.capabilities import Capabilities
from fleet.servers.dialect import speak


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of a flag.

    Attributes:
        sentence: why it is not passed on as written.
        to: flag and value that replace it; None where it is refused.
    """

    sentence: str
    to: tuple[str, object] | None = None


def _refused(sentence: str, *names: str) -> dict[str, Verdict]:
    return {name: Verdict(sentence) for name in names}


OWN = "fleet sets it itself"
HELP = "llama-server --help"  # a source of defaults
TOOLS = "it lets whoever reaches the server run programs or read files on the host"
REMOTE = "fleet fetches, verifies and pushes models itself: set [models.NAME].source"
ROUTER = "fleet runs one llama-server for each model; routing is the gateway's"

REFUSED: dict[str, Verdict] = (
    _refused(f"{OWN}: use listen", "host", "port", "reuse-port", "api-prefix")
    | _refused(f"{OWN}: every server has a key file of its own", "api-key", "api-key-file")
    | _refused(f"{OWN}: use model", "model", "alias")
    | _refused(f"{OWN}, to see how the server does", "metrics", "slots", "no-slots")
    | _refused(f"{OWN}: use context", "ctx-size")
    | _refused(f"{OWN}: use parallel", "parallel")
    | _refused(f"{OWN}: use devices", "device")
    | _refused(f"{OWN}: use kv_type", "cache-type-k", "cache-type-v")
    | _refused(f"{OWN}: logs are read from its standard error", "log-file", "log-disable", "log-jsonl")
    | _refused(f"{OWN}: browsers may call from localhost only", "cors-origins", "cors-credentials")
    | _refused(OWN, "no-cors-credentials", "cors-methods", "cors-headers")
    | _refused(f"refused: {TOOLS}", "tools", "tools-runtime", "agent", "no-agent", "path", "media-path")
    | _refused(f"refused: {TOOLS}", "mcp-servers-config", "mcp-servers-json", "log-prompts-dir")
    | _refused(f"refused: {TOOLS}", "ui-mcp-proxy", "webui-mcp-proxy", "ui-config-file", "webui-config-file")
    | _refused(REMOTE, "model-url", "docker-repo", "hf-repo", "hf-file", "hf-token", "mmproj-url", "offline")
    | _refused(REMOTE, "spec-draft-hf", "hf-repo-draft", "hf-repo-v", "hf-file-v")
    | _refused(f"{OWN}: use rpc under [hosts.NAME]", "rpc")
    | _refused(f"{OWN}: use kind", "embedding", "embeddings", "rerank", "reranking")
    | _refused("refused: whoever has the key could change the server's settings", "props")
    | _refused(ROUTER, "models-dir", "models-preset", "models-max", "models-autoload", "no-models-autoload")
    | _refused("it makes llama-server print something and end", "help", "usage", "version", "list-devices")
    | _refused("it makes llama-server print something and end", "cache-list", "completion-bash")
    | _refused(
        "llama-server speaks HTTP/1.1 only; put nginx or Caddy in front for HTTP/2 and HTTP/3",
        "http2",
        "http3",
        "quic",
        "quiche",
    )
    | _refused("no such flag: fleet writes the flags from inventory.toml", "config")
    | _refused("no such flag: layers are split among the GPUs by default", "auto-split")
    | _refused("not a flag of llama-server: fleet plan shows what would be done", "dry-run")
    | _refused('no such flag: a reranker is a server of its own, with kind = "rerank"', "reranker-model")
    | _refused("it does nothing any more: a KV cache is no longer defragmented", "defrag-thold")
    | _refused("removed from llama.cpp: use spec-ngram-mod-n-match or its sisters", "spec-ngram-size-n")
    | _refused("removed from llama.cpp: each kind has a flag of its own now", "spec-ngram-size-m")
    | _refused("removed from llama.cpp: each kind has a flag of its own now", "spec-ngram-min-hits")
)

# Old name -> what it is called today. The value True stands for a bare flag.
TRANSLATED: dict[str, Verdict] = {
    "mlock": Verdict("--mlock is now --load-mode mmap+mlock", ("load-mode", "mmap+mlock")),
    "no-mmap": Verdict("--no-mmap is now --load-mode none", ("load-mode", "none")),
    "mmap": Verdict("--mmap is now --load-mode mmap", ("load-mode", "mmap")),
    "direct-io": Verdict("--direct-io is now --load-mode dio", ("load-mode", "dio")),
    "draft": Verdict("--draft is now --spec-draft-n-max", ("spec-draft-n-max", None)),
    "draft-n": Verdict("--draft-n is now --spec-draft-n-max", ("spec-draft-n-max", None)),
    "draft-max": Verdict("--draft-max is now --spec-draft-n-max", ("spec-draft-n-max", None)),
    "draft-min": Verdict("--draft-min is now --spec-draft-n-min", ("spec-draft-n-min", None)),
    "draft-n-min": Verdict("--draft-n-min is now --spec-draft-n-min", ("spec-draft-n-min", None)),
    "draft-p-min": Verdict("--draft-p-min is now --spec-draft-p-min", ("spec-draft-p-min", None)),
    "n-gpu-layers": Verdict("written as --gpu-layers", ("gpu-layers", None)),
    "model-draft": Verdict("--model-draft is now --spec-draft-model", ("spec-draft-model", None)),
    "draft-model": Verdict("written as --spec-draft-model", ("spec-draft-model", None)),
    "gpu-layers-draft": Verdict("--gpu-layers-draft is now --spec-draft-ngl", ("spec-draft-ngl", None)),
    "device-draft": Verdict("--device-draft is now --spec-draft-device", ("spec-draft-device", None)),
    "verbosity": Verdict("written as --log-verbosity", ("log-verbosity", None)),
    "no-webui": Verdict("written as --no-ui", ("no-ui", None)),
    "webui": Verdict("written as --ui", ("ui", None)),
}

SHORT = {
    "c": "context", "np": "parallel", "ctk": "kv_type", "ctv": "kv_type", "dev": "devices", "m": "model",
    "a": "model", "ngl": "gpu-layers", "fa": "flash-attn", "b": "batch-size", "ub": "ubatch-size",
    "t": "threads", "tb": "threads-batch", "ts": "tensor-split", "sm": "split-mode", "mg": "main-gpu",
    "ot": "override-tensor", "cmoe": "cpu-moe", "ncmoe": "n-cpu-moe", "cram": "cache-ram", "lm": "load-mode",
    "lv": "log-verbosity", "fit": "fit", "kvu": "kv-unified", "to": "timeout", "md": "spec-draft-model",
    "lzm": "lazy-mode", "ncffn": "n-cpu-ffn", "kvo": "kv-offload", "nkvo": "no-kv-offload",
    "fitt": "fit-target", "fitc": "fit-ctx", "ctxcp": "ctx-checkpoints", "ngld": "spec-draft-ngl",
    "devd": "spec-draft-device", "ctkd": "spec-draft-type-k", "ctvd": "spec-draft-type-v",
    "mu": "source of the model", "hf": "source of the model", "hff": "source of the model",
    "dio": 'load-mode = "dio"', "cl": "nothing: fleet keeps the models",
}  # fmt: skip

CHOICES = {"flash-attn": ("on", "off", "auto"), "fit": ("on", "off"), "reasoning": ("on", "off", "auto")}
# Values that do not mean what they are taken for.
MEANT: dict[str, dict[str, tuple[object, str]]] = {
    "gpu-layers": {
        "-1": ("auto", '--gpu-layers -1 means auto, not all: for all layers write "all"'),
        "-2": ("all", "--gpu-layers -2 is written as all"),
    }
}
LAYERS = ("gpu-layers", "n-gpu-layers")
THREADS = frozenset({"threads", "threads-batch", "threads-http", "spec-draft-threads"})
LEVELS = {"fit"}  # short and long name are the same


def long(name: str) -> str:
    """A flag's name as the tables spell it: `--Flash_Attn` is `flash-attn`."""
    return name.strip().lstrip("-").replace("_", "-").lower()


def translate(args: Mapping[str, object]) -> tuple[dict[str, object], tuple[str, ...]]:
    """Flags as llama-server calls them today, and a sentence for each that was changed.

    A bare `flash-attn = true` becomes `on`: without a value it would eat the next flag.
    `mlock = false` and its like are dropped: that is the default.
    """
    found: dict[str, object] = {}
    notes = []
    for written, value in args.items():
        name = long(written)
        verdict = TRANSLATED.get(name)
        if verdict is not None and verdict.to is not None and verdict.to[0] in MEANT:
            name, verdict = verdict.to[0], None
        if name in CHOICES and isinstance(value, bool):
            found[name] = "on" if value else "off"
        elif name in MEANT and str(value) in MEANT[name]:
            found[name], sentence = MEANT[name][str(value)]
            notes.append(sentence)
        elif verdict is None or verdict.to is None:
            found[name] = value
        else:
            to, fixed = verdict.to
            notes.append(verdict.sentence)
            if fixed is None:
                found[to] = value
            elif value is not False:
                found[to] = fixed
    return found, tuple(notes)


def judge(args: Mapping[str, object]) -> list[str]:
    """What is wrong with the flags of a server, without a host.

    Returns:
        A sentence for each flag that is refused; empty when all may be passed on. Flags that
        are in no table are left to `check_known`.
    """
    errors = []
    seen: dict[str, str] = {}
    for written, value in args.items():
        name = long(written)
        if name in SHORT and name not in LEVELS:
            errors.append(f"{written}: short names are not taken: write {SHORT[name]}")
        elif name in REFUSED:
            errors.append(f"{written}: {REFUSED[name].sentence}")
        elif name.startswith(("mcp-", "tools-", "agent-")):
            errors.append(f"{written}: refused: {TOOLS}")
        elif name.endswith("-default") and name != "spec-default":
            errors.append(f"{written}: {REMOTE}")
        elif not re.fullmatch(r"[a-z][a-z0-9.-]*", name):
            errors.append(f"{written}: not the name of a flag")
        else:
            errors += value_errors(written, name, value)
            to = TRANSLATED[name].to if name in TRANSLATED else None
            target = to[0] if to else name
            if target in seen:
                errors.append(f"{written}: says the same as {seen[target]}: keep one")
            seen[target] = written
    return errors


def value_errors(written: str, name: str, value: object) -> list[str]:
    """What is wrong with the value alone."""
    if name in CHOICES and not isinstance(value, bool) and value not in (*CHOICES[name], 0, 1, -1):
        return [f"{written}: {value!r} is none of {', '.join(CHOICES[name])}"]
    if name == "tensor-split" and not _are_shares(value):
        return [f'{written}: {value!r} is no proportion for each device, such as "3,1"']
    if isinstance(value, (list, tuple)):
        bad = [item for item in value if isinstance(item, (bool, dict, list, tuple)) or "\0" in str(item)]
        return [f"{written}: a list holds text and numbers only"] if bad or not value else []
    if name in LAYERS and not re.fullmatch(r"-[12]|[0-9]{1,9}|auto|all", str(value)):
        return [f'{written}: {value!r} is neither a number of layers nor "auto" or "all"']
    if name in THREADS and not re.fullmatch(r"-1|[1-9][0-9]{0,3}", str(value)):
        return [f"{written}: {value!r} is no number of threads; -1 leaves it to llama-server"]
    if value is None or isinstance(value, Mapping):
        return [f"{written}: a flag is text, a number, true, false or a list"]
    if isinstance(value, str) and ("\0" in value or "\n" in value):
        return [f"{written}: a value is one line"]
    return []


def _are_shares(value: object) -> bool:
    """Whether llama-server reads them all: numbers with commas or slashes between, not all of them 0."""
    texts = value if isinstance(value, (list, tuple)) else (value,)
    words = [word.strip() for text in texts for word in re.split(r"[,/]+", str(text))]
    return all(re.fullmatch(r"[0-9]+(?:\.[0-9]*)?", word) for word in words) and any(map(float, words))


def check_known(args: Mapping[str, object], known: Capabilities) -> list[str]:
    """A sentence for each flag that this very binary does not know, with the nearest it knows."""
    errors = []
    for name, value in speak(translate(args)[0], known, is_own=False)[0].items():
        wanted = f"no-{name}" if value is False else name
        if not known.knows(wanted):
            errors.append(f"llama-server has no --{wanted}; near: {', '.join(nearest(wanted, known.flags))}")
    return errors
