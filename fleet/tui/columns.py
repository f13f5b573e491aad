"""Which columns fit into a width, and how wide each is. Fixed until the width changes."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from fleet.tui.paint import Line, fit

PANE = 23  # cells of the side pane with its rule
PANE_FROM = 140
LIST_BELOW = 60
MODEL_LEAST = 9


@dataclass(frozen=True, slots=True)
class Column:
    key: str
    title: str
    width: int  # cells
    align: str = "right"


HOST = (
    Column("host", "HOST", 11, "left"),
    Column("state", "STATE", 10, "left"),
    Column("backend", "BACKEND", 7, "left"),
    Column("model", "MODEL", 16, "left"),
    Column("gen", "GEN t/s", 9),
    Column("pp", "PP t/s", 6),
    Column("slots", "SLOTS", 5),
    Column("q", "Q", 2),
    Column("kv", "KV%", 3),
    Column("mem", "MEM", 4),
    Column("ram", "RAM", 5),
    Column("vram", "VRAM", 5),
    Column("temp", "TEMP", 4),
    Column("gpu", "GPU", 4),
    Column("power", "POWER", 5),
    Column("load", "LOAD", 4),
    Column("swap", "SWAP", 5),
    Column("disk", "DISK", 5),
    Column("history", "HISTORY 60 s", 16, "left"),
    Column("age", "AGE", 4),
)
BY_KEY = {column.key: column for column in HOST}
BASE = ("host", "state", "backend", "model", "gen", "slots", "q", "kv", "mem", "age")
MEDIUM = (*BASE[:-1], "ram", "temp", "history", "age")
FULL = (
    *("host", "state", "backend", "model", "gen", "pp", "slots", "q", "kv"),
    *("ram", "vram", "temp", "history", "age"),
)
TINY = ("host", "state", "gen")


def choose(width: int, wanted: Sequence[str] = ()) -> tuple[str, ...]:
    """The columns for a width.

    Args:
        width: cells of the table.
        wanted: columns that a person chose; they come instead of the usual ones.
    """
    if width < LIST_BELOW:
        return TINY
    if wanted:
        return tuple(key for key in wanted if key in BY_KEY)
    if width >= PANE_FROM - PANE:
        return FULL
    return MEDIUM if width >= 109 else BASE


def layout(width: int, names: Iterable[str], wanted: Sequence[str] = (), skip: int = 0) -> tuple[Column, ...]:
    """Columns that fit, left to right; those that do not fit are dropped from the right.

    The host's name takes what it needs from the model's column; what is left over
    goes to names, models and history.

    Args:
        width: cells of the table.
        names: of the hosts, for the width of the first column.
        wanted: columns that a person chose.
        skip: columns after the first that are scrolled out to the left.
    """
    keys = choose(width, wanted)
    keys = (keys[:1] + keys[1 + skip :]) if len(keys) > 1 + skip else keys[:1]
    longest = max((len(name) for name in names), default=0)
    columns: list[Column] = []
    left = width
    for key in keys:
        column = BY_KEY[key]
        if key == "age" and width < 110:
            column = replace(column, width=3)
        if column.width + 1 > left:
            break
        columns.append(column)
        left -= column.width + 1
    left = _widen(columns, "host", longest, left)
    left = _widen(columns, "model", 28, left)
    _widen(columns, "history", 40, left)
    return tuple(columns)


def head(columns: Sequence[Column], sort: str, is_reverse: bool, ascii: bool) -> Line:
    """The titles; the one that is sorted by has an arrow."""
    up, down = ("^", "v") if ascii else ("▲", "▼")
    text = ""
    for column in columns:
        title = column.title
        if column.key == sort:
            arrow = down if is_reverse else up
            has_room = len(title) + 2 <= column.width
            title = f"{title} {arrow}" if has_room else f"{title[: column.width - 1]}{arrow}"
        text += " " + fit(title, column.width, column.align, "")
    return ((text, "head"),)


def at(columns: Sequence[Column], x: int) -> str | None:
    """The column under a cell."""
    start = 0
    for column in columns:
        start += column.width + 1
        if x < start:
            return column.key
    return None


def _widen(columns: list[Column], key: str, wanted: int, left: int) -> int:
    """Gives a column what it wants of what is left, the host's also of the model's."""
    places = [number for number, column in enumerate(columns) if column.key == key]
    if not places:
        return left
    column = columns[places[0]]
    more = min(max(wanted - column.width, 0), max(left, 0))
    columns[places[0]] = column = replace(column, width=column.width + more)
    if key == "host" and column.width < wanted:
        for number, other in enumerate(columns):
            if other.key == "model":
                taken = min(wanted - column.width, other.width - MODEL_LEAST)
                columns[number] = replace(other, width=other.width - taken)
                columns[places[0]] = replace(column, width=column.width + taken)
    return left - more
