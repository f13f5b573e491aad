"""From the bytes of an answer to its sections, or to the reason why it is none."""

from collections.abc import Mapping

from fleet.core.errors import ProbeError
from fleet.core.text import safe_line, safe_text
from fleet.platforms.base import Section

CAP = 8 << 20  # bytes; a host with 512 processors answers 80 kB
LINE = 16384  # characters kept of a line; patterns that search a line stay quick
MISSING = Section("", None)

WINDOWS = (
    "Microsoft Windows",
    "is not recognized as an internal or external command",  # cmd.exe
    "is not recognized as the name of a cmdlet",  # PowerShell
    "is not recognized as a name of a cmdlet",  # PowerShell 7
    "CommandNotFoundException",
    "ist entweder falsch geschrieben",
    "no se reconoce como un comando",
    "n'est pas reconnu en tant que commande",
)
NO_LOGIN = ("This account is currently not available", "This account is not available", "nologin")


def sections(host: str, output: bytes, nonce: str) -> Mapping[str, Section]:
    """What stands between the marks, by name of the section.

    Raises:
        ProbeError: no mark at all (says whose words these are), or cut short.
    """
    text = safe_text(output, CAP)
    first = f"{nonce} section "
    lines = [line[:LINE] for line in text.split("\n")]
    found: dict[str, Section] = {}
    name, begin = None, 0
    is_whole = False
    for place, line in enumerate(lines):
        if not line.startswith(nonce):
            continue
        if line.startswith(first):
            name, begin = line.removeprefix(first).strip(), place + 1
        elif line.startswith(f"{nonce} status ") and name is not None:
            status = number(line.removeprefix(f"{nonce} status "))
            found[name] = Section("\n".join(lines[begin:place]).removesuffix("\n"), status)
            name = None
        elif line.strip() == f"{nonce} end":
            is_whole = True
    if not found:
        raise refusal(host, text)
    if not is_whole:
        last = name or next(reversed(found))
        raise ProbeError(
            f"the answer ends in the middle, at {last!r}",
            host=host,
            next=f"fleet facts {host}; if it stays so, look at memory and disk of {host}",
            kind="probe-cut",
        )
    return found


def refusal(host: str, text: str) -> ProbeError:
    """Why this is no answer of a POSIX shell.

    Args:
        text: all that came from the host, standard output and error.
    """
    if any(words in text for words in WINDOWS):
        return ProbeError(
            "the host answers with a Windows shell, fleet needs a POSIX one",
            host=host,
            next="use WSL: wsl --install, then an sshd inside it, and its port in the inventory",
            kind="windows",
        )
    if any(words in text for words in NO_LOGIN):
        return ProbeError(
            "the account may not log in (its shell is nologin)",
            host=host,
            next="on the host: chsh -s /bin/sh USER, or set another user in the inventory",
            kind="no-login",
        )
    said = next((safe_line(line, 200) for line in text.splitlines() if line.strip()), None)
    what = f"the host does not answer as a POSIX shell: {said!r}" if said else "the host answers nothing"
    return ProbeError(what, host=host, next=f"ssh {host} sh -c 'uname -s'")


def one(found: Mapping[str, Section], name: str) -> Section:
    """The section of that name, or MISSING."""
    return found.get(name, MISSING)


def pairs(text: str, mark: str = "=") -> dict[str, str]:
    """`key=value` lines; the first of a name counts."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        key, is_pair, value = line.partition(mark)
        if is_pair:
            found.setdefault(key.strip(), value.strip())
    return found


def said(section: Section, otherwise: str) -> str:
    """A reason in the host's own words, first line, or ours where it said nothing."""
    line = next((safe_line(line, 300) for line in section.text.splitlines() if line.strip()), None)
    return line or otherwise


def number(text: str | None) -> int | None:
    """A whole number that is not negative, else None."""
    text = (text or "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None
