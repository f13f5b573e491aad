"""What Tab offers: click's own completion, over an index of the verbs instead of the verbs.

To name one option of one verb click needs every verb imported, which is far more than a person
waits for at a key. So the names are written down once for each state of the source.
"""

import contextlib
import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from fleet import __version__
from fleet.core.errors import FleetError
from fleet.io import folders
from fleet.io.inventory.names import names

HERE = Path(__file__).parent
KEPT = "completion-"  # file name in the cache folder


def answer() -> None:
    """Prints what the shell's completion script asks for by its variables, and exits."""
    tree = Known(index(), name="fleet")
    tree.main([], prog_name="fleet", complete_var="_FLEET_COMPLETE")


def index(folder: Path | None = None) -> dict[str, Any]:
    """Names and helps of all verbs and options, from the cache where they are still right.

    Args:
        folder: to keep them in; the user's cache folder without one.
    """
    with contextlib.suppress(FleetError):
        folder = folder or folders.find().cache
    file = folder / f"{KEPT}{_state()}.json" if folder else None
    with contextlib.suppress(OSError, ValueError):
        if file and isinstance(kept := json.loads(file.read_text(encoding="utf-8")), dict):
            return kept
    from fleet.cli import Tree

    made = _written(Tree())
    with contextlib.suppress(OSError):
        if file:
            file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            fresh = file.with_suffix(f".{os.getpid()}.new")
            fresh.write_text(json.dumps(made), encoding="utf-8")
            for old in file.parent.glob(f"{KEPT}*.json"):
                old.unlink(missing_ok=True)
            fresh.replace(file)
    return made


class Known(click.Group):
    """A command whose members and parameters are read from the index as they are asked for."""

    def __init__(self, entry: Mapping[str, Any], name: str) -> None:
        self._members: Mapping[str, Any] = entry["members"]
        params = [_parameter(one) for one in entry["params"]]
        super().__init__(name, params=params, short_help=entry["help"], add_help_option=False)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._members)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        entry = self._members.get(name)
        if entry is None:
            return None
        if entry["members"]:
            return Known(entry, name)
        params = [_parameter(one) for one in entry["params"]]
        return click.Command(name, params=params, short_help=entry["help"], add_help_option=False)


def complete_hosts(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Names of hosts and servers from the inventory, never from the network."""
    return [name for name in names(ctx.params.get("inventory")) if name.startswith(incomplete)]


def _written(command: click.Command) -> dict[str, Any]:
    context = click.Context(command)
    members: dict[str, Any] = {}
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            member = command.get_command(context, name)
            if member is not None and not member.hidden:
                members[name] = _written(member)
    params = [_described(param) for param in command.get_params(context) if not getattr(param, "hidden", 0)]
    return {"help": command.get_short_help_str(), "members": members, "params": params}


def _described(param: click.Parameter) -> dict[str, Any]:
    return {
        "is_option": isinstance(param, click.Option),
        "names": [*param.opts, *param.secondary_opts],
        "is_flag": bool(getattr(param, "is_flag", False)),
        "multiple": param.multiple,
        "nargs": param.nargs,
        "help": getattr(param, "help", None),
        "choices": list(param.type.choices) if isinstance(param.type, click.Choice) else None,
        "hosts": getattr(param, "_custom_shell_complete", None) is complete_hosts,
    }


def _parameter(entry: Mapping[str, Any]) -> click.Parameter:
    complete = complete_hosts if entry["hosts"] else None
    kind = click.Choice(entry["choices"]) if entry["choices"] else None
    if entry["is_option"]:
        return click.Option(
            entry["names"],
            is_flag=entry["is_flag"],
            multiple=entry["multiple"],
            help=entry["help"],
            type=None if entry["is_flag"] else kind,
            shell_complete=complete,
        )
    return click.Argument(
        entry["names"], nargs=entry["nargs"], required=False, type=kind, shell_complete=complete
    )


def _state() -> str:
    """Changes when fleet does: its version, or a file of its command line."""
    files = [HERE / "cli.py", *sorted((HERE / "commands").glob("*.py"))]
    stamps = [f"{file.name} {file.stat().st_mtime_ns}" for file in files]
    return hashlib.sha256("\n".join([__version__, *stamps]).encode()).hexdigest()[:16]
