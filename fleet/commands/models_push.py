"""`push` under the name of its group."""

from fleet.commands.push import verb

__all__ = ["verb"]
