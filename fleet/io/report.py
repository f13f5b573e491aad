"""The report of a run: records read from hosts, and all of it in one file that holds no secret."""

import asyncio
import gzip
import io
import json
import os
import platform
import re
import socket
import tarfile
import time
from collections.abc import Mapping
from pathlib import Path

from fleet import __version__
from fleet.core.bundle import Bundle, Bundled, ReadRecords
from fleet.core.errors import FleetError
from fleet.core.text import safe_line, safe_text
from fleet.io.shelltext import packaged, placed
from fleet.io.world import KEYS, World, actor
from fleet.platforms.base import program
from fleet.watch.redact import Redactor

DEADLINE = 60.0  # seconds
CAP = 16 << 20  # bytes of one host's records
EVENTS = 500  # of the journal
HOST_MOST = 8 << 20  # characters of a host's part
PATH = re.compile(r"[A-Za-z0-9._-]{1,128}(?:/[A-Za-z0-9._-]{1,128}){0,5}")
README = """What `fleet report` gathered, for a bug report. Look through it before you send it.

report.json      fleet and this machine, hosts, how it went
inventory.json   the inventory, defaults merged in
events.jsonl     the last {events} events of fleet's journal
hosts/NAME/      facts, build and release manifests, the last lines of logs; or why there are none

Taken out: API keys, tokens, passwords and whatever looks like one (***).
{names}
"""
KEPT = "Users, homes and addresses are as they are (--keep-names)."
REPLACED = "Replaced: users, homes, addresses. Hosts, servers and models have the names of the inventory."


async def read(world: World, need: ReadRecords) -> dict[str, str]:
    """Records of one host; its API keys are learnt, so that they can be taken out by their value.

    Raises:
        UnreachableError, DeadlineError: the host did not answer in time.
    """
    transport = await world.transport(need.host)
    root = world.root(need.host)
    mark = f"=={world.random.token(12)}"
    script = placed(packaged("report", MARK=mark, LINES=need.lines), root)
    answer = await transport.run(script, deadline=DEADLINE, cap=CAP)
    keys = await transport.run(placed(program(KEYS), root), deadline=DEADLINE)
    hide = Redactor(line.partition(b" ")[2].decode("utf-8", "replace") for line in keys.out.splitlines())
    found: dict[str, str] = {}
    for part in safe_text(answer.out, CAP).split(f"{mark} ")[1:]:
        name, _, text = part.partition("\n")
        if PATH.fullmatch(name) and ".." not in name:
            for secret in hide.secrets:
                text = text.replace(secret, "***")
            found[name] = text.rstrip("\n") + "\n"
    return found


async def write(world: World, parts: Mapping[str, Bundle]) -> Mapping[str, Bundled]:
    """One file of what all hosts gave.

    Raises:
        FleetError: the file is there already, or cannot be written.
    """
    done = await asyncio.to_thread(_write, _texts(world, parts), _path(world, parts))
    return dict.fromkeys(parts, done)


def _texts(world: World, parts: Mapping[str, Bundle]) -> dict[str, str]:
    keeps = any(part.keep_names for part in parts.values())
    names = {socket.gethostname(): "controller", actor(): "user", str(Path.home()): "~"}
    names.pop("root", None)
    for part in parts.values():
        names |= part.names
    known = frozenset(word for part in parts.values() for word in part.known)
    redactor = Redactor([secret.reveal() for secret in world.keys.values()], known, None if keeps else names)
    texts = {
        "README.txt": README.format(events=EVENTS, names=KEPT if keeps else REPLACED),
        "report.json": json.dumps(_about(world, parts), indent=1, ensure_ascii=False) + "\n",
        "inventory.json": json.dumps(world.inventory.document(), indent=1, ensure_ascii=False) + "\n",
        "events.jsonl": "".join(
            json.dumps(event, ensure_ascii=False) + "\n" for event in world.journal.events(most=EVENTS)
        ),
    }
    for host, part in parts.items():
        left = HOST_MOST
        for name, text in part.texts.items():
            texts[f"hosts/{host}/{name}"] = text[: max(0, left)]
            left -= len(text)
    return {name: redactor.text(text) if name != "README.txt" else text for name, text in texts.items()}


def _about(world: World, parts: Mapping[str, Bundle]) -> dict[str, object]:
    return {
        "fleet": __version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(world.clock.now())),
        "run": world.run,
        "hosts": {host: sorted(part.texts) for host, part in parts.items()},
    }


def _path(world: World, parts: Mapping[str, Bundle]) -> Path:
    named = next((part.output for part in parts.values() if part.output), None)
    at = time.strftime("%Y%m%d-%H%M%S", time.gmtime(world.clock.now()))
    return Path(named) if named else Path(f"fleet-report-{at}-{world.run[:4]}.tar.gz")


def _write(texts: Mapping[str, str], path: Path) -> Bundled:
    packed = _packed(texts, path.name.split(".")[0] or "report")
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except FileExistsError:
        raise FleetError(
            f"{path} is there already", next="another name with --output", kind="output"
        ) from None
    except OSError as error:
        raise _cannot(path, error) from error
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(packed)
    except OSError as error:
        path.unlink(missing_ok=True)
        raise _cannot(path, error) from error
    return Bundled(str(path.absolute()), len(packed), len(texts))


def _cannot(path: Path, error: OSError) -> FleetError:
    return FleetError(
        f"the report cannot be written to {path}: {safe_line(error.strerror or '')}",
        next="a file in a folder of yours with --output",
        kind="output",
    )


def _packed(texts: Mapping[str, str], folder: str) -> bytes:
    """An archive that says nothing of who made it."""
    out = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=out, mode="wb", mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w") as archive,
    ):
        for name, text in texts.items():
            data = text.encode("utf-8", "replace")
            member = tarfile.TarInfo(f"{folder}/{name}")
            member.size, member.mode = len(data), 0o600
            archive.addfile(member, io.BytesIO(data))
    return out.getvalue()
