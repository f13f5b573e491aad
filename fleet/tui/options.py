"""What the command line and the environment say about the dashboard. No textual here."""

from collections.abc import Mapping
from dataclasses import dataclass

from fleet.core.errors import UsageError

THEMES = ("ansi-dark", "ansi-light", "textual-dark", "textual-light", "nord", "gruvbox", "dracula")
OWN_THEMES = ("fleet-contrast", "fleet-cb")
TICK = 1.0  # seconds
SLOW_TICK = 5.0


@dataclass(frozen=True, slots=True)
class Options:
    """How to draw.

    Attributes:
        ascii: no character outside ASCII.
        slow: few bytes: an ANSI theme, no mouse, a tick of 5 s.
        mouse: let the terminal report the mouse.
        read_only: nothing that changes a host can be asked for.
        banner: DEMO or SIMULATED, drawn in the header.
        no_color: NO_COLOR is set.
    """

    ascii: bool = False
    slow: bool = False
    mouse: bool = True
    read_only: bool = False
    theme: str | None = None
    banner: str | None = None
    no_color: bool = False
    tick: float | None = None  # seconds

    @property
    def seconds(self) -> float:
        """Between two looks at the feed."""
        return self.tick or (SLOW_TICK if self.slow else TICK)

    @property
    def has_mouse(self) -> bool:
        return self.mouse and not self.slow

    @property
    def theme_name(self) -> str:
        wanted = self.theme or "ansi-dark"
        if (self.slow or self.no_color) and not wanted.startswith("ansi-"):
            return "ansi-dark"
        return wanted

    @property
    def themes(self) -> tuple[str, ...]:
        """Those that may be switched to."""
        known = (*THEMES[:2], *OWN_THEMES, *THEMES[2:])
        return tuple(t for t in known if t.startswith("ansi-")) if self.slow or self.no_color else known


def environment(options: Options) -> dict[str, str]:
    """Variables that textual reads once, when it is imported."""
    return {
        "TEXTUAL_THEME": options.theme_name if options.theme_name in THEMES else "ansi-dark",
        "TEXTUAL_ANIMATIONS": "none",
        "TEXTUAL_FPS": "10" if options.slow else "30",
        "TEXTUAL_SMOOTH_SCROLL": "0",
    }


def check_terminal(stdin: bool, stdout: bool, environ: Mapping[str, str]) -> None:
    """Whether there is a terminal to draw on.

    Args:
        stdin: whether standard input is a terminal.
        stdout: whether standard output and standard error are.

    Raises:
        UsageError: there is none, or it cannot move its cursor.
    """
    plain = "fleet status --watch --plain"
    if not (stdin and stdout):
        raise UsageError("the dashboard needs a terminal for input, output and errors", next=plain)
    if environ.get("TERM", "") in ("", "dumb", "unknown"):
        raise UsageError(f"the dashboard cannot draw on TERM={environ.get('TERM') or '(unset)'}", next=plain)


def is_utf8(environ: Mapping[str, str]) -> bool:
    """Whether the locale can show more than ASCII."""
    said = environ.get("LC_ALL") or environ.get("LC_CTYPE") or environ.get("LANG") or ""
    return "utf-8" in said.lower() or "utf8" in said.lower()
