"""A working tree on this machine: `dir:PATH`."""

from typing import TYPE_CHECKING

from fleet.trees.base import Folder, Origin, TreeKind

if TYPE_CHECKING:
    from fleet.core.inventory import LlamaCpp


def parse(rest: str, wish: "LlamaCpp") -> Origin:
    return Folder(rest)


tree = TreeKind("dir:PATH", "a folder on this machine", parse)
