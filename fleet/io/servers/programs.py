"""What the llama-servers of hosts say of themselves, asked once for each binary."""

import contextlib
import json
import re
from pathlib import Path

from fleet.core.errors import StepError
from fleet.core.facts import Build
from fleet.core.text import safe_line, safe_text
from fleet.io.shelltext import placed
from fleet.io.world import World
from fleet.platforms.base import program

DEADLINE = 30.0  # seconds
MOST = 1 << 18  # bytes of help; it had 59 kB in October 2026
SHA256 = re.compile("[0-9a-f]{64}")
VERSION_MARK = "fleet: version"

# The smoke test leaves both texts beside the build; older builds are asked.
ASK = f"""
build="$FLEET_ROOT/builds/$BUILD"
if [ -s "$build/says/help.txt" ] && [ -s "$build/says/version.txt" ]; then
    cat "$build/says/help.txt"
    echo '{VERSION_MARK}'
    cat "$build/says/version.txt"
else
    "$build/bin/llama-server" --help < /dev/null || exit
    echo '{VERSION_MARK}'
    "$build/bin/llama-server" --version < /dev/null 2>&1
fi
"""


async def said(world: World, host: str, fingerprint: str) -> tuple[str, str]:
    """Help and version of a build that is on a host.

    Kept by the hash of the binary, over runs and hosts: equal binaries say the same, and a
    binary's answers never change. A build whose hash nobody knows is asked once in a run.

    Raises:
        StepError: it does not answer.
        UnreachableError: the host does not.
    """
    facts = world.facts.get(host)
    build = next((one for one in facts.builds if one.fingerprint == fingerprint), None) if facts else None
    name = _name(build) or f"{host} {fingerprint}"
    if name not in world.said:
        kept = world.folders.cache / "programs" / f"{name}.json" if _name(build) else None
        world.said[name] = _load(kept) or await _ask(world, host, fingerprint)
        _save(kept, world.said[name])
    return world.said[name]


def _name(build: Build | None) -> str | None:
    return build.binary if build is not None and build.binary and SHA256.fullmatch(build.binary) else None


async def _ask(world: World, host: str, fingerprint: str) -> tuple[str, str]:
    script = placed(program(ASK, BUILD=fingerprint), world.root(host))
    answer = await (await world.transport(host)).run(script, deadline=DEADLINE, cap=MOST)
    help_text, _, version = safe_text(answer.out).partition(VERSION_MARK)
    if answer.status or "--model" not in help_text:
        last = safe_text(answer.err or answer.out).strip().rsplit("\n", 1)[-1]
        raise StepError(
            f"the llama-server of build {fingerprint} does not say which flags it knows "
            f"(exit {answer.status}): {safe_line(last, 200)}",
            host=host,
            next=f"fleet build {host} --rebuild",
            kind="program",
        )
    return help_text, version.strip()


def _load(kept: Path | None) -> tuple[str, str] | None:
    if kept is None:
        return None
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
        document = json.loads(kept.read_text("utf-8"))
        found = document["help"], document["version"]
        return found if all(isinstance(text, str) for text in found) else None
    return None


def _save(kept: Path | None, texts: tuple[str, str]) -> None:
    """A cache that cannot be written costs one question more, and no deploy."""
    if kept is None or kept.exists():
        return
    with contextlib.suppress(OSError):
        kept.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = kept.with_suffix(".new")
        fresh.write_text(json.dumps({"help": texts[0], "version": texts[1]}), "utf-8")
        fresh.replace(kept)
