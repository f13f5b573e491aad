"""Text to cells: harmless, cut to a width, in a tone. Knows terminals, not fleet."""

from collections.abc import Iterable
from functools import lru_cache

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style

from fleet.core.text import HOSTILE, REPLACEMENT

Part = tuple[str, str]  # text, tone
Line = tuple[Part, ...]

# Tones are words; a colour only repeats what the text says already.
ANSI = {
    "": Style(),
    "ok": Style(color="green"),
    "warn": Style(color="yellow"),
    "bad": Style(color="red"),
    "dim": Style(dim=True),
    "strong": Style(bold=True),
    "head": Style(bold=True),
    "key": Style(color="cyan"),
    "bar": Style(reverse=True),
    "cursor": Style(reverse=True),
}
CONTRAST = ANSI | {
    "ok": Style(color="bright_green", bold=True),
    "warn": Style(color="bright_yellow", bold=True),
    "bad": Style(color="bright_red", bold=True),
    "dim": Style(),
    "key": Style(color="bright_cyan", bold=True),
}
COLOUR_BLIND = ANSI | {
    "ok": Style(color="#56b4e9"),
    "warn": Style(color="#e69f00"),
    "bad": Style(color="#d55e00", bold=True),
    "key": Style(color="#56b4e9"),
}
PALETTES = {"fleet-contrast": CONTRAST, "fleet-cb": COLOUR_BLIND}


def palette(theme: str) -> dict[str, Style]:
    return PALETTES.get(theme, ANSI)


def clean(text: str) -> str:
    """The text on one line, without anything that a terminal would obey."""
    if text.isascii() and text.isprintable():
        return text
    return HOSTILE.sub(REPLACEMENT, text.replace("\n", " ").replace("\t", " "))


@lru_cache(8192)
def fit(text: str, width: int, align: str = "left", ellipsis: str = "…") -> str:
    """The text in exactly `width` cells, cut with an ellipsis where it is longer."""
    if width <= 0:
        return ""
    text = clean(text)
    cells = len(text) if text.isascii() else cell_len(text)
    if cells > width:
        return set_cell_size(text, width - 1) + ellipsis if width > 1 else set_cell_size(text, width)
    return " " * (width - cells) + text if align == "right" else text + " " * (width - cells)


def segments(line: Iterable[Part], width: int, tones: dict[str, Style], base: str = "") -> list[Segment]:
    """A line in exactly `width` cells; neighbours of one tone become one segment."""
    left = width
    row: list[tuple[str, str]] = []
    for text, tone in line:
        if left <= 0:
            break
        text = clean(text)
        cells = len(text) if text.isascii() else cell_len(text)
        if cells > left:
            text, cells = set_cell_size(text, left), left
        left -= cells
        tone = tone or base
        if row and row[-1][1] == tone:
            row[-1] = (row[-1][0] + text, tone)
        else:
            row.append((text, tone))
    if left > 0:
        if row and row[-1][1] == base:
            row[-1] = (row[-1][0] + " " * left, base)
        else:
            row.append((" " * left, base))
    return [Segment(text, tones[tone]) for text, tone in row]


def plain(line: Iterable[Part]) -> str:
    return "".join(text for text, _ in line).rstrip()
