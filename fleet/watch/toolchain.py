"""What a host has to build llama.cpp with, for its backend and for those it could have; what is missing."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from fleet.backends.base import BACKENDS, Backend, choose, lacking, missing, ranked
from fleet.core.errors import PlanError
from fleet.core.facts import Facts
from fleet.core.packages import called, install
from fleet.watch.finding import Finding

if TYPE_CHECKING:
    from fleet.core.inventory import Host

NEEDED = ("c++", "cmake")
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
    for name in NEEDED:
        if name in facts.tools:
            yield Finding("ok", "tools", _told(name, facts))
        else:
            yield Finding("bad", "tools", f"no {called(name)}".replace("no a ", "no "), install(facts, name))
    if "ninja" not in facts.tools and "make" not in facts.tools:
        yield Finding("bad", "tools", "neither ninja nor make", install(facts, "ninja"))
    for name, without in FASTER.items():
        if name in facts.tools:
            yield Finding("ok", "tools", _told(name, facts))
        else:
            yield Finding("warn", "tools", f"no {name}: {without}", install(facts, name))


def _parts(name: str, kind: Backend, facts: Facts) -> Iterator[Finding]:
    """Tools and libraries of the backend that is built."""
    own = (*kind.tools, *(tool for tool in kind.compilers(facts) if tool not in NEEDED))
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
