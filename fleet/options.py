"""What can be typed behind a verb, as click takes it: its own options, and those that all have."""

from collections.abc import Mapping
from typing import Any

import click

from fleet.commands.base import SELECTOR, Option, Verb
from fleet.completion import complete_hosts

# Options that only verbs of that level or above show in their help; all accept them.
ACTING = {"yes": 1, "max_hosts": 1, "confirm": 3, "dry_run": 1, "jobs": 1, "reason": 1, "read_only": 1}


def verb_parameters(verb: Verb) -> list[click.Parameter]:
    """What a verb takes: its own, its hosts or server, and the common ones."""
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
    return params + [param for param in common(verb.level) if param.name not in own]


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


def door_parameters(name: str) -> list[click.Parameter]:
    """What a door takes."""
    match name:
        case "completion":
            return [click.Argument(["shell"], type=click.Choice(["bash", "zsh", "fish"]), help="yours")]
        case "help":
            return [
                click.Argument(["words"], metavar="[VERB]...", nargs=-1, help="as it is typed: models pull")
            ]
        case "demo":
            return [
                click.Option(["--json"], is_flag=True, help="End with a fleet.status/1 document."),
                click.Option(["--keep"], is_flag=True, help="Leave hosts and servers up until interrupted."),
                click.Option(["--simulated"], type=click.IntRange(1, 1000), metavar="N", help="N replayed."),
            ]
        case "init":
            return [
                click.Option(["--ssh-config"], metavar="FILE", help="Instead of ~/.ssh/config."),
                click.Option(["--all"], is_flag=True, help="Take every host that answers, without asking."),
                click.Option(["--yes", "-y"], is_flag=True, help="Overwrite an inventory that is there."),
                click.Option(["--inventory"], metavar="FILE", help="The file to write; ./inventory.toml."),
            ]
        case "tui":
            return [
                click.Option(["--inventory"], metavar="FILE", help="Inventory to open."),
                click.Option(["--read-only"], is_flag=True, help="Look only."),
                click.Option(["--ascii"], is_flag=True, help="No characters beyond ASCII."),
                click.Option(["--slow"], is_flag=True, help="For slow links: few repaints, no colour fades."),
                click.Option(["--no-mouse"], is_flag=True, help="No mouse reporting."),
            ]
    return []


def merged(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values of a verb or door, with what was said before it where nothing was said behind it."""
    outer = click.get_current_context().find_object(dict) or {}
    return {
        key: value if value not in (None, False, ()) else outer.get(key, value)
        for key, value in values.items()
    }


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
