"""What an Ollama registry says a model consists of. What it says may be hostile."""

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any

from fleet.core.errors import PlanError, ProbeError
from fleet.core.plan import size_text
from fleet.sources.base import Image

CAP = 1 << 20  # bytes of a manifest; a real one has about 1 KiB
MOST_LAYERS = 1000
LARGEST = 1 << 53  # bytes of a layer
DIGEST = re.compile("sha256:([0-9a-f]{64})")
# Source: ollama server/images.go and server/model.go, media types of layers.
KIND = re.compile(r"application/vnd\.ollama\.image\.([a-z]{1,40})(?:;|$)")


@dataclass(frozen=True, slots=True)
class Layer:
    kind: str  # model, projector, adapter, template …
    sha256: str
    size: int  # bytes

    def __str__(self) -> str:
        return f"{self.kind} of {size_text(self.size)}, sha256 {self.sha256}"


@dataclass(frozen=True, slots=True)
class Manifest:
    digest: str  # sha256 of the manifest itself
    model: Layer
    companions: tuple[Layer, ...]  # projector and adapters: files of their own, which llama.cpp takes apart


def manifest(body: bytes, place: Image) -> Manifest:
    """The answer of `GET /v2/NAMESPACE/NAME/manifests/TAG`.

    Raises:
        ProbeError: it is not such an answer.
        PlanError: the model is not one GGUF file.

    Source: OCI distribution and image specifications, image manifest: layers[].mediaType, .digest, .size.
    """
    try:
        document = json.loads(body) if len(body) <= CAP else None
    except (ValueError, RecursionError):
        document = None
    listed = document.get("layers") if isinstance(document, dict) else None
    if not isinstance(listed, list) or len(listed) > MOST_LAYERS:
        raise ProbeError(
            f"what the registry says about {place} is no manifest",
            next="look at FLEET_OLLAMA and at ollama in [defaults]: they should name a registry",
        )
    layers = [layer for each in listed if (layer := _layer(each)) is not None]
    models = [layer for layer in layers if layer.kind == "model"]
    if len(models) != 1:
        what = f"{len(models)} GGUF files" if models else "no GGUF file"
        if any(layer.kind == "tensor" for layer in layers):
            what = "no GGUF file, but tensors of another format"
        raise PlanError(f"{place} holds {what}", next=f"another tag of {place.name}, or an hf: source")
    companions = tuple(layer for layer in layers if layer.kind in ("projector", "adapter"))
    return Manifest(hashlib.sha256(body).hexdigest(), models[0], companions)


def _layer(each: Any) -> Layer | None:
    if not isinstance(each, dict):
        return None
    media, digest, size = each.get("mediaType"), each.get("digest"), each.get("size")
    kind = KIND.match(media) if isinstance(media, str) else None
    found = DIGEST.fullmatch(digest) if isinstance(digest, str) else None
    if kind is None or found is None or type(size) is not int or not 0 < size < LARGEST:
        return None
    return Layer(kind[1], found[1], size)
