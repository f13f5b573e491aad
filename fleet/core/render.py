"""Values as a person reads them: plans, ages, tables. Plain text, no colour."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from fleet.core.plan import Plan


def plan_lines(plans: Iterable[Plan]) -> list[str]:
    """Plans as they are read; those that differ in nothing but the host are one."""
    alike: dict[str, list[str]] = {}
    for plan in plans:
        alike.setdefault(str(replace(plan, host="")), []).append(plan.host)
    return [line for text, hosts in alike.items() for line in f"{', '.join(hosts)}{text}".splitlines()]


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


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Columns as wide as their widest cell, two spaces between them."""
    lines = [tuple(head), *(tuple(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]
