"""Values as a person reads them: plans, ages, tables. Plain text, no colour."""

from collections.abc import Container, Iterable, Sequence
from dataclasses import replace
from textwrap import wrap

from fleet.core.plan import Plan

WIDTH = 80  # columns of what people read
SHORTEST = 6  # columns that are left of any cell


def plan_lines(plans: Iterable[Plan]) -> list[str]:
    """Plans as they are read; those that differ in nothing but the host are one."""
    alike: dict[str, list[str]] = {}
    for plan in plans:
        alike.setdefault(str(replace(plan, host="")), []).append(plan.host)
    return [line for text, hosts in alike.items() for line in f"{', '.join(hosts)}{text}".splitlines()]


def wrapped(text: str) -> list[str]:
    """A sentence in lines of at most WIDTH columns; names are never cut."""
    return wrap(text, WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)


def shortened(text: str, most: int) -> str:
    """The text without its middle, where it is longer: names differ at their ends."""
    if len(text) <= most:
        return text
    head = (most - 2) // 2
    return f"{text[:head]}..{text[len(text) - (most - 2 - head) :]}"


def age_text(seconds: float | None) -> str:
    """`1s`, `4m`, `2h`, `3d`; `--` where nobody knows."""
    if seconds is None:
        return "--"
    for unit, name in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= unit:
            return f"{int(seconds // unit)}{name}"
    return f"{max(0, int(seconds))}s"


def rate_text(rate: float | None) -> str:
    """Tokens/s: one decimal under 100, else whole; `--` where unknown."""
    if rate is None:
        return "--"
    return f"{rate:.1f}" if rate < 100 else f"{rate:.0f}"


def table(
    head: Sequence[str], rows: Iterable[Sequence[str]], most: int | None = None, whole: Container[str] = ()
) -> list[str]:
    """Columns as wide as their widest cell, two spaces between them.

    Args:
        most: columns of a line; where it is wider, the widest cells lose their middle.
        whole: heads of columns that lose nothing: a number and its age.
    """
    lines = [tuple(head), *(tuple(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    if most is not None:
        room = most - 2 * (len(widths) - 1)
        cut = [column for column, name in enumerate(head) if name not in whole]
        while sum(widths) > room and max(widths[column] for column in cut) > SHORTEST:
            widths[max(cut, key=lambda column: widths[column])] -= 1
        lines = [tuple(map(shortened, line, widths)) for line in lines]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]
