"""Which hosts of a run fetch which models by themselves: those that may, and reach who publishes them."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fleet.core.errors import FleetError
from fleet.core.routes import FindRoutes, Route
from fleet.core.shell import packaged as shipped
from fleet.core.text import safe_text
from fleet.io.shelltext import placed
from fleet.models import pulling
from fleet.platforms.base import program

if TYPE_CHECKING:
    from fleet.io.artifacts import Artifacts
    from fleet.io.world import World

ANSWER = 10  # seconds that a server has to answer a host
STARTING = 10.0  # more for all that is around it
NO_TOOL = 127  # exit status of ask.sh


@dataclass(frozen=True, slots=True)
class Pull:
    """One file that a host can fetch."""

    url: str
    sha256: str
    size: int  # bytes


class Pulls:
    """One for a run. Each host is asked once for each file, all of them at the same time."""

    def __init__(self, world: "World", artifacts: "Artifacts") -> None:
        self.world = world
        self.artifacts = artifacts
        self._found: dict[tuple[str, str], Pull | str | None] = {}  # a text says why not

    def of(self, host: str, sha256: str) -> Pull | None:
        """What the host can fetch."""
        found = self._found.get((host, sha256))
        return found if isinstance(found, Pull) else None

    def drop(self, host: str, sha256: str) -> None:
        """It did not work; the host is brought it from now on."""
        self._found[host, sha256] = None

    def route(self, host: str, sha256: str) -> Route | None:
        pull = self.of(host, sha256)
        if pull is None:
            return None
        text = f"pulled by the host from {pulling.site(pull.url)}"
        return Route("pull", text, self.world.journal.rate(host, "pull"))

    def note(self, host: str, sha256: str) -> str | None:
        """Why it does not fetch it, although it may."""
        found = self._found.get((host, sha256))
        return found if isinstance(found, str) else None

    async def find(self, asked: Mapping[str, FindRoutes]) -> None:
        """Who can fetch what."""
        await asyncio.gather(*(self._host(host, need.models) for host, need in asked.items()))

    async def _host(self, host: str, models: tuple[str, ...]) -> None:
        wish = self.world.inventory.hosts.get(host)
        if wish is None or not wish.pull or wish.transport != "ssh":
            return
        silent: dict[str, str] = {}  # servers that did not answer this host, and what it said
        for sha256 in models:
            if (host, sha256) not in self._found:
                self._found[host, sha256] = await self._one(host, sha256, silent)

    async def _one(self, host: str, sha256: str, silent: dict[str, str]) -> Pull | str | None:
        try:
            file, published = await self.artifacts.published(sha256)
            if file is None or published.url is None:
                return published.why
            if file.size is None:
                return "its size is not known before it is fetched"
            site = pulling.site(published.url)
            if site not in silent:
                problem = await self._ask(host, published.url, file.size)
                if problem is None:
                    return Pull(published.url, sha256, file.size)
                if not problem.startswith("it "):
                    silent[site] = problem
                return f"{site}: {problem}"
            return f"{site}: {silent[site]}"
        except FleetError as error:
            return error.what

    async def _ask(self, host: str, url: str, size: int) -> str | None:
        """What keeps the host from fetching; None: its server has the file for it."""
        script = fetching(url, shipped("fleet.io.pull", "fetch.sh", "ask.sh"), LIMIT=0, IDLE=ANSWER)
        transport = await self.world.transport(host)
        answer = await transport.run(placed(script, self.world.root(host)), deadline=3 * ANSWER + STARTING)
        if answer.status == NO_TOOL:
            return "it has no curl, GNU wget or python3"
        head = safe_text(answer.out)
        problem = pulling.problem(head, size)
        return pulling.reason(safe_text(answer.err)) if problem == "no answer" else problem


def fetching(url: str, body: str, **variables: str | int) -> str:
    """A program for a host, with fetch.sh in its body."""
    python = shipped("fleet.io.pull", "pull_host.py")
    return program(body, URL=url, CONFIG=pulling.config(url), PYTHON=python, **variables)
