"""`ollama:NAME[:TAG]` or `ollama:NAMESPACE/NAME[:TAG]`: the GGUF file of a model in Ollama's registry."""

import re

from fleet.sources.base import Image, Place, Source, wrong

FORM = "ollama:NAME[:TAG], or ollama:NAMESPACE/NAME[:TAG]"
SITE = "https://registry.ollama.ai"
# Source: ollama types/model/name.go, `isValidPart` and `DefaultName`: library, latest.
PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,79}")


def parse(rest: str) -> Place:
    path, _, tag = rest.partition(":")
    namespace, slash, name = path.partition("/")
    if not slash:
        namespace, name = "library", path
    if rest.endswith(":") or not all(PART.fullmatch(part) for part in (namespace, name, tag or "latest")):
        raise wrong(f"ollama:{rest}", "names no model", FORM)
    return Image(namespace, name, tag or "latest")


source = Source(FORM, "a model of Ollama's registry, pinned in fleet.lock", parse)
