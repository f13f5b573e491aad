"""CMake options that people wrote, as llama.cpp knows them today; or why they are refused.

llama.cpp takes most unknown `GGML_*` options without a word and changes nothing, so that a build for a GPU
from an old page becomes one for the CPU. Nothing is passed on here that is not known.
"""

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from fleet.backends.base import BACKENDS
from fleet.builds.option_names import (
    BASELINE,
    BOOLEAN,
    COMPUTES,
    DROPPED,
    INSTRUCTIONS,
    KNOWN,
    PLACES,
    REFUSED,
    RENAMED,
)
from fleet.core.errors import PlanError
from fleet.core.facts import Facts

ALIKE = 0.8  # of 1; names that share only a prefix reach 0.6
TRUTH = {
    "on": True,
    "off": False,
    "true": True,
    "false": False,
    "yes": True,
    "no": False,
    "1": True,
    "0": False,
}


@dataclass(slots=True)
class Read:
    """What became of the options."""

    options: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    errors: list[str] = field(
        default_factory=list
    )  # with " -> " and what to write instead, where there is that


def judge(cmake: Mapping[str, object], backend: str | None = None, portable: bool = False) -> list[str]:
    """What is wrong with the options, known without a host; a sentence each, its remedy after " -> "."""
    return _read(cmake, backend, portable).errors


def translate(
    cmake: Mapping[str, object], backend: str, portable: bool, facts: Facts
) -> tuple[dict[str, str], tuple[str, ...]]:
    """The options for CMake by name, and a sentence for each that was changed.

    Args:
        backend: the one that was chosen.

    Raises:
        PlanError: an option is refused, or the processor lacks what it asks for.
    """
    found = _read(cmake, backend, portable)
    found.errors += lacking(found.options, portable, facts)
    if found.errors:
        what, _, following = found.errors[0].partition(" -> ")
        table = f"[hosts.{facts.host}]"
        remedy = (
            f"{following}, in cmake under {table}" if following else f"take it out of cmake under {table}"
        )
        raise PlanError(what, host=facts.host, next=remedy)
    return found.options, tuple(found.notes)


def is_native(options: Mapping[str, str], portable: bool) -> bool:
    """Whether the compiler asks the processor what it knows, so that the build is for its like only."""
    asks = any(re.search(r"-m(arch|cpu|tune)=native", value) for value in options.values())
    return asks or (not portable and options.get("GGML_NATIVE") != "OFF")


def lacking(options: Mapping[str, str], portable: bool, facts: Facts) -> Iterator[str]:
    """Instructions that are asked for and that this processor does not have: it would die of the first."""
    if portable or options.get("GGML_NATIVE") != "OFF" or facts.arch != "x86_64" or not facts.cpu.flags:
        return
    wanted = dict.fromkeys(BASELINE, "ON") | dict(options)
    for name, flags in INSTRUCTIONS.items():
        absent = [flag for flag in flags if flag not in facts.cpu.flags]
        if wanted.get(name) == "ON" and absent:
            model = facts.cpu.model or "this processor"
            yield f"{name}: {model} has no {', '.join(absent)} -> {name} = false"


def _read(cmake: Mapping[str, object], backend: str | None, portable: bool) -> Read:
    found = Read()
    said: dict[str, str] = {}
    for written, value in cmake.items():
        name = _today(written, found)
        if name is None:
            continue
        if name in said:
            found.errors.append(f"{written}: says the same as {said[name]}: keep one")
            continue
        said[name] = written
        error = _refusal(name, value) or _take(name, value, backend, found)
        if error is not None:
            found.errors.append(f"{written}: {error}")
    found.errors += _together(found.options, portable)
    return found


def _today(written: str, found: Read) -> str | None:
    """The option's name of today; None where it is left out."""
    name = re.sub(r"^-D\s*", "", written.strip()).partition(":")[0]
    if name[:1] == "D" and (name[1:] in KNOWN or name[1:] in RENAMED or name[1:] in DROPPED):
        found.notes.append(f"{written}: no option begins with D; read as {name[1:]}")
        name = name[1:]
    if name in DROPPED:
        found.notes.append(f"{written} is left out: {DROPPED[name]}")
        return None
    today = RENAMED.get(name, name)
    if today not in KNOWN and today.startswith("LLAMA_") and f"GGML_{today[6:]}" in KNOWN:
        today = f"GGML_{today[6:]}"
    if today != name:
        found.notes.append(f"{written} is called {today} today")
    return today


def _refusal(name: str, value: object) -> str | None:
    """Why fleet does not pass it on, whatever the backend."""
    if name in REFUSED:
        return REFUSED[name]
    if name.startswith(PLACES):
        return "fleet sets it itself: it finds the programs where llama.cpp puts them"
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{1,99}", name):
        return "not the name of a CMake option"
    if name.startswith(("GGML_", "LLAMA_")) and name not in KNOWN and name not in COMPUTES:
        near = difflib.get_close_matches(name, KNOWN | COMPUTES, n=1, cutoff=ALIKE)
        what = "llama.cpp has no such option, and would ignore it without a word"
        return f"{what} -> {near[0]}" if near else f"{what} -> leave out {name}"
    if name in BOOLEAN and _truth(value) is None:
        return "should be true or false"
    if not isinstance(value, (str, int, float)) or "\n" in str(value):
        return "should be one line of text, a number, true or false"
    return None


def _take(name: str, value: object, backend: str | None, found: Read) -> str | None:
    """Keeps the option; or says why a backend is not chosen this way."""
    truth = _truth(value)
    text = ("ON" if truth else "OFF") if truth is not None and _is_switch(name, value) else str(value)
    if name in COMPUTES:
        owner = next((each for each, kind in BACKENDS.all() if kind.switch == name), None)
        if owner is None:
            return "fleet has no backend for it, and could not prove that it is used" if truth else None
        if truth == (backend == owner) and backend not in (None, "auto"):
            found.notes.append(f'{name} is left out: backend = "{backend}" says it')
            return None
        return f'the backend decides it -> backend = "{owner if truth else "cpu"}" instead'
    found.options[name] = text
    return None


def _together(options: Mapping[str, str], portable: bool) -> Iterator[str]:
    """What does not go together."""
    if portable:
        if options.get("GGML_NATIVE") == "ON":
            yield "GGML_NATIVE: a portable build is for no processor in particular -> GGML_NATIVE = false"
        fixed = [name for name, value in options.items() if re.search(r"-m(arch|cpu|tune)=", value)]
        yield from (f"{name}: a portable build chooses the processor's code when it starts" for name in fixed)
    for name in (*INSTRUCTIONS, "GGML_CPU_ARM_ARCH", "GGML_CPU_POWERPC_CPUTYPE"):
        if name in options and portable:
            yield f"{name}: portable = true compiles every variant -> leave out {name}"
        elif name in options and options.get("GGML_NATIVE") != "OFF":
            yield f"{name}: ignored by llama.cpp while GGML_NATIVE is on -> GGML_NATIVE = false beside it"


def _is_switch(name: str, value: object) -> bool:
    return name in BOOLEAN or name in COMPUTES or isinstance(value, bool)


def _truth(value: object) -> bool | None:
    if isinstance(value, bool):
        return value
    return TRUTH.get(str(value).lower()) if isinstance(value, (str, int)) else None
