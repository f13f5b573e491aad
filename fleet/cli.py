"""`fleet`: arguments to a Request, results to standard output, an exit code."""

import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import click

from fleet import __version__
from fleet.commands.base import SELECTOR, VERBS, Option, Verb
from fleet.completion import complete_hosts
from fleet.core.errors import INTERRUPTED, FleetError, UsageError
from fleet.core.names import nearest

# Options that only verbs of that level or above show in their help; all accept them.
ACTING = {"yes": 1, "max_hosts": 1, "confirm": 3, "dry_run": 1, "jobs": 1, "reason": 1, "read_only": 1}
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
        result = Tree(name="fleet", params=common()).main(
            list(argv), prog_name="fleet", standalone_mode=False, auto_envvar_prefix=None
        )
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
        tree = Tree(name="fleet", params=common())
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

    def __init__(self, **settings: Any) -> None:
        super().__init__(
            help="llama.cpp servers on any mix of SSH hosts, operated from one terminal.",
            invoke_without_command=False,
            **settings,
        )
        self.params.append(
            click.Option(
                ["--version"],
                is_flag=True,
                help="Print the version.",
                is_eager=True,
                expose_value=False,
                callback=_version,
            )
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
    params = [_parameter(option) for option in verb.options]
    if verb.selects == "hosts":  # after what is needed, because there may be many
        params.append(click.Argument(["selector"], nargs=-1, shell_complete=complete_hosts, help=SELECTOR))
    if verb.selects == "server":
        shown, told = "SERVER[@HOST]", "a server of the inventory; its host where it runs on several"
        params.insert(0, click.Argument(["target"], metavar=shown, shell_complete=complete_hosts, help=told))
    if verb.watches:
        params.append(click.Option(["--watch"], is_flag=True, help="Print what changes until interrupted."))
        params.append(
            click.Option(["--every"], type=float, default=5.0, metavar="S", help="Seconds between two looks.")
        )
    own = {param.name for param in params}
    params += [param for param in common(verb.level) if param.name not in own]

    def callback(**values: Any) -> Any:
        outer = click.get_current_context().find_object(dict) or {}
        merged = {
            key: value if value not in (None, False, ()) else outer.get(key, value)
            for key, value in values.items()
        }
        if outer.get("only_parse"):
            return name, verb, merged
        from fleet.shell import invoke

        return invoke(name, verb, merged)

    text = verb.help if not verb.level else f"{verb.help} (level {verb.level})"
    return click.Command(
        name.rpartition("-")[2], params=params, callback=callback, help=text, short_help=verb.help
    )


def common(level: int = 3) -> list[click.Parameter]:
    """Options of every verb, accepted before and after it; help shows those that make sense at its level."""
    options = [
        click.Option(
            ["--inventory"],
            metavar="FILE",
            help="Inventory; else FLEET_INVENTORY, ./inventory.toml, user config.",
        ),
        click.Option(
            ["--host"],
            multiple=True,
            metavar="NAME",
            help="A host or selector; the same as naming it.",
            shell_complete=complete_hosts,
        ),
        click.Option(["--json"], is_flag=True, help="One JSON document on standard output."),
        click.Option(["--jsonl"], is_flag=True, help="One event a line on standard output."),
        click.Option(["--plain"], is_flag=True, help="No colour, no boxes, no cursor moves."),
        click.Option(["--verbose", "-v"], is_flag=True, help="Also what steps print."),
        click.Option(["--yes", "-y"], is_flag=True, help="Agree to the plan."),
        click.Option(
            ["--max-hosts"],
            type=click.IntRange(1),
            metavar="N",
            help="With --yes: how many hosts may change.",
        ),
        click.Option(["--confirm"], metavar="NAME", help="With --yes: the name, for what cannot be undone."),
        click.Option(["--dry-run"], is_flag=True, help="Print the plan and do nothing."),
        click.Option(
            ["--jobs"], type=click.IntRange(1), metavar="N", help="Hosts changed at the same time (32)."
        ),
        click.Option(["--timeout"], type=click.FloatRange(0.1), metavar="S", help="Seconds for each host."),
        click.Option(["--reason"], metavar="TEXT", help="Why, for the record."),
        click.Option(
            ["--read-only"],
            is_flag=True,
            help="Refuse every verb that changes something (FLEET_READ_ONLY=1).",
        ),
    ]
    for option in options:
        option.hidden = ACTING.get(option.name or "", 0) > level
    return [*options]


def door(name: str) -> click.Command:
    """What is opened, rather than run on hosts."""
    params: list[click.Parameter] = []
    match name:
        case "completion":
            params = [click.Argument(["shell"], type=click.Choice(["bash", "zsh", "fish"]), help="yours")]
        case "help":
            params = [
                click.Argument(["words"], metavar="[VERB]...", nargs=-1, help="as it is typed: models pull")
            ]
        case "demo":
            params = [
                click.Option(["--json"], is_flag=True, help="End with a fleet.status/1 document."),
                click.Option(["--keep"], is_flag=True, help="Leave hosts and servers up until interrupted."),
                click.Option(["--simulated"], type=click.IntRange(1, 1000), metavar="N", help="N replayed."),
            ]
        case "init":
            params = [
                click.Option(["--ssh-config"], metavar="FILE", help="Instead of ~/.ssh/config."),
                click.Option(["--all"], is_flag=True, help="Take every host that answers, without asking."),
                click.Option(["--yes", "-y"], is_flag=True, help="Overwrite an inventory that is there."),
                click.Option(["--inventory"], metavar="FILE", help="The file to write; ./inventory.toml."),
            ]
        case "tui":
            params = [
                click.Option(["--inventory"], metavar="FILE", help="Inventory to open."),
                click.Option(["--read-only"], is_flag=True, help="Look only."),
                click.Option(["--ascii"], is_flag=True, help="No characters beyond ASCII."),
                click.Option(["--slow"], is_flag=True, help="For slow links: few repaints, no colour fades."),
                click.Option(["--no-mouse"], is_flag=True, help="No mouse reporting."),
            ]

    def callback(**values: Any) -> int:
        outer = click.get_current_context().find_object(dict) or {}
        merged = {
            key: value if value not in (None, False) else outer.get(key, value)
            for key, value in values.items()
        }
        if name == "version":
            print(f"fleet {__version__}")
            return 0
        if name == "help":
            return run([*values["words"], "--help"])
        if name == "completion":
            return _completion(str(values["shell"]))
        from fleet.doors import open_door

        return open_door(name, merged)

    return click.Command(name, params=params, callback=callback, help=DOORS[name], short_help=DOORS[name])


def _parameter(option: Option) -> click.Parameter:
    kinds: Mapping[str, Any] = {"text": str, "number": float, "integer": int}
    if not option.name.startswith("-"):
        shown = f"{option.name}..." if option.is_many else option.name
        return click.Argument(
            [option.key],
            required=option.is_required,
            nargs=-1 if option.is_many else 1,
            metavar=shown if option.is_required else f"[{shown}]",
            help=option.help,
        )
    if option.kind == "flag":
        return click.Option([option.name, option.key], is_flag=True, help=option.help)
    return click.Option(
        [option.name, option.key],
        type=kinds[option.kind],
        default=option.default,
        metavar=option.metavar,
        multiple=option.is_many,
        help=option.help,
        show_default=option.default is not None,
    )


def _version(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if value:
        print(f"fleet {__version__}")
        ctx.exit()


def _completion(shell: str) -> int:
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None
    print(kind(Tree(name="fleet"), {}, "fleet", "_FLEET_COMPLETE").source())
    return 0


def _help(ctx: click.Context | None) -> str:
    return f"{ctx.command_path} --help" if ctx is not None else "fleet --help"
