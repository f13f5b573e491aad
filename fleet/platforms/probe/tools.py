"""Programs on a host with their versions, and libraries of GPU toolkits."""

import re
from collections.abc import Mapping

from fleet.core.facts import Tool
from fleet.core.text import safe_line

# cmake version 3.25.1 | Apple clang version 16.0.0 (...) | Cuda compilation tools, release 12.4, V12.4.99
# cc (Debian 12.2.0-14) 12.2.0 | HIP version: 6.2.41133 | 1.11.1
VERSIONS = (
    re.compile(r"\bversion:? v?(\d+(?:\.\d+)+)"),
    re.compile(r"\brelease (\d+(?:\.\d+)+)"),
    re.compile(r"\) (\d+(?:\.\d+)+)"),
    re.compile(r"(\d+(?:\.\d+)+)"),
)


def tools(text: str) -> Mapping[str, Tool]:
    """From lines of name, path and version line with tabs between."""
    found = {}
    for line in text.splitlines():
        cells = line.split("\t")
        if len(cells) == 3 and cells[1].startswith("/"):
            name = safe_line(cells[0])
            found[name] = Tool(name, cells[1], version(cells[2]))
    return found


def version(line: str) -> str | None:
    """The version in the line of a program's `--version` that holds one."""
    for pattern in VERSIONS:
        if match := pattern.search(line):
            return match[1]
    return None


def libraries(text: str) -> tuple[Mapping[str, str], tuple[str, ...]]:
    """Where each development library lies, and the folders in which they were looked for."""
    found: dict[str, str] = {}
    searched: dict[str, None] = {}
    for line in text.splitlines():
        name, _, path = line.partition("=")
        if not path.startswith("/"):
            continue
        if name == "searched":
            searched[safe_line(path)] = None
        elif re.fullmatch(r"[a-z][a-z0-9-]*", name):
            found.setdefault(name, safe_line(path))
    return found, tuple(searched)
