"""An Ollama registry on loopback: manifests by tag, blobs by hash, and the other host that has the bytes.

Source: OCI distribution specification, pulling manifests and blobs; ollama server/images.go, media types.
"""

import hashlib
import json
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.io.hubs import Served, Storage, send

MODEL, PROJECTOR, ADAPTER = (
    f"application/vnd.ollama.image.{kind}" for kind in ("model", "projector", "adapter")
)


class Registry(Served):
    def __init__(self) -> None:
        super().__init__()
        self.storage = Storage()
        self.tags: dict[str, bytes] = {}  # NAMESPACE/NAME:TAG -> manifest
        self.raw: tuple[int, bytes, dict[str, str]] | None = None  # what every manifest is answered

    def put(self, name: str, **layers: bytes) -> str:
        """A model of layers by the last word of their media type. Returns the manifest's sha256."""
        listed: list[Any] = [layer("params", b'{"stop": []}')]
        for kind, data in layers.items():
            listed.append(layer(kind, data))
            self.storage.blobs[hashlib.sha256(data).hexdigest()] = data
        document = {"schemaVersion": 2, "config": layer("config", b"{}"), "layers": listed}
        self.tags[name] = json.dumps(document).encode()
        return hashlib.sha256(self.tags[name]).hexdigest()

    def close(self) -> None:
        super().close()
        self.storage.close()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        _, namespace, name, what, which = request.path.strip("/").split("/")
        if what == "manifests":
            if self.raw is not None:
                status, body, headers = self.raw
                return send(request, status, body, **headers)
            found = self.tags.get(f"{namespace}/{name}:{which}")
            errors = b'{"errors":[{"code":"MANIFEST_UNKNOWN"}]}'
            return send(request, 404, errors) if found is None else send(request, 200, found)
        sha256 = which.removeprefix("sha256:")
        if sha256 not in self.storage.blobs:
            return send(request, 404)
        return send(request, 307, Location=f"{self.storage.url}/{sha256}?X-Amz-Signature=0")


def layer(kind: str, data: bytes) -> dict[str, Any]:
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    return {"mediaType": f"application/vnd.ollama.image.{kind}", "digest": digest, "size": len(data)}
