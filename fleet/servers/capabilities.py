"""What one llama-server can do, as its own `--help` and `--version` say."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

HEAD = re.compile(r"(?:--?[A-Za-z0-9][\w.-]*,?\s*)+")
NAME = re.compile(r"--([a-z0-9][a-z0-9.-]*)")
REMOVED = "argument has been removed"
MOST_FLAGS = 4096
NUMBERED = re.compile(r"version: (\d{1,9}) \(([0-9a-f]{4,40}|unknown)\)")
NAMED = re.compile(r"version: (\S{1,40}) \(build (\d{1,9}), commit ([0-9a-f]{4,40}|unknown)\)")


@dataclass(frozen=True, slots=True)
class Flag:
    """One entry of the help."""

    takes: str  # what stands for its value: N, [on|off|auto]; empty for a bare flag
    text: str


@dataclass(frozen=True, slots=True)
class Capabilities:
    """A llama-server, by what it says of itself.

    Attributes:
        flags: every long name, the `no-` ones too.
        number: llama.cpp's build number; None where it was built without history.
    """

    flags: Mapping[str, Flag]
    number: int | None = None
    commit: str | None = None
    version: str | None = None  # for people; new builds have one beside their number

    def knows(self, name: str) -> bool:
        return name in self.flags

    def takes_value(self, name: str) -> bool:
        return name in self.flags and bool(self.flags[name].takes)

    def mentions(self, name: str, word: str) -> bool:
        """Whether the help of a flag speaks of something: `auto` among its values."""
        found = self.flags.get(name)
        return found is not None and word in f"{found.takes} {found.text}"


def read(help_text: str, version_text: str = "") -> Capabilities:
    """A program's answers as a value; anything unknown in them is left out.

    Args:
        help_text: of `--help`, on standard output.
        version_text: of `--version`, which goes to standard error.

    Source: reference LLAMA_CPP.md section 1: until about b10360 `version: 9439 (47f6423ed)`,
        since then `version: 0.6.0-dev (build 11434, commit unknown)`.
    """
    flags = parse_help(help_text)
    if named := NAMED.search(version_text):
        return Capabilities(flags, int(named[2]) or None, _commit(named[3]), named[1])
    if numbered := NUMBERED.search(version_text):
        return Capabilities(flags, int(numbered[1]) or None, _commit(numbered[2]), None)
    return Capabilities(flags)


def parse_help(text: str) -> dict[str, Flag]:
    """Flags by long name. An entry begins at the left edge, its text is set in from it.

    What the help itself calls removed is no flag.
    """
    found: dict[str, Flag] = {}
    names: list[str] = []
    takes, words = "", []  # type: str, list[str]

    def keep() -> None:
        said = " ".join(words)
        if REMOVED not in said:
            found.update(dict.fromkeys(names, Flag(takes, said)))

    for line in text.splitlines():
        head = HEAD.match(line)
        if head:
            keep()
            names = NAME.findall(head[0])
            rest = line[head.end() :]
            # names that fill the column leave their text to the next line
            is_text = len(head[0]) - len(head[0].rstrip()) > 1
            takes, _, said = (
                ("", "", rest) if is_text else re.sub(r"\s{2,}", "\0", rest, count=1).partition("\0")
            )
            words = [said.strip()]
        elif line.startswith(" "):
            words.append(line.strip())
        if len(found) > MOST_FLAGS:
            break
    keep()
    return found


def _commit(text: str) -> str | None:
    return None if text == "unknown" else text
