"""Small sources of llama.cpp: folders, archives, and where the controller keeps them."""

import hashlib
import io
import tarfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from fleet.core.inventory import LlamaCpp
from fleet.io.builds import trees

FILES = {
    "CMakeLists.txt": b"project(tiny)\n",
    "ggml/CMakeLists.txt": b"# ggml\n",
    "src/llama.cpp": b"int main() {}\n",
    "scripts/run.sh": b"#!/bin/sh\n",
    "tests/big.bin": b"0" * 1000,
    "models/vocab.gguf": b"GGUF",
}


KEPT = ["CMakeLists.txt", "ggml/CMakeLists.txt", "scripts/run.sh", "src/llama.cpp"]


@dataclass(frozen=True)
class Places:
    state: Path
    cache: Path
    config: Path


@pytest.fixture
def places(tmp_path):
    return Places(tmp_path / "state", tmp_path / "cache", tmp_path / "config")


def wish(source: str, **keys):
    return LlamaCpp.model_construct(source=source, **({"ref": None, "sha256": None, "build": None} | keys))


def checkout(folder: Path, files=FILES) -> Path:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    (folder / "scripts/run.sh").chmod(0o755)
    return folder


def packed(path: Path, top: str = "llama.cpp-b7/", files=FILES, extra=()) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for name, data in files.items():
            member = tarfile.TarInfo(top + name)
            member.size = len(data)
            member.mode = 0o755 if name.endswith(".sh") else 0o644
            member.mtime = 1700000000
            tar.addfile(member, io.BytesIO(data))
        for member in extra:
            tar.addfile(member)
    return path


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


async def fetched(source, base, places, environment=None):
    tree = await trees.find(source, base, places, environment=environment)
    return tree, await trees.make_archive(source, tree, base, places, environment=environment)
