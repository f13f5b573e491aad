"""Versions as numbers, so that 12.10 is newer than 12.9."""

import re


def numbers(text: str | None) -> tuple[int, ...]:
    """The first version in a text; empty where there is none."""
    found = re.search(r"\d{1,9}(?:\.\d{1,9})*", text or "")
    return tuple(int(part) for part in found[0].split(".")) if found else ()


def dotted(parts: tuple[int, ...]) -> str:
    return ".".join(map(str, parts))
