"""Shell text from quoted parts, so that no value is ever read as a command."""

import shlex


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
