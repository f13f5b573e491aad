"""The hosts that an ssh_config names, which no library can list."""

import re
import shlex
from collections.abc import Callable, Iterator

DEEPEST = 16  # files that include each other, as in ssh
MOST = 2000  # aliases of one configuration

Include = Callable[[str], list[str]]  # a pattern, as written -> the texts of the files


def aliases(text: str, include: Include) -> tuple[str, ...]:
    """Names after `Host` that mean one machine each: no patterns, no negations.

    Args:
        text: of ~/.ssh/config.
        include: texts of the files that an `Include` means.

    Returns:
        In order of the file, each once. `Match` blocks name no hosts.
    """
    found: dict[str, None] = {}
    for name in _names(text, include, 0):
        found[name] = None
        if len(found) >= MOST:
            break
    return tuple(found)


def _names(text: str, include: Include, depth: int) -> Iterator[str]:
    for line in text.splitlines():
        keyword, values = words(line)
        if keyword == "host":
            yield from (value for value in values if _is_plain(value))
        elif keyword == "include" and depth < DEEPEST:
            for value in values:
                for inner in include(value):
                    yield from _names(inner, include, depth + 1)


def words(line: str) -> tuple[str, list[str]]:
    """A line's keyword in lower case and its values; `Host = a b` and quotes are understood."""
    line = line.strip()
    if not line or line.startswith("#"):
        return "", []
    keyword = re.split(r"[\s=]", line, maxsplit=1)[0]
    rest = line[len(keyword) :].strip().removeprefix("=").strip()
    try:
        return keyword.lower(), shlex.split(rest, comments=True)
    except ValueError:  # an open quote
        return keyword.lower(), rest.replace('"', " ").replace("'", " ").split()


def _is_plain(value: str) -> bool:
    return (
        bool(value)
        and not value.startswith(("!", "-"))
        and not any(sign in value for sign in "*?,%")
        and value.isprintable()
    )
