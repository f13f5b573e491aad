"""GGUF files that other programs keep on a host: which they are, what they are called, what is known of them.

Source: huggingface_hub `models--OWNER--NAME/snapshots/COMMIT/FILE`, links into `blobs`; LM Studio
    `models/OWNER/NAME/FILE`; Ollama `manifests/REGISTRY/NAMESPACE/MODEL/TAG`, of which one layer of the
    type `application/vnd.ollama.image.model` is the GGUF file `blobs/sha256-HASH`.
"""

import re
from collections.abc import Mapping

from fleet.core.facts import Found
from fleet.core.text import REPLACEMENT, safe_line

MOST = 200  # as in found.sh
# ls -lniL: 1234 -rw-r--r-- 1 1000 1000 4683074240 Nov 22 09:49 /home/ops/a name.gguf
LISTED = re.compile(r"\s*([0-9]{1,20}\s+-\S+\s+\d+\s+\S+\s+\S+\s+([0-9]{1,18})\s+\S+\s+\S+\s+\S+\s(/.+))")
OLLAMA = re.compile(r"ollama ([0-9a-f]{64}) (.+)")
HASHED = re.compile(r"([0-9a-f]{64}) (.+)")
BLOB = re.compile(r"/sha256-([0-9a-f]{64})$")
HUB = re.compile(r"/models--([^/]+)/snapshots/[^/]+/(.+)$")
LM_STUDIO = re.compile(r"/(?:\.lmstudio|lm-studio)/models/(.+)$")
LLAMA_CPP = re.compile(r"/llama\.cpp/([^/]+)$")


def found(text: str, hashes: str = "") -> tuple[Found, ...]:
    """The files of an answer of found.sh, each path once, in its order.

    Args:
        hashes: what was hashed there before: a sha256 and the line of `ls` of that time.
    """
    names = {match[1]: match[2] for match in map(OLLAMA.fullmatch, text.splitlines()) if match}
    known = {match[2].strip(): match[1] for match in map(HASHED.fullmatch, hashes.splitlines()) if match}
    files: dict[str, Found] = {}
    for match in map(LISTED.fullmatch, text.splitlines()):
        # a name that is not UTF-8, or holds what turns text around, cannot be said back to the host
        if match is None or REPLACEMENT in match[3] or len(files) >= MOST:
            continue
        path, claim = match[3], BLOB.search(match[3])
        files[path] = Found(
            path,
            int(match[2]),
            label(path, names),
            claim[1] if claim else None,
            known.get(match[1].strip()),
        )
    return tuple(files.values())


def label(path: str, ollama: Mapping[str, str]) -> str:
    """Whose file it is, and what it is called there."""
    if blob := BLOB.search(path):
        name = ollama.get(blob[1], blob[1][:12])
        words = name.split("/")
        short = "/".join(words[2:-1] if words[1:2] == ["library"] else words[1:-1])
        return safe_line(f"Ollama {short}:{words[-1]}" if len(words) > 3 else f"Ollama {name}", 120)
    if hub := HUB.search(path):
        return safe_line(f"Hugging Face {hub[1].replace('--', '/')}/{hub[2]}", 120)
    if studio := LM_STUDIO.search(path):
        return safe_line(f"LM Studio {studio[1]}", 120)
    if own := LLAMA_CPP.search(path):
        return safe_line(f"llama.cpp {own[1]}", 120)
    return safe_line(path, 120)
