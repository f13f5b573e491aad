"""Which hosts a person means: `gpu-*`, `@tag`, `backend:cuda`, `a,b`, `a+b`, `^a`."""

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from difflib import get_close_matches
from fnmatch import translate
from functools import lru_cache

from fleet.core.errors import UsageError
from fleet.core.names import is_name, nearest
from fleet.core.text import safe_line

STATES = ("ready", "busy", "deploying", "degraded", "swapping", "stale", "down", "asleep", "unknown")
KEYS = ("backend", "state", "model")
CAP = 4096  # characters of one selector

Tags = Mapping[str, Sequence[str]]  # host -> tags, in order of the inventory
Claims = Mapping[str, Collection[str]]  # host -> what it holds: states, backends, models
Test = Callable[[str, Sequence[str]], bool]  # host, its tags


def select(
    items: Sequence[str],
    hosts: Tags,
    *,
    states: Mapping[str, str] | None = None,
    backends: Mapping[str, str] | None = None,
    models: Claims | None = None,
) -> tuple[str, ...]:
    """The hosts that selectors mean together.

    Args:
        items: as typed; several are a union. Empty: all hosts.
        hosts: every host and its tags, in order of the inventory.
        states: host -> word of TUI.md section 6; None where no host was asked.
        backends: host -> what llama.cpp computes with there.
        models: host -> names of the models its servers hold.

    Returns:
        Names in order of the inventory, never empty but for an inventory without hosts
        and without items.

    Raises:
        UsageError: nothing matches, a name or tag does not exist, or a selector cannot be read.
    """
    claims: dict[str, Claims | None] = {
        "state": None if states is None else {host: (state,) for host, state in states.items()},
        "backend": None if backends is None else {host: (backend,) for host, backend in backends.items()},
        "model": models,
    }
    return _select(items or ("all",), hosts, claims, is_empty_fine=not items)


def declared(items: Sequence[str], hosts: Tags) -> tuple[str, ...]:
    """The hosts of a server's `on`: names, globs, @tag, all, union and minus only.

    Raises:
        UsageError: as `select`, and for the selectors that only a command knows.
    """
    if not items:
        raise UsageError("names no host", next='a name, a glob, "@tag" or "all"')
    for item in items:
        key = item.lstrip("^").partition(":")[0]
        if ":" in item or "+" in item:
            word = f"{key}:" if ":" in item else "'+'"
            raise UsageError(f"{word} is not known here", next="names, globs, @tag, all, and ^ for minus")
    return _select(items, hosts, {}, is_empty_fine=False)


def is_on(items: Sequence[str], host: str, tags: Sequence[str]) -> bool:
    """Whether a server's `on`, already checked, takes in the host."""
    plus, minus = _compiled(tuple(items))
    return _any(plus, host, tags) and not _any(minus, host, tags)


def without(item: str, host: str) -> str | None:
    """A selector of `on` that does not name the host any more; None where nothing is left."""
    terms = [term for term in item.split(",") if term.strip().removeprefix("^") != host]
    return ",".join(terms) if terms else None


def split_server(text: str) -> tuple[str, str | None]:
    """`SERVER[@HOST]` in parts; no host means the only one it runs on.

    Raises:
        UsageError: a part is not a name.
    """
    server, at, host = text.partition("@")
    if not is_name(server) or (at and not is_name(host)):
        raise UsageError(
            f"{safe_line(text, 80)!r} is not SERVER or SERVER@HOST", next="fleet status names the servers"
        )
    return server, host or None


def _select(
    items: Sequence[str], hosts: Tags, claims: Mapping[str, Claims | None], is_empty_fine: bool
) -> tuple[str, ...]:
    plus, minus = _sides(items)
    for term in (*plus, *minus):
        for atom in term.split("+"):
            _known(atom.removeprefix("^"), hosts, claims)
    added = [_tests(term, claims) for term in plus]
    left = [_tests(term, claims) for term in minus]
    chosen = tuple(
        host for host, tags in hosts.items() if _any(added, host, tags) and not _any(left, host, tags)
    )
    if not chosen and not is_empty_fine:
        raise _nothing(" ".join(items), hosts)
    return chosen


def _sides(items: Sequence[str]) -> tuple[list[str], list[str]]:
    """Terms to add and terms to take away; only the latter means: from all."""
    plus: list[str] = []
    minus: list[str] = []
    for item in items:
        for term in item[:CAP].split(","):
            term = term.strip()
            is_minus = term.startswith("^") and "+" not in term
            (minus if is_minus else plus).append(term[1:] if is_minus else term)
    return plus or ["all"], minus


@lru_cache(maxsize=512)
def _compiled(items: tuple[str, ...]) -> tuple[list[list[Test]], list[list[Test]]]:
    plus, minus = _sides(items)
    return [_tests(term) for term in plus], [_tests(term) for term in minus]


def _any(terms: Iterable[Sequence[Test]], host: str, tags: Sequence[str]) -> bool:
    return any(all(test(host, tags) for test in term) for term in terms)


def _tests(term: str, claims: Mapping[str, Claims | None] | None = None) -> list[Test]:
    return [_test(atom, claims or {}) for atom in term.split("+")]


def _test(atom: str, claims: Mapping[str, Claims | None]) -> Test:
    if atom.startswith("^"):
        inner = _test(atom[1:], claims)
        return lambda host, tags: not inner(host, tags)
    key, colon, value = atom.partition(":")
    if colon:
        held = claims.get(key) or {}
        pattern = _glob(value)
        return lambda host, tags: any(pattern.fullmatch(each) is not None for each in held.get(host, ()))
    if atom.startswith("@"):
        pattern = _glob(atom[1:])
        return lambda host, tags: any(pattern.fullmatch(tag) is not None for tag in tags)
    if atom == "all":
        return lambda host, tags: True
    pattern = _glob(atom)
    return lambda host, tags: pattern.fullmatch(host) is not None


@lru_cache(maxsize=512)
def _glob(text: str) -> re.Pattern[str]:
    return re.compile(translate(text))


def _known(atom: str, hosts: Tags, claims: Mapping[str, Claims | None]) -> None:
    """Refuses what can never match: a mistyped name, tag, key or state."""
    shown = safe_line(atom, 80)
    if not shown:
        raise UsageError("an empty selector", next="fleet host list")
    key, colon, value = atom.partition(":")
    if colon and (key not in KEYS or not value):
        raise UsageError(
            f"no selector called {safe_line(key, 40) + ':'!r}", next="one of: backend:, model:, state:"
        )
    if colon and claims.get(key) is None:
        raise UsageError(f"{key}: needs hosts that were asked, and none was", next="name hosts or tags")
    if colon:
        if key == "state" and not _is_glob(value) and value not in STATES:
            raise UsageError(
                f"no state called {value!r}", next=f"one of: {', '.join(nearest(value, STATES))}"
            )
        return
    if atom.startswith("@"):
        tags = dict.fromkeys(tag for own in hosts.values() for tag in own)
        pattern = _glob(atom[1:])
        if not any(pattern.fullmatch(tag) for tag in tags):
            near = [f"@{tag}" for tag in nearest(atom[1:], tags)]
            raise UsageError(
                f"no host has the tag {shown!r}", next=f"one of: {', '.join(near)}" if near else "set tags"
            )
        return
    if atom != "all" and not any(map(_glob(atom).fullmatch, hosts)):
        raise _nothing(atom, hosts)


def _is_glob(text: str) -> bool:
    return any(character in text for character in "*?[")


def _nothing(text: str, hosts: Tags) -> UsageError:
    shown = safe_line(text, 80)
    if not hosts:
        return UsageError("there are no hosts in the inventory", next="fleet host add NAME ADDRESS")
    near = get_close_matches(text.lower(), list(hosts), n=3, cutoff=0.5) or list(hosts)[:3]
    what = f"no host called {shown!r}" if is_name(shown) else f"no host matches {shown!r}"
    return UsageError(what, next=f"one of: {', '.join(near)}")
