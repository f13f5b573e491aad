"""The steps that bring a host to the build it should have."""

import hashlib
import json
import re
from dataclasses import replace
from importlib import resources
from typing import TYPE_CHECKING

from fleet.backends.base import FINISHED, Backend
from fleet.builds import prebuilt, tools
from fleet.builds.recipe import Recipe, fingerprint, recipe
from fleet.core.errors import PlanError
from fleet.core.facts import Facts
from fleet.core.flow import Claimed, Tree
from fleet.core.packages import install
from fleet.core.plan import Artifact, Built, Fetch, Put, Run, Step, Wait, size_text
from fleet.core.shell import packaged
from fleet.platforms.base import program

if TYPE_CHECKING:
    from fleet.core.inventory import Host

DEADLINE = 3 * 3600.0
SECONDS_OF_A_CORE = 1200.0  # a cold CPU build of b11434, GCC 12
VARIANTS = 2.1  # times as much for the code of all 14 processors: 1956 s against 924 s of CPU


def recipe_for(
    wish: "Host", facts: Facts, tree: Tree, more: tuple[str, ...] = ()
) -> tuple[Recipe, tuple[str, ...]]:
    """What would be built on a host, and sentences about the choice of backend.

    Args:
        more: targets beside the usual ones; finished binaries of a release have what they have.

    Raises:
        PlanError: the wanted backend cannot be built there.
    """
    if tree.assets:
        made, _, notes, _ = prebuilt.recipe(wish, facts, tree)
    else:
        made, _, notes = recipe(wish, facts, tree, more)
    return made, notes


def wanted(wish: "Host", facts: Facts, tree: Tree, more: tuple[str, ...] = ()) -> str:
    """Fingerprint of the build that a host should have."""
    return fingerprint(recipe_for(wish, facts, tree, more)[0])


def is_there(print_: str, facts: Facts) -> bool:
    return any(build.fingerprint == print_ for build in facts.builds)


def weight(facts: Facts) -> float:
    """Who builds among twins: the heaviest. Cores, all of them counted."""
    threads = facts.cpu.threads or (facts.cpu.cores_performance or 0) + (facts.cpu.cores_efficiency or 0)
    return float(threads or 1)


def steps(
    host: str,
    wish: "Host",
    facts: Facts,
    tree: Tree,
    claimed: Claimed | None = None,
    rebuild: bool = False,
    more: tuple[str, ...] = (),
) -> tuple[tuple[Step, ...], tuple[str, ...]]:
    """What is to be done so that the wanted build is on the host.

    Args:
        claimed: who makes it; None is as good as "us".
        rebuild: although it is there, or in the cache. Only in the first round of a run.
        more: targets beside the usual ones.

    Returns:
        Steps, none where it is there already, and sentences for the plan.

    Raises:
        PlanError: a backend, a tool or room is missing; `next` is what to type.
    """
    if tree.assets:
        return _finished(host, wish, facts, tree, rebuild)
    made, kind, notes = recipe(wish, facts, tree, more)
    found = fingerprint(made)
    if is_there(found, facts) and not rebuild:
        return (), notes
    _check_room(host, kind, facts)
    name = f"llama.cpp {tree.name}, {made.backend}"
    if claimed is not None and claimed.by == "cache" and not rebuild:
        artifact = build_artifact(found, name, claimed.size)
        return _received(made, kind, wish, facts, artifact), notes
    if claimed is not None and claimed.by == "twin":
        builder = claimed.builder or "its twin"
        wait = Step(
            f"wait until {builder} has built {name}",
            Wait(Built(found, builder)),
            f"build:{found}",
            "build",
        )
        artifact = build_artifact(found, name, claimed.size)
        return (wait, *_received(made, kind, wish, facts, artifact)), notes
    bring = _tools(host, made, kind, facts)
    return _built(made, kind, wish, found, name, facts, tree, bring), notes + tree.notes


def smoke_artifact() -> Artifact:
    """The model of random weights that fleet ships."""
    data = resources.files("fleet.builds").joinpath("smoke.gguf").read_bytes()
    return Artifact("file", hashlib.sha256(data).hexdigest(), "smoke.gguf", len(data))


def build_artifact(found: str, name: str, size: int | None = None) -> Artifact:
    return Artifact("build", found, name, size)


def pack_script(found: str) -> str:
    """The program that writes a finished build to standard output, for Fetch."""
    return program(packaged("fleet.builds", "pack.sh"), FINGERPRINT=found)


def _built(
    made: Recipe,
    kind: Backend,
    wish: "Host",
    found: str,
    name: str,
    facts: Facts,
    tree: Tree,
    bring: tuple[tools.Wheel, ...],
) -> tuple[Step, ...]:
    made_steps = list(tools.steps(bring)) if bring else []
    if tree.id not in facts.sources:
        put = Put(tree.artifact, f"sources/{tree.id}.tar.gz")
        title = f"send the source of llama.cpp {tree.name}"
        made_steps.append(Step(title, put, f"source:{tree.id}", "build", tree.artifact.size))
    made_steps.append(_smoke_step())
    script = program(
        kind.launch(facts) + kind.prelude(facts) + packaged("fleet.builds", "smoke.sh", "build.sh"),
        **_smoke_variables(made, kind, wish, found),
        TREE=made.tree,
        OPTIONS="\n".join(made.options),
        TARGETS="\n".join(made.targets),
        CONFIGURED=configured(made),
        RECORD=record(made, found),
        MEMORY=kind.memory,
        TOOLS=_folders(kind, facts),
    )
    title = f"build {name}"
    seconds = SECONDS_OF_A_CORE * (VARIANTS if wish.portable else 1) / weight(facts)
    job = f"build-{found}"
    made_steps.append(Step(title, Run(script, DEADLINE, job), f"build:{found}", "build", seconds=seconds))
    fetch = Fetch(build_artifact(found, name), f"builds/{found}")
    made_steps.append(Step(f"fetch {name} for its twins", fetch, f"fetch:{found}", "build"))
    return tuple(made_steps)


def _finished(
    host: str, wish: "Host", facts: Facts, tree: Tree, rebuild: bool
) -> tuple[tuple[Step, ...], tuple[str, ...]]:
    """Binaries of a release, which nobody here has built."""
    made, kind, notes, asset = prebuilt.recipe(wish, facts, tree)
    found = fingerprint(made)
    if is_there(found, facts) and not rebuild:
        return (), notes
    _check_room(host, kind, facts)
    name = f"the finished llama.cpp {tree.name}, {made.backend}"
    lines = record(made, found) + "\n" + prebuilt.record(asset)
    artifact = prebuilt.artifact(asset, name)
    return _received(made, kind, wish, facts, artifact, RECORD=lines, REMEDY=prebuilt.REMEDY), notes


def _received(
    made: Recipe, kind: Backend, wish: "Host", facts: Facts, artifact: Artifact, **more: str
) -> tuple[Step, ...]:
    """Send an archive and prove on the host what is in it."""
    found = fingerprint(made)
    key, packed = f"build:{found}", f"parts/build-{found}.tar.gz"
    body = kind.launch(facts) + packaged("fleet.builds", "smoke.sh", "receive.sh")
    script = program(body, **_smoke_variables(made, kind, wish, found), **more, PACKED=packed)
    name, size = artifact.name, artifact.size
    return (
        Step(f"send {name}", Put(artifact, packed), key, "build", size),
        _smoke_step(),
        Step(f"prove {name}", Run(script, 900.0, f"receive-{found}"), key, "build"),
    )


def _smoke_step() -> Step:
    artifact = smoke_artifact()
    put = Put(artifact, _smoke_path())
    return Step("send the smoke test", put, f"smoke:{artifact.id[:16]}", "build", artifact.size)


def _smoke_path() -> str:
    return f"cache/smoke-{smoke_artifact().id[:16]}.gguf"


def _smoke_variables(made: Recipe, kind: Backend, wish: "Host", found: str) -> dict[str, str | int]:
    return {
        "FINGERPRINT": found,
        "BACKEND": made.backend,
        "DEVICE": kind.device or "",
        "UNSEEN": kind.unseen,
        "RPC": ",".join(kind.lent(wish)),
        "SMOKE": _smoke_path(),
    }


def configured(made: Recipe) -> str:
    """Equal for recipes that differ in their targets alone: what is compiled of one serves the other."""
    return fingerprint(replace(made, targets=()))


def record(made: Recipe, found: str) -> str:
    """The first lines of BUILD.json: one field a line, so that a shell can read them too."""
    fields = {"fingerprint": found} | made.document()
    return "\n".join(f"  {json.dumps(key)}: {json.dumps(value)}," for key, value in fields.items())


def _folders(kind: Backend, facts: Facts) -> str:
    """Where the tools were found, in case the job's PATH is shorter than the probe's."""
    names = ("cmake", "ninja", "make", "ccache", "c++", "cc", *kind.tools, *kind.compilers(facts))
    paths = [facts.tools[name].path for name in names if name in facts.tools]
    return ":".join(dict.fromkeys(path.rsplit("/", 1)[0] for path in paths if path.startswith("/")))


def _tools(host: str, made: Recipe, kind: Backend, facts: Facts) -> tuple[tools.Wheel, ...]:
    """The tools that fleet brings; what it cannot bring has to be installed there.

    Raises:
        PlanError: names them, and the command that installs them.
    """
    there = facts.tools
    oldest = kind.cmake
    is_old = "cmake" in there and _is_older(there["cmake"].version, oldest)
    bring = ["cmake"] if is_old or "cmake" not in there else []
    if "ninja" not in there and (bring or "make" not in there):
        bring.append("ninja")
    missing = [] if "c++" in there else ["c++"]
    if bring and not tools.can_bring(facts):
        missing += [tool for tool in ("cmake",) if tool not in there]
        missing += [] if {"ninja", "make"} & set(there) else ["make"]
        bring = []
    if missing:
        words = {"c++": "a C++ compiler"}
        what = " and ".join(words.get(tool, tool) for tool in missing)
        following = f"on {host}: {install(facts, *missing)}; or {FINISHED}"
        raise PlanError(f"building llama.cpp needs {what}", host=host, next=following)
    if is_old and not bring:
        raise PlanError(
            f"building llama.cpp for {made.backend} needs cmake {oldest[0]}.{oldest[1]} or newer, "
            f"and {there['cmake'].version} is there",
            host=host,
            next=f"on {host}: pip install --user cmake",
        )
    return tools.fitting(facts, bring) if bring else ()


def _is_older(version: str | None, oldest: tuple[int, int]) -> bool:
    found = re.search(r"(\d+)\.(\d+)", version or "")
    return found is not None and (int(found[1]), int(found[2])) < oldest


def _check_room(host: str, kind: Backend, facts: Facts) -> None:
    room = kind.room
    if facts.disk.free is not None and facts.disk.free < room:
        raise PlanError(
            f"a build takes {size_text(room)} in {facts.root}, and {size_text(facts.disk.free)} are free",
            host=host,
            next=f"fleet gc {host} --dry-run, or set root under [hosts.{host}] to a bigger disk",
        )
