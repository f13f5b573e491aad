"""`fleet`: arguments to a Request, results to standard output, an exit code."""

import os
import sys
from collections.abc import Sequence
from typing import Any

import click

from fleet import __version__
from fleet.commands.base import VERBS, Verb
from fleet.core.errors import INTERRUPTED, FleetError, UsageError
from fleet.core.names import nearest
from fleet.options import common, door_parameters, merged, verb_parameters

GROUPS = {
    "config": "Show the inventory as fleet understands it.",
    "host": "Add, list, trust and remove hosts of the inventory.",
    "models": "Models of the inventory.",
}
DOORS = {
    "tui": "Open the dashboard.",
    "demo": "Three real hosts on this machine, llama.cpp really built, a real model served.",
    "init": "Write an inventory from the hosts of your ssh configuration.",
    "help": "Explain a verb, as VERB --help does.",
    "completion": "Print the completion script of a shell: bash, zsh or fish.",
    "version": "Print fleet's version.",
}


def run(argv: Sequence[str]) -> int:
    """One command line. Returns the exit code; never raises for what a user did."""
    try:
        result = Tree().main(list(argv), prog_name="fleet", standalone_mode=False, auto_envvar_prefix=None)
        return result if isinstance(result, int) else 0
    except click.exceptions.Exit as leave:
        return leave.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        print(error.format_message())
        return 0
    except click.UsageError as error:
        print(f"{error.format_message()}\n-> next: {_help(error.ctx)}", file=sys.stderr)
        return UsageError.exit_code
    except FleetError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        print("interrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # The reader is gone (`| head`): point stdout elsewhere so that nothing complains at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def parse(argv: Sequence[str]) -> tuple[str, Verb, dict[str, Any]]:
    """A verb and its values, as the dashboard's command line needs them; nothing is run.

    Raises:
        FleetError: no such verb, or options that it does not have.
    """
    try:
        tree = Tree()
        found = tree.main(list(argv), prog_name="fleet", standalone_mode=False, obj={"only_parse": True})
    except click.UsageError as error:
        raise UsageError(error.format_message(), next=_help(error.ctx)) from error
    except (click.exceptions.Exit, click.Abort) as error:
        raise UsageError("that only works at a shell") from error
    if not isinstance(found, tuple):
        raise UsageError("that only works at a shell", next="? for help")
    name, verb, values = found
    return name, verb, values


class Tree(click.Group):
    """Verbs from the shelf and doors, each imported only when it is meant."""

    def __init__(self) -> None:
        version = click.Option(
            ["--version"],
            is_flag=True,
            help="Print the version.",
            is_eager=True,
            expose_value=False,
            callback=_version,
        )
        super().__init__(
            name="fleet",
            params=[*common(), version],
            help="llama.cpp servers on any mix of SSH hosts, operated from one terminal.",
            invoke_without_command=False,
        )

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({name.partition("-")[0] for name in VERBS.names} | set(DOORS))

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name in DOORS:
            return door(name)
        if name in VERBS.names:
            return command(name, VERBS.take(name))
        members = {full.partition("-")[2]: full for full in VERBS.names if full.startswith(f"{name}-")}
        if not members:
            return None
        commands = {short: command(full, VERBS.take(full)) for short, full in members.items()}
        return click.Group(name, commands=commands, help=GROUPS.get(name))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and self.get_command(ctx, args[0]) is None:
            known = self.list_commands(ctx)
            raise UsageError(
                f"no verb called {args[0]!r}", next=f"one of: {', '.join(nearest(args[0], known))}"
            )
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        ctx.obj = dict(ctx.params) | (ctx.obj or {})
        ctx.params = {}
        return super().invoke(ctx)


def command(name: str, verb: Verb) -> click.Command:
    """A verb as a click command, with its own options and those that all verbs have."""

    def callback(**values: Any) -> Any:
        taken = merged(values)
        if (click.get_current_context().find_object(dict) or {}).get("only_parse"):
            return name, verb, taken
        from fleet.shell import invoke

        return invoke(name, verb, taken)

    text = verb.help if not verb.level else f"{verb.help} (level {verb.level})"
    return click.Command(
        name.rpartition("-")[2],
        params=verb_parameters(verb),
        callback=callback,
        help=text,
        short_help=verb.help,
    )


def door(name: str) -> click.Command:
    """What is opened, rather than run on hosts."""

    def callback(**values: Any) -> int:
        if name == "version":
            print(f"fleet {__version__}")
            return 0
        if name == "help":
            return run([*values["words"], "--help"])
        if name == "completion":
            return _completion(str(values["shell"]))
        from fleet.doors import open_door

        return open_door(name, merged(values))

    text = DOORS[name]
    return click.Command(name, params=door_parameters(name), callback=callback, help=text, short_help=text)


def _version(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value:
        print(f"fleet {__version__}")
        ctx.exit()


def _completion(shell: str) -> int:
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None
    print(kind(Tree(), {}, "fleet", "_FLEET_COMPLETE").source())
    return 0


def _help(ctx: click.Context | None) -> str:
    return f"{ctx.command_path} --help" if ctx is not None else "fleet --help"
