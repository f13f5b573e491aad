"""Programs for hosts: packaged text, with the variables it expects."""

from importlib import resources

from fleet.core.plan import File, Write
from fleet.core.shell import assign, quote
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


def writing(write: Write) -> str:
    """A program that puts small files in place, each by rename."""
    return program("fence\n" + "".join(WRITE.format(**_words(file)) for file in write.files))


WRITE = """f={target}
mkdir -p "${{f%/*}}" || exit 1
printf '%s' {text} > "$f.tmp" && chmod {mode} "$f.tmp" && mv -f "$f.tmp" "$f" || {{
    rm -f "$f.tmp"
    echo "fleet: error: cannot write $f"
    echo "fleet: next: free space on that disk or check its owner: ls -ld ${{f%/*}}"
    exit 1
}}
"""


def _words(file: File) -> dict[str, str]:
    if file.path.startswith("/"):
        target = quote(file.path)
    elif file.path.startswith("~/"):
        target = f'"$HOME"/{quote(file.path[2:])}'
    else:
        target = f'"$FLEET_ROOT"/{quote(file.path)}'
    return {"target": target, "text": quote(file.text), "mode": f"{file.mode:o}"}
