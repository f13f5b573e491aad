"""Programs for hosts: packaged text, with the variables it expects."""

from importlib import resources

from fleet.core.shell import assign
from fleet.platforms.base import program


def packaged(name: str, **variables: str | int) -> str:
    """The program in `fleet/io/NAME.sh`, ready for a transport."""
    body = resources.files("fleet.io").joinpath(f"{name}.sh").read_text()
    return program(body, **variables)


def placed(script: str, root: str, generation: str = "") -> str:
    """The program, told where fleet lives on that host and which lock it works under."""
    return assign(FLEET_ROOT=root, FLEET_GENERATION=generation) + script


def complaint(text: str) -> tuple[str | None, str | None]:
    """What and next from the `fleet: error:` and `fleet: next:` lines of a program."""
    what = following = None
    for line in text.splitlines():
        if line.startswith("fleet: error: "):
            what, following = line.removeprefix("fleet: error: "), None
        elif line.startswith("fleet: next: "):
            following = line.removeprefix("fleet: next: ")
    return what, following
