"""Shell programs: made of quoted parts and shipped text, and what one says that failed."""

import shlex
from importlib import resources


def quote(value: str) -> str:
    """One word for a POSIX shell.

    Raises:
        ValueError: the value holds a NUL, which no shell can carry.
    """
    if "\0" in value:
        raise ValueError("a shell word cannot hold a NUL")
    return shlex.quote(value)


def assign(**variables: str | int) -> str:
    """Lines of assignments, to stand before a script that uses the variables.

    >>> print(assign(NAME="it's"), end="")
    NAME='it'"'"'s'
    """
    return "".join(f"{name}={quote(str(value))}\n" for name, value in variables.items())


def packaged(package: str, *names: str) -> str:
    """Files that lie beside the modules of a package, one after another: `build.sh`."""
    folder = resources.files(package)
    return "".join(folder.joinpath(name).read_text(encoding="utf-8") for name in names)


def complaint(text: str) -> tuple[str | None, str | None]:
    """What and next from the `fleet: error:` and `fleet: next:` lines of a program; the last of each."""
    what = following = None
    for line in text.splitlines():
        if line.startswith("fleet: error: "):
            what, following = line.removeprefix("fleet: error: "), None
        elif line.startswith("fleet: next: "):
            following = line.removeprefix("fleet: next: ")
    return what, following
