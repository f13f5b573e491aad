"""What llama.cpp computes with: the record of this shelf, and the choice for a host."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from fleet.core.errors import PlanError
from fleet.core.facts import Facts, Gpu
from fleet.core.packages import called, install
from fleet.core.shelf import Shelf
from fleet.core.versions import dotted, numbers

if TYPE_CHECKING:
    from fleet.core.inventory import Host

# the way out where nothing can be built; never taken by itself
FINISHED = 'let it have a finished build: source = "prebuilt:URL" under [llama_cpp]'


@dataclass(frozen=True, slots=True)
class Lack:
    """Why a backend cannot be built on a host, and what to type so that it can; None: nothing helps."""

    what: str
    next: str | None


@dataclass(frozen=True, slots=True)
class Backend:
    """One way to compute.

    Attributes:
        title: for people: `NVIDIA CUDA`.
        tools: what a host needs to build it, beyond what every build needs.
        score: how well it suits the host; 0 where no device is there for it.
        flags: its CMake options.
        switch: the CMake option that turns it on; None for the processor, which is always in.
        device: how its devices are called in `--list-devices`, without the number.
        gpus: the GPUs of the host that it computes with.
        libraries: what it needs of Facts.libraries.
        place: a word in the folders of its toolkit: `cuda`.
        oldest: versions that a tool must have at least.
        cmake: oldest CMake that configures it.
        compilers: tools whose version makes a build different.
        lack: what no missing tool or library explains: a card that is too old, tools that do not suit.
        notes: sentences for the plan about how it is built.
        prelude: shell lines before the build.
        launch: shell lines before anything that it built is run: smoke test and servers.
        pretenders: what calls itself a device of it and is none; goes on where none was found.
        unseen: what to look at where the finished build shows no device of it.
        targets: what is built besides the server.
        lent: ADDRESS:PORT of servers that lend their devices, for `--rpc`.
        archive: what the release archives of llama.cpp call it: `rocm`.
        is_automatic: whether it may be chosen where the inventory names no backend.
        memory: bytes one compiler of it may take.
        room: bytes a build takes on the disk while it is made.
    """

    title: str
    tools: tuple[str, ...]
    score: Callable[[Facts], int]
    flags: Callable[[Facts], tuple[str, ...]]
    switch: str | None = None
    device: str | None = None
    gpus: Callable[[Facts], tuple[Gpu, ...]] = lambda facts: ()
    libraries: tuple[str, ...] = ()
    place: str = ""
    oldest: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    cmake: tuple[int, int] = (3, 15)
    compilers: Callable[[Facts], tuple[str, ...]] = lambda facts: ("c++",)
    lack: Callable[[Facts], Lack | None] = lambda facts: None
    notes: Callable[[Facts], tuple[str, ...]] = lambda facts: ()
    prelude: Callable[[Facts], str] = lambda facts: ""
    launch: Callable[[Facts], str] = lambda facts: ""
    pretenders: str = ""
    unseen: str = "see what the driver says on the host"
    targets: tuple[str, ...] = ()
    lent: Callable[["Host"], tuple[str, ...]] = lambda wish: ()
    archive: str | None = None
    is_automatic: bool = True
    memory: int = 2**30
    room: int = 500 * 2**20

    def arguments(self, wish: "Host") -> tuple[str, ...]:
        """Words for llama-server and llama-bench; they must stand before any that names a device."""
        lent = self.lent(wish)
        return ("--rpc", ",".join(lent)) if lent else ()


BACKENDS: Shelf[Backend] = Shelf("fleet.backends", "backend", Backend)


def kept(*names: str) -> str:
    """Shell lines that keep below fleet's root what a driver compiles for its card.

    Args:
        names: variables that the driver reads the folder from; else it writes into the user's home.
    """
    return "".join(f'{name}="$FLEET_ROOT/cache/driver"\nexport {name}\n' for name in names)


def choose(wish: "Host", facts: Facts) -> tuple[str, Backend, tuple[str, ...]]:
    """The backend for a host.

    A host with a GPU is never quietly given to the processor: where its GPU does not answer, or
    nothing can be built for it, the plan is refused until the host is mended or the inventory
    says `backend = "cpu"`. What runs there goes on running, and nobody finds a slow server later.

    Args:
        wish: its `backend` decides; without it, or with "auto", the best that can be built.

    Returns:
        Name, backend, and sentences for the plan: what a device is not used for, and why.

    Raises:
        PlanError: the backend that was asked for is unknown, has no device there or lacks a tool;
            or only the processor is left although there is a GPU.
    """
    if wish.backend not in (None, "auto"):
        kind = _asked(wish.backend, facts)
        return wish.backend, kind, kind.notes(facts)
    lacks: list[tuple[Backend, Lack]] = []
    for name in ranked(facts):
        kind = BACKENDS.take(name)
        if kind.device is None:
            check_not_lost(name, facts, lacks)
        lack = lacking(kind, facts)
        if lack is None:
            passed = (f"{other.title} is not used: {_it(other, why)}{_to_use(why)}" for other, why in lacks)
            return (
                name,
                kind,
                (*passed, *kind.notes(facts), *_idle(kind, facts, [other for other, _ in lacks])),
            )
        lacks.append((kind, lack))
    raise PlanError(
        f"no backend suits this host ({facts.os or 'unknown system'}, {facts.arch or 'unknown processor'})",
        host=facts.host,
        next=f"fleet facts {facts.host}",
    )


def ranked(facts: Facts) -> tuple[str, ...]:
    """Names of the backends that have a device there, the best first."""
    kinds = [(kind.score(facts), name) for name, kind in BACKENDS.all() if kind.is_automatic]
    return tuple(name for score, name in sorted(kinds, reverse=True) if score > 0)


def lacking(kind: Backend, facts: Facts) -> Lack | None:
    """What keeps the backend from being built there; None where nothing does."""
    if (lack := kind.lack(facts)) is not None:
        return lack
    absent = missing(facts, kind.tools, kind.libraries)
    if absent:
        return absence(kind.title, absent, facts, kind.place)
    for tool, oldest in kind.oldest.items():
        found = facts.tools[tool].version if tool in facts.tools else None
        if found is not None and (parts := numbers(found)) and parts[: len(oldest)] < oldest:
            return Lack(
                f"{kind.title} needs {called(tool)} {dotted(oldest)} or newer, and {found} is there",
                install(facts, tool),
            )
    return None


def missing(facts: Facts, tools: Iterable[str] = (), libraries: Iterable[str] = ()) -> tuple[str, ...]:
    """Which of these are not there.

    Either may be there under its name with a version, as `nvcc-12.4`. Where nobody looked for
    libraries, none is missing.
    """
    absent = [name for name in tools if not any(_is_called(name, tool) for tool in facts.tools)]
    if facts.searched:
        absent += [name for name in libraries if not any(_is_called(name, file) for file in facts.libraries)]
    return tuple(absent)


def _is_called(name: str, found: str) -> bool:
    return found == name or re.fullmatch(re.escape(name) + r"-\d[\d.]*", found) is not None


def absence(
    title: str, absent: Iterable[str], facts: Facts, place: str = "", suited: Mapping[str, str] | None = None
) -> Lack:
    """For tools and libraries that are not there: where they were looked for, and how to get them.

    Args:
        place: what the folders of its toolkit are called; of no interest are those of others.
        suited: what is to be installed in place of a name: `nvcc-12.9`.
    """
    names = tuple(absent)
    words = [called(name) for name in names]
    text = " and ".join((", ".join(words[:-1]), words[-1])) if len(words) > 1 else words[0]
    near = [folder for folder in facts.searched if place in folder] or facts.searched
    looked = f" (looked in {', '.join(near[:8])})" if facts.searched else ""
    verb = "are" if len(words) > 1 or "files" in text else "is"
    following = install(facts, *((suited or {}).get(name, name) for name in names))
    return Lack(f"{title} needs {text}, which {verb} not there{looked}", following)


def check_not_lost(
    name: str, facts: Facts, lacks: list[tuple[Backend, Lack]], also: str = f"; or {FINISHED}"
) -> None:
    """Refuses to give a host with a GPU to the processor.

    Args:
        also: one more way out, behind the others.

    Raises:
        PlanError: a driver failed, or no backend for the GPU can be built.
    """
    anyway = f'set backend = "{name}" under [hosts.{facts.host}]'
    if lacks:
        cards = ", ".join(dict.fromkeys(gpu.name for kind, _ in lacks for gpu in kind.gpus(facts)))
        why = "; ".join(lack.what for _, lack in lacks)
        ways = [f"on {facts.host}: {lack.next}; or " for _, lack in lacks if lack.next]
        raise PlanError(
            f"{cards or 'its GPU'} cannot be used: {why}",
            host=facts.host,
            next=f"{''.join(ways[:1])}{anyway}{also}",
        )
    reason = facts.unknown.get("gpus")
    if reason is not None and not facts.gpus and not _never_worked(reason):
        raise PlanError(
            f"its GPU does not answer, and fleet does not go over to the processor by itself: {reason}",
            host=facts.host,
            next=f"reboot {facts.host}, then fleet doctor {facts.host}; or {anyway}",
        )


def _never_worked(reason: str) -> bool:
    """A card without a driver, as against one whose driver failed."""
    return "not installed" in reason


def _it(kind: Backend, lack: Lack) -> str:
    return lack.what.replace(f"{kind.title} needs ", "it needs ", 1)


def _to_use(lack: Lack) -> str:
    return f"; to use it: {lack.next}" if lack.next else ""


def _idle(kind: Backend, facts: Facts, passed: Iterable[Backend]) -> tuple[str, ...]:
    """GPUs that nothing computes with, so that no host is slow without a reason given."""
    used = kind.gpus(facts)
    named = {gpu.name for other in (kind, *passed) for gpu in other.gpus(facts)}
    idle = dict.fromkeys(gpu.name for gpu in facts.gpus if gpu.name not in named)
    said = [f"{name} is not used: {kind.title} does not compute with it" for name in idle]
    if "gpus" in facts.unknown:
        which = "no other GPU" if used else "no GPU"
        said.append(f"{which} is used: {facts.unknown['gpus']}; see: fleet facts {facts.host}")
    return tuple(said)


def _asked(name: str, facts: Facts) -> Backend:
    kind = BACKENDS.take(name)
    table = f"[hosts.{facts.host}]"
    if kind.score(facts) <= 0:
        found = ", ".join(gpu.name for gpu in facts.gpus) or "no GPU"
        reason = f": {facts.unknown['gpus']}" if not facts.gpus and "gpus" in facts.unknown else ""
        raise PlanError(
            f"backend {name} has no device here (found: {found}){reason}{kind.pretenders}",
            host=facts.host,
            next=f"fleet facts {facts.host}, or take backend out of {table}",
        )
    lack = lacking(kind, facts)
    if lack is not None:
        able = (n for n in ranked(facts) if n != name and lacking(BACKENDS.take(n), facts) is None)
        other = next(able, None)
        ways = [f"on {facts.host}: {lack.next}"] if lack.next else []
        ways += [f'set backend = "{other}" under {table}'] if other else []
        raise PlanError(lack.what, host=facts.host, next="; or ".join(ways) or f"take backend out of {table}")
    return kind
