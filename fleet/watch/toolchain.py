"""What a host has to build llama.cpp with, for its backend and for those it could have; what is missing."""

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from fleet.backends.base import BACKENDS, Backend, choose, lacking, missing, ranked
from fleet.builds.tools import can_bring
from fleet.core.errors import PlanError
from fleet.core.facts import Facts
from fleet.core.packages import called, install
from fleet.watch.finding import Finding

if TYPE_CHECKING:
    from fleet.core.inventory import Host

BROUGHT = ("cmake", "ninja")
VERSIONED = re.compile(r"(g\+\+|clang\+\+|nvcc)-\d[\d.]*")
FASTER = {"ninja": "builds take longer", "ccache": "what was compiled once is compiled again"}


def toolchain(wish: "Host", facts: Facts) -> Iterator[Finding]:
    """The chosen backend first, then what every build needs, then the backends it could have besides."""
    chosen = None
    try:
        chosen, kind, notes = choose(wish, facts)
    except PlanError as error:
        yield Finding("bad", "build", error.what, error.next)
    else:
        yield Finding("ok", "backend", f"{chosen}: {kind.title}")
        yield from (Finding("warn", "backend", note) for note in notes)
    yield from _tools(facts)
    for name, kind in BACKENDS.all():
        if name == chosen:
            yield from _parts(name, kind, facts)
        elif kind.device is not None:
            yield from _besides(name, kind, facts, name == wish.backend)


def _tools(facts: Facts) -> Iterator[Finding]:
    """What every build needs; cmake and ninja come with fleet where their wheels run."""
    brought = BROUGHT if can_bring(facts) else ()
    if "c++" in facts.tools:
        yield Finding("ok", "tools", _told("c++", facts))
    else:
        yield Finding("bad", "tools", "no C++ compiler", install(facts, "c++"))
    others = [_told(name, facts) for name in sorted(facts.tools) if VERSIONED.fullmatch(name)]
    if others:
        yield Finding("ok", "tools", f"also {'; '.join(others)}")
    for name in ("cmake", "ninja", "ccache"):
        if name in facts.tools:
            yield Finding("ok", "tools", _told(name, facts))
        elif name in brought:
            yield Finding("ok", "tools", f"no {name}: fleet brings its own", install(facts, name))
        elif name == "cmake" or (name == "ninja" and "make" not in facts.tools):
            yield Finding("bad", "tools", f"no {name}", install(facts, name))
        else:
            yield Finding("warn", "tools", f"no {name}: {FASTER[name]}", install(facts, name))


def _parts(name: str, kind: Backend, facts: Facts) -> Iterator[Finding]:
    """Tools and libraries of the backend that is built."""
    own = (*kind.tools, *(tool for tool in kind.compilers(facts) if tool != "c++"))
    for tool in dict.fromkeys(own):
        if tool in facts.tools:
            yield Finding("ok", name, _told(tool, facts))
    for library in kind.libraries:
        if library in facts.libraries:
            yield Finding("ok", name, f"{called(library)}, {facts.libraries[library]}")
        elif not facts.searched:
            yield Finding("ok", name, f"{called(library)}: nobody looked for them here")


def _besides(name: str, kind: Backend, facts: Facts, is_asked: bool) -> Iterator[Finding]:
    """A backend that the host has a device for, or the tools of; a line each."""
    there = [tool for tool in kind.tools if tool in facts.tools]
    if kind.is_automatic and (name in ranked(facts) or is_asked):
        lack = lacking(kind, facts)
        parts = ", ".join(_told(tool, facts) for tool in there)
        if lack is None:
            with_what = f" with {parts}" if parts else ""
            yield Finding("ok", name, f'could be built too{with_what}: backend = "{name}"')
            return
        has = f"; there is {parts}" if parts else ""
        yield Finding("warn" if is_asked else "ok", name, f"{lack.what}{has}", lack.next)
    elif there and not missing(facts, kind.tools):
        yield Finding("ok", name, f"{', '.join(_told(tool, facts) for tool in there)}, but no GPU for it")


def _told(name: str, facts: Facts) -> str:
    """`c++ 12.2.0, /usr/bin/c++`"""
    tool = facts.tools[name]
    return f"{name} {tool.version or 'of unknown version'}, {tool.path}"
