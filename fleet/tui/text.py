"""Values as the few cells that the dashboard has for them. Unknown is never 0."""

from collections.abc import Sequence

UNKNOWN = "--"
GLYPHS = {
    "ready": ("●", "+"),
    "busy": ("●", "+"),
    "sleeping": ("●", "+"),
    "loading": ("◔", "~"),
    "deploying": ("◔", "~"),
    "degraded": ("▲", "!"),
    "swapping": ("▲", "!"),
    "failed": ("▲", "!"),
    "wedged": ("▲", "!"),
    "drained": ("○", "-"),
    "stopped": ("○", "-"),
    "held": ("○", "-"),
    "asleep": ("○", "-"),
    "undeclared": ("○", "-"),
    "stale": ("◌", "?"),
    "down": ("✖", "x"),
    "unknown": ("·", "."),
}
TONES = {
    **dict.fromkeys(("ready", "busy", "sleeping"), "ok"),
    **dict.fromkeys(("loading", "deploying"), "key"),
    **dict.fromkeys(("degraded", "swapping", "wedged", "stale"), "warn"),
    **dict.fromkeys(("down", "failed"), "bad"),
    **dict.fromkeys(("drained", "stopped", "held", "asleep", "undeclared", "unknown"), "dim"),
}
BARS = "▁▂▃▄▅▆▇█"
ASCII_BARS = "_.,:-=+#"


def state_text(word: str, ascii: bool) -> str:
    return f"{GLYPHS.get(word, GLYPHS['unknown'])[ascii]} {word}"


def tone_of(word: str) -> str:
    return TONES.get(word, "")


def rate_text(rate: float | None) -> str:
    """Tokens/s: one decimal under 100, else whole."""
    if rate is None:
        return UNKNOWN
    return f"{rate:.1f}" if rate < 99.95 else number_text(rate)


def number_text(value: float) -> str:
    """A whole number in at most five cells: `9812`, `41 k`."""
    if value < 10_000:
        return f"{value:.0f}"
    return f"{value / 1000:.0f} k" if value < 1e6 else f"{value / 1e6:.1f} M"


def gib_text(count: float | None, unit: str = "") -> str:
    """Bytes as GiB: one decimal under 1000."""
    if count is None:
        return UNKNOWN
    gib = count / 2**30
    return f"{gib:.1f}{unit}" if gib < 99.95 else f"{gib:.0f}{unit}"


def short_text(count: float | None) -> str:
    """Bytes in at most six cells: `4.7G`, `812M`."""
    if count is None:
        return UNKNOWN
    for size, letter in ((2**30, "G"), (2**20, "M"), (2**10, "K")):
        if count >= size:
            value = count / size
            return f"{value:.1f}{letter}" if value < 10 else f"{value:.0f}{letter}"
    return f"{count:.0f}B"


def percent_text(share: float | None) -> str:
    return UNKNOWN if share is None else f"{share * 100:.0f}"


def age_text(seconds: float | None) -> str:
    """How old, in at most three cells up to 99 of a unit; below 2 s it is `1s`."""
    if seconds is None:
        return UNKNOWN
    if seconds < 100:
        return f"{max(int(seconds), 1)}s"
    if seconds < 6000:
        return f"{int(seconds // 60)}m"
    return f"{int(seconds // 3600)}h" if seconds < 360_000 else f"{int(seconds // 86400)}d"


def span_text(seconds: float | None) -> str:
    """How long: `12s`, `3m10`, `2h04`, `2d4h`."""
    if seconds is None:
        return UNKNOWN
    whole = int(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02}"
    if whole < 86400:
        return f"{whole // 3600}h{whole % 3600 // 60:02}"
    return f"{whole // 86400}d{whole % 86400 // 3600}h"


def clock_text(seconds: float) -> str:
    """`04:12`, `1:04:12`."""
    whole = max(int(seconds), 0)
    if whole < 3600:
        return f"{whole // 60:02}:{whole % 60:02}"
    return f"{whole // 3600}:{whole % 3600 // 60:02}:{whole % 60:02}"


def spark(values: Sequence[float | None], ascii: bool, most: float | None = None) -> str:
    """A line of bars from 0 to the highest; a gap where nothing is known."""
    known = [value for value in values if value is not None]
    bars = ASCII_BARS if ascii else BARS
    top = max([most or 0.0, *known, 1.0])
    return "".join(" " if v is None else bars[min(int(v / top * 7.999), 7)] for v in values)


def gauge(share: float | None, width: int) -> str:
    """`[######--]`; width counts the brackets."""
    inner = max(width - 2, 0)
    if share is None:
        return "[" + "?" * inner + "]"
    full = round(min(max(share, 0.0), 1.0) * inner)
    return "[" + "#" * full + "-" * (inner - full) + "]"


class Steady:
    """Numbers that do not tremble: the last digit moves only when it moves by more than one."""

    def __init__(self) -> None:
        self._shown: dict[tuple[str, str], float] = {}

    def value(self, host: str, column: str, value: float | None, digit: float) -> float | None:
        """The value to show.

        Args:
            digit: what one step of the last digit is worth.
        """
        place = (host, column)
        if value is None:
            self._shown.pop(place, None)
            return None
        old = self._shown.get(place)
        if old is not None and abs(value - old) <= digit and (value == 0) == (old == 0):
            return old
        self._shown[place] = value
        return value
