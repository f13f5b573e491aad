"""Space and files left, from `df`."""

import re
from collections.abc import Mapping

from fleet.core.facts import Disk
from fleet.platforms.base import Section
from fleet.platforms.probe.answer import said

# Filesystem 1024-blocks Used Available Capacity Mounted on; names on both ends may hold spaces
NUMBERS = re.compile(r"\s([0-9]{1,18}|-)\s+([0-9]{1,18}|-)\s+(-?[0-9]{1,18}|-)\s+(?:[0-9]+%|-)")
# macOS, df -k -i: ... Capacity iused ifree %iused Mounted on
MACOS = re.compile(r"\s[0-9]+%\s+([0-9]{1,18})\s+([0-9]{1,18})\s+[0-9]+%")


def disk(space: Section, inodes: Section) -> tuple[Disk, Mapping[str, str]]:
    """The file system under fleet's root.

    Args:
        space: `df -Pk` of the folder, or of the nearest one above it that exists.
        inodes: `df -Pi` of Linux or `df -k -i` of macOS.
    """
    unknown = {}
    total = free = files = None
    if match := _row(space.text, NUMBERS):
        total = int(match[1]) * 1024 if match[1] != "-" else None
        free = max(int(match[3]), 0) * 1024 if match[3] != "-" else None
    if total is None or free is None:
        unknown["disk"] = said(space, "df did not answer")
    if "ifree" in inodes.text:
        if match := _row(inodes.text, MACOS):
            files = int(match[2])
    elif (match := _row(inodes.text, NUMBERS)) and match[1] not in ("-", "0"):
        files = max(int(match[3]), 0) if match[3] != "-" else None
    if files is None:
        unknown["disk.inodes_free"] = (
            "this file system does not count them" if inodes.status == 0 else "df did not say"
        )
    return Disk(total, free, files), unknown


def _row(text: str, pattern: re.Pattern[str]) -> re.Match[str] | None:
    return next((match for line in text.splitlines()[1:] if (match := pattern.search(line))), None)
