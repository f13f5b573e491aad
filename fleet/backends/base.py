"""What llama.cpp computes with: the record of this shelf, and the choice for a host."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fleet.core.errors import PlanError
from fleet.core.facts import Facts
from fleet.core.shelf import Shelf

if TYPE_CHECKING:
    from fleet.core.inventory import Host


@dataclass(frozen=True, slots=True)
class Lack:
    """Why a backend cannot be built on a host that has the device for it."""

    what: str
    next: str


@dataclass(frozen=True, slots=True)
class Backend:
    """One way to compute.

    Attributes:
        title: for people: `NVIDIA CUDA`.
        tools: what a host needs to build it, beyond what every build needs.
        score: how well it suits the host; 0 where no device is there for it.
        flags: its CMake options.
        device: how its devices are called in `--list-devices`, without the number.
        compilers: tools whose version makes a build different.
        lack: what is missing to build it, None where nothing is.
        prelude: shell lines before the build.
        memory: bytes one compiler of it may take.
    """

    title: str
    tools: tuple[str, ...]
    score: Callable[[Facts], int]
    flags: Callable[[Facts], tuple[str, ...]]
    device: str | None = None
    compilers: tuple[str, ...] = ("c++",)
    lack: Callable[[Facts], Lack | None] = lambda facts: None
    prelude: Callable[[Facts], str] = lambda facts: ""
    memory: int = 2**30


BACKENDS: Shelf[Backend] = Shelf("fleet.backends", "backend", Backend)


def choose(wish: "Host", facts: Facts) -> tuple[str, Backend, tuple[str, ...]]:
    """The backend for a host.

    Args:
        wish: its `backend` decides; without it, or with "auto", the best that can be built.

    Returns:
        Name, backend, and sentences for the plan: what a device is not used for, and why.

    Raises:
        PlanError: the backend that was asked for is unknown, has no device there or lacks a tool.
    """
    if wish.backend not in (None, "auto"):
        return wish.backend, _asked(wish.backend, facts), ()
    ranked = sorted(((kind.score(facts), name) for name, kind in BACKENDS.all()), reverse=True)
    notes: list[str] = []
    for score, name in ranked:
        kind = BACKENDS.take(name)
        if score <= 0:
            continue
        lack = kind.lack(facts)
        if lack is None:
            return name, kind, (*notes, *_idle(kind, facts))
        notes.append(f"{kind.title} is not used: {lack.what}; to use it: {lack.next}")
    raise PlanError(
        f"no backend suits this host ({facts.os or 'unknown system'}, {facts.arch or 'unknown processor'})",
        host=facts.host,
        next=f"fleet facts {facts.host}",
    )


def _idle(kind: Backend, facts: Facts) -> tuple[str, ...]:
    """GPUs that nothing computes with, so that no host is slow without a reason given."""
    if kind.device is not None:
        return ()
    # a GPU whose toolkit is missing was named already, by its backend
    known = {gpu.name for gpu in facts.gpus if gpu.api not in BACKENDS.names}
    said = [f"{name} is not used: fleet has no backend for it yet" for name in sorted(known)]
    if "gpus" in facts.unknown:
        said.append(f"no GPU is used: {facts.unknown['gpus']}; see: fleet facts {facts.host}")
    return tuple(said)


def _asked(name: str, facts: Facts) -> Backend:
    kind = BACKENDS.take(name)
    if kind.score(facts) <= 0:
        found = ", ".join(gpu.name for gpu in facts.gpus) or "no GPU"
        raise PlanError(
            f"backend {name} has no device here (found: {found})",
            host=facts.host,
            next=f"fleet facts {facts.host}, or take backend out of [hosts.{facts.host}]",
        )
    lack = kind.lack(facts)
    if lack is not None:
        raise PlanError(lack.what, host=facts.host, next=lack.next)
    return kind
