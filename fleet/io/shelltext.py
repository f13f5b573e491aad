"""Programs for hosts: packaged text, with the variables it expects."""

from fleet.core.errors import StepError
from fleet.core.plan import File, Write
from fleet.core.shell import assign, quote
from fleet.core.shell import packaged as shipped
from fleet.platforms.base import program


def packaged(name: str, **variables: str | int) -> str:
    """The program in `fleet/io/NAME.sh`, ready for a transport."""
    return program(shipped("fleet.io", f"{name}.sh"), **variables)


def placed(script: str, root: str, generation: str = "") -> str:
    """The program, told where fleet lives on that host and which lock it works under."""
    return assign(FLEET_ROOT=root, FLEET_GENERATION=generation) + script


def taken_over(host: str | None = None) -> StepError:
    """The error of a program that ended with FENCED."""
    what = "another controller took this host's lock over"
    return StepError(what, host=host, kind="lock-lost", next="fleet status")


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
