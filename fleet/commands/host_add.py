"""Add a host to the inventory: see its key, agree to it, look at the host, write it down."""

import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fleet.commands.base import Option, Request, Results, Verb, split
from fleet.core.edits import AddHost, Ask, EditInventory, HostKey, Introduce, Pin, ReadHostKey
from fleet.core.errors import DeclinedError, UnreachableError, UsageError
from fleet.core.facts import Facts
from fleet.core.flow import Flow, probe
from fleet.core.names import is_name
from fleet.core.text import safe_line

if TYPE_CHECKING:
    from fleet.core.inventory import Inventory


@dataclass(frozen=True, slots=True)
class Added:
    """What became of a host."""

    name: str
    fingerprint: str | None  # None for this machine, and where nobody looked
    facts: Facts | None
    changed: bool  # the inventory


def flow(request: Request, inventory: "Inventory", host: str) -> Flow[Added]:
    """The host, trusted, probed and in the inventory; nothing is written before all of that.

    Raises:
        UsageError: the name is none, or taken by another address.
        UnreachableError: the host was not reached, its key changed, or nobody can be asked.
        DeclinedError: a person said no.
    """
    name = str(request["name"])
    keys = _keys(request)
    if not is_name(name):
        raise UsageError(
            f"{safe_line(name, 80)!r} is no name for a host", next="a-z 0-9 . _ - (at most 63, not 'all')"
        )
    if name in inventory.hosts:
        there = inventory.hosts[name]
        if all(getattr(there, key) == value for key, value in keys.items()):
            return Added(name, there.host_key, None, changed=False)
        raise UsageError(
            f"{name} is in the inventory already, as {there.where}", next=f"fleet host remove {name}"
        )
    yield Introduce(name, keys)
    fingerprint: str | None = None
    if "transport" not in keys:
        key: HostKey = yield ReadHostKey(name)
        fingerprint = key.fingerprint
        place = str(request["address"] or f"ssh {request['ssh']}")
        yield from agree(name, place, key, request, _typed(name, request))
        if request.dry_run:
            return Added(name, fingerprint, None, changed=False)
        yield Pin(name, key)
        keys["host_key"] = fingerprint
    facts = yield from probe(name)
    if request.dry_run:
        return Added(name, fingerprint, facts, changed=False)
    changed: bool = yield EditInventory(AddHost(name, keys))
    return Added(name, fingerprint, facts, changed)


def agree(name: str, place: str, key: HostKey, request: Request, again: str) -> Flow[None]:
    """A yes to a key: by fingerprint given, by somebody who knew it, or by a person.

    Args:
        again: the command that was typed, for the message.

    Raises:
        UnreachableError: it is not the key that was given or known, or nobody can be asked.
        DeclinedError: a person said no.
    """
    given = request["host_key"]
    if given is not None:
        if given != key.fingerprint:
            what = f"it shows {key.fingerprint}, not {safe_line(str(given), 80)}"
            raise UnreachableError(what, host=name, kind="host-key-changed", next=compare(key))
        return
    if key.fingerprint in key.known or request.dry_run:
        return
    question = f"{name} ({place}) shows the {key.kind} key {key.fingerprint}"
    if key.known:
        question += f"\n{key.source} had {' and '.join(key.known)}"
        question += "\neither it was installed anew, or somebody stands in between"
    try:
        agreed: bool = yield Ask(f"{question}\nTrust it?")
    except DeclinedError as error:
        if error.kind != "nobody":
            raise
        kind = "host-key-changed" if key.known else "host-key-unknown"
        before = f", {key.source} has {' and '.join(key.known)}" if key.known else ""
        what = f"its host key is not trusted yet: {key.fingerprint} ({key.kind}){before}; nobody can be asked"
        next_ = f"{again} --host-key {key.fingerprint}"
        raise UnreachableError(what, host=name, kind=kind, next=next_) from error
    if not agreed:
        raise DeclinedError("its host key was not accepted", host=name, next=compare(key))


def compare(key: HostKey) -> str:
    """How the host's owner reads the fingerprint there."""
    kind = next((kind for kind in ("ed25519", "ecdsa", "rsa") if kind in key.kind), "ed25519")
    return f"ssh-keygen -lf /etc/ssh/ssh_host_{kind}_key.pub on the host shows what it should be"


def _typed(name: str, request: Request) -> str:
    """The command as it can be typed again."""
    words = ["fleet host add", name, *([shlex.quote(str(request["address"]))] if request["address"] else [])]
    for key in ("ssh", "user", "port", "identity", "backend", "root"):
        if request[key] is not None:
            words += [f"--{key}", shlex.quote(str(request[key]))]
    words += [f"--tag {shlex.quote(tag)}" for tag in request["tag"] or ()]
    return " ".join(words + ["--part-time"] * bool(request["part_time"]))


def _keys(request: Request) -> dict[str, Any]:
    """The table of the host, as it will stand in the file."""
    ways = [key for key in ("address", "ssh", "local") if request[key]]
    if len(ways) != 1:
        raise UsageError(
            "a host is reached in one way", next="fleet host add NAME ADDRESS, or --ssh ALIAS, or --local"
        )
    keys: dict[str, Any] = {"transport": "local"} if ways == ["local"] else {ways[0]: request[ways[0]]}
    for key in ("user", "port", "identity", "backend", "root"):
        if request[key] is not None:
            keys[key] = request[key]
    if request["tag"]:
        keys["tags"] = tuple(request["tag"])
    if request["part_time"]:
        keys["part_time"] = True
    return keys


def document(request: Request, results: Results) -> dict[str, Any]:
    found = next(iter(split(results)[0].values()), None)
    if found is None:
        return {"host": None}
    facts = found.facts
    return {
        "host": {
            "name": found.name,
            "host_key": found.fingerprint,
            "changed": found.changed,
            "platform": facts.platform if facts else None,
            "arch": facts.arch if facts else None,
            "memory": facts.memory.total if facts else None,
            "gpus": [gpu.name for gpu in facts.gpus] if facts else [],
        }
    }


def lines(request: Request, results: Results) -> Iterable[str]:
    for found in split(results)[0].values():
        if found.facts is not None:
            facts = found.facts
            about = [facts.os_version or facts.platform, facts.arch, *(gpu.name for gpu in facts.gpus)]
            yield f"{found.name}: {', '.join(part for part in about if part)}"
        if found.changed:
            yield f"{found.name}: added"
            yield f"-> next: fleet doctor {found.name}"
        elif request.dry_run:
            yield f"{found.name}: not added (--dry-run), its key is {found.fingerprint}"
        else:
            yield f"{found.name}: is in the inventory already, nothing to do"


verb = Verb(
    help="Add a host: shows its key, asks, pins it, looks at the host, and writes it into the inventory.",
    level=1,
    flow=flow,
    document=document,
    lines=lines,
    options=(
        Option("NAME", "what it is called from now on", is_required=True),
        Option("ADDRESS", "host name or IP address"),
        Option("--ssh", "an alias in ~/.ssh/config in place of ADDRESS", metavar="ALIAS"),
        Option("--local", "this machine, without SSH", kind="flag"),
        Option("--user", "user to log in as"),
        Option("--port", "TCP port of sshd", kind="integer"),
        Option("--identity", "private key on this machine", metavar="FILE"),
        Option("--tag", "a tag for selectors; may be given more than once", is_many=True),
        Option("--backend", "what llama.cpp computes with, in place of what is found"),
        Option("--root", "folder on the host below which fleet keeps everything", metavar="PATH"),
        Option("--part-time", "it comes and goes: absent is asleep, not down", kind="flag"),
        Option("--host-key", "fingerprint that it must show; nobody is asked then", metavar="SHA256:…"),
    ),
    selects="none",
    schema="fleet.host/1",
)
