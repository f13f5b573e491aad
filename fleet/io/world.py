"""Everything a run may touch, in one value: connections, folders, clock, journal, cache."""

import asyncio
import os
import re
from dataclasses import dataclass, field

from fleet.core.errors import FleetError, UnreachableError
from fleet.core.events import Event, Probed, Stamp
from fleet.core.facts import Facts
from fleet.core.inventory import Host, Inventory
from fleet.core.secret import Secret
from fleet.core.shell import assign
from fleet.core.text import safe_text
from fleet.io.cache import Cache
from fleet.io.door import Door
from fleet.io.journal import Journal
from fleet.io.links import Links
from fleet.io.locks import Owner
from fleet.io.ports import Clock, Folders, Random, Transport
from fleet.io.shelltext import placed
from fleet.platforms.base import program
from fleet.platforms.probe import parse, probe_program

PROBE_DEADLINE = 30.0  # seconds; the answer of a healthy host takes under one
RETURN_DEADLINE = 300.0  # seconds a carried plan waits for a host whose link was lost
KEY = re.compile("[!-~]{8,200}")  # ASCII without spaces

KEYS = """
for f in "$FLEET_ROOT"/services/*/key; do
    [ -f "$f" ] || continue
    s=${f%/key}
    printf '%s %s\\n' "${s##*/}" "$(head -c 201 "$f")"
done
"""


@dataclass(slots=True)
class World:
    """What one run of fleet works with.

    `say` is the only way out for events: it stamps nothing, keeps them in the
    journal first and then tells the door.
    """

    inventory: Inventory
    folders: Folders
    clock: Clock
    random: Random
    links: Links
    journal: Journal
    cache: Cache
    door: Door
    owner: Owner
    run: str
    roots: dict[str, str] = field(default_factory=dict)  # host -> absolute root, once probed
    facts: dict[str, Facts] = field(default_factory=dict)  # as last probed
    keys: dict[tuple[str, str], Secret] = field(default_factory=dict)
    said: dict[str, tuple[str, str]] = field(default_factory=dict)  # help and version, see io.programs
    _sources: dict[str, "asyncio.Lock"] = field(default_factory=dict)

    def say(self, event: Event) -> None:
        self.journal.write(event)
        self.door.say(event)

    def stamp(self, host: str | None) -> Stamp:
        """The head of an event that happens now."""
        return {"ts": self.clock.now(), "run": self.run, "host": host}

    def wish(self, host: str) -> Host:
        return self.inventory.hosts[host]

    def root(self, host: str) -> str:
        """Where fleet lives there; empty means the platform's own place, before the first probe."""
        return self.roots.get(host) or self.wish(host).root or ""

    async def transport(self, host: str, deadline: float = 20.0) -> Transport:
        return await self.links.get(host, deadline=deadline)

    async def returning(self, host: str) -> Transport:
        """As transport, for work that is under way: waits while a lost host comes back."""
        return await self.links.get(host, deadline=RETURN_DEADLINE)

    async def probe(self, host: str, *, is_routine: bool = False) -> Facts:
        """Look at the host, note that it answered, and whether it was restarted since.

        Args:
            is_routine: one look of many, told only where other servers are there than before.
        """
        started = self.clock.monotonic()
        nonce = self.random.token(12)
        script = placed(probe_program(), self.wish(host).root or "")
        folders = assign(FLEET_FOLDERS="\n".join(self.wish(host).model_folders))
        script = f"FLEET_NONCE={nonce}\n{folders}{script}"
        transport = await self.transport(host)
        answer = await transport.run(script, deadline=PROBE_DEADLINE)
        facts = parse(host, answer.out, nonce, self.clock.now())
        self.roots[host] = facts.root
        known, self.facts[host] = self.facts.get(host), facts
        before = self.journal.saw(host, facts.boot_id, facts.at)
        self.journal.holds(host, (one.sha256 for one in facts.models))
        rebooted = bool(before and facts.boot_id and before != facts.boot_id)
        servers = tuple(instance.server for instance in facts.instances)
        is_news = known is None or rebooted or servers != tuple(one.server for one in known.instances)
        if is_routine and not is_news:
            return facts
        self.say(
            Probed(
                **self.stamp(host),
                seconds=self.clock.monotonic() - started,
                platform=facts.platform,
                backend=next((i.backend for i in facts.instances if i.backend), None),
                rebooted=rebooted,
                servers=servers,
            )
        )
        return facts

    async def key(self, host: str, server: str) -> Secret:
        """The API key of a server, read from its 0600 file on the host.

        Raises:
            UnreachableError: the host does not answer.
            FleetError: there is no key; the server was never started by fleet.
        """
        if (host, server) not in self.keys:
            answer = await (await self.transport(host)).run(
                placed(program(KEYS), self.root(host)), deadline=20
            )
            for line in safe_text(answer.out).splitlines():
                name, _, text = line.partition(" ")
                if KEY.fullmatch(text.strip()):  # it becomes a line of HTTP
                    self.keys[host, name] = Secret(text.strip())
        try:
            return self.keys[host, server]
        except KeyError:
            raise FleetError(f"no API key for {server}", host=host, next=f"fleet deploy {host}") from None

    def fetching(self, id: str) -> asyncio.Lock:
        """One at a time may fetch the same artifact."""
        return self._sources.setdefault(id, asyncio.Lock())

    async def close(self) -> None:
        await self.links.close()
        self.owner.close()
        self.journal.close()


def actor() -> str:
    """Who runs this, for the record."""
    return os.environ.get("USER") or str(os.getuid())


def is_lost(error: FleetError) -> bool:
    """Whether the link broke, so that trying again on a new one makes sense."""
    return isinstance(error, UnreachableError) and error.kind == "link-lost"
