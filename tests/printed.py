"""Whether a command that we print or write down is one that can be typed."""

import re
import shlex
from collections.abc import Iterator

import click

from fleet.cli import Tree

ENDS = {"|", "&&", "||", ";", ">", ">>", "<", "2>", "2>&1"}
IN_TEXT = re.compile(r"`(fleet [^`\n]+)`|^\s*\$? ?(fleet [a-z-].*)$", re.MULTILINE)


def commands(text: str) -> Iterator[str]:
    """The `fleet …` commands of a page: in backticks, or lines of their own in a block."""
    for match in IN_TEXT.finditer(text):
        yield match[1] or match[2]


def parse(line: str) -> click.Context:
    """The context of the innermost command.

    Raises:
        click.UsageError, FleetError: the command tree does not know it.
    """
    words = shlex.split(line, comments=True)
    end = next((number for number, word in enumerate(words) if word in ENDS), len(words))
    # [SELECTOR], … and the like stand for what may be typed there
    wanted = [word for word in words[1:end] if not word.startswith("[") and word not in ("…", "...")]
    context: click.Context = Tree().make_context("fleet", wanted)
    while isinstance(context.command, click.Group):
        rest = [*context._protected_args, *context.args]
        name, command, rest = context.command.resolve_command(context, rest)
        assert command, line
        context = command.make_context(name, rest, parent=context)
    return context
