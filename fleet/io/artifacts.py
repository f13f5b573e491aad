"""Files that the controller has or can get: sources, builds, models, the smoke-test model."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from importlib import resources
from pathlib import Path

from platformdirs import user_config_path

from fleet.builds.plan import pack_script
from fleet.core.edits import Renewed
from fleet.core.errors import PlanError, StepError
from fleet.core.events import Event, Notice
from fleet.core.flow import Tree
from fleet.core.plan import Artifact, Fetch, size_text
from fleet.io import digest
from fleet.io.builds import release, toolchain, trees
from fleet.io.cache import full
from fleet.io.hubs.access import Access
from fleet.io.models import converter, renewal
from fleet.io.models import kept as kept_models
from fleet.io.models import search as model_search
from fleet.io.models.public import Published, published
from fleet.io.ports import Transport
from fleet.io.shelltext import placed
from fleet.io.world import World
from fleet.models.hub import Pinned
from fleet.models.offered import Offered
from fleet.models.weights import Weights

LARGEST = 8 << 30  # bytes of a finished build, which has hundreds of MiB


class Artifacts:
    """Resolves what plans name; everything is got once in a run, and once on the machine."""

    def __init__(self, world: World, largest: int = LARGEST) -> None:
        self.world = world
        config = user_config_path("fleet", appauthor=False)
        wish = world.inventory
        self.access = Access(os.environ, config, wish.hub, wish.connections, wish.ollama, wish.s3)
        self._largest = largest
        self._tree: Tree | None = None
        self._models: dict[str, Artifact] = {}
        self._hashes: dict[Path, str] = {}
        self.weights: dict[str, Weights] = {}  # headers that were read in this run
        self.given: dict[str, Callable[[], Awaitable[Path]]] = {}  # files for a conversion, by sha256
        self.offers: dict[str, Offered] = {}  # what hubs listed in this run

    async def tree(self) -> Tree:
        """Which llama.cpp the inventory means."""
        async with self.world.fetching("tree"):
            if self._tree is None:
                self._tree = await trees.find(
                    self.world.inventory.llama_cpp, self._base(), self.world.folders
                )
            return self._tree

    async def model(self, name: str) -> Artifact:
        """The file of a model in the inventory, or its files."""
        async with self.world.fetching(f"model {name}"):
            if name not in self._models:
                wish = self.world.inventory.models[name]
                self._models[name] = await model_search.find(
                    name, wish, self._base(), self.world.folders, self.access, self.tell
                )
            return self._models[name]

    async def renew(self, name: str) -> Renewed:
        """The model as its source holds it today, pinned."""
        wish = self.world.inventory.models[name]
        self._models.pop(name, None)
        return await renewal.renewed(name, wish, self._base(), self.world.folders, self.access, self.tell)

    async def pinned(self, name: str) -> Pinned:
        """The model of a hub as fleet.lock has it; the hub is asked where it has not."""
        wish = self.world.inventory.models[name]
        return await model_search.pinned(name, wish, self._base(), self.world.folders, self.access, self.tell)

    async def path(self, artifact: Artifact, say: Callable[[Event], None], host: str) -> Path:
        """The artifact as a local file.

        Raises:
            FleetError: it cannot be got; says why and what to do.
        """
        async with self.world.fetching(artifact.id):
            match artifact.kind:
                case "file":
                    return self._packaged(artifact)
                case "source":
                    return await trees.make_archive(
                        self.world.inventory.llama_cpp, await self.tree(), self._base(), self.world.folders
                    )
                case "given":
                    return await self.given[artifact.id]()
                case "converter":
                    index = self.world.inventory.converter_index
                    return await converter.make_archive(artifact, index, self.world.cache)
                case "tool":
                    return await toolchain.make_archive(artifact, self.world.cache)
                case "prebuilt":
                    for asset in (await self.tree()).assets:
                        if asset.id == artifact.id:
                            return await release.make_archive(artifact, asset, self._base(), self.world.cache)
                case "build":
                    path = self.world.cache.path(artifact)
                    if path is None:
                        raise StepError(
                            f"the finished build {artifact.id} is not in the cache any more",
                            host=host,
                            next=f"fleet deploy {host}",
                        )
                    return path
                case "model":
                    for name, found in self._models.items():
                        for number, file in enumerate(found.parts or (found,)):
                            if file.id == artifact.id:
                                return await self._file(name, file, number)
                    if (kept := kept_models.path(self.world.folders, artifact.id)).is_file():
                        return kept
        raise PlanError(f"no {artifact.kind} called {artifact.name}", host=host)

    async def published(self, sha256: str) -> tuple[Artifact | None, Published]:
        """The file of a model of this run, and where anybody gets it. Raises FleetError: nobody knows."""
        for name, found in self._models.items():
            for number, file in enumerate(found.parts or (found,)):
                if file.id == sha256:
                    wish = self.world.inventory.models[name]
                    return file, await published(wish, sha256, number, self._base(), self.access)
        return None, Published(None)

    async def sha256(self, artifact: Artifact, path: Path) -> str:
        """The hash of the file itself (the id of a model or of a given file is that already)."""
        if artifact.kind in ("model", "given"):
            return artifact.id
        if path not in self._hashes:
            self._hashes[path] = await asyncio.to_thread(digest.sha256, path)
        return self._hashes[path]

    async def keep(
        self, transport: Transport, fetch: Fetch, root: str, report: Callable[[float, float | None], None]
    ) -> int:
        """A finished build, or a model that was made there, from a host into the cache. Returns its bytes."""
        if fetch.artifact.kind == "model":
            return await kept_models.keep(
                transport, fetch.artifact, fetch.path, root, self.world.folders, report
            )
        if (path := self.world.cache.path(fetch.artifact)) is not None:
            return path.stat().st_size
        partial = self.world.cache.partial(fetch.artifact)
        done = 0
        try:
            with open(partial, "wb") as file:

                def write(data: bytes) -> None:
                    nonlocal done
                    done += len(data)
                    if done > self._largest:
                        raise StepError(
                            f"its finished build is larger than {size_text(self._largest)}",
                            kind="too-much-output",
                        )
                    file.write(data)
                    report(done, None)

                status = await transport.drain(
                    placed(pack_script(fetch.artifact.id), root), write, deadline=1800
                )
            if status:
                raise StepError(
                    f"packing the finished build failed with exit {status}", next="the same command again"
                )
            await self.world.cache.adopt(fetch.artifact, partial)
        except OSError as error:
            raise full(self.world.cache.folder, error) from error
        finally:
            partial.unlink(missing_ok=True)
        return done

    async def _file(self, name: str, file: Artifact, number: int) -> Path:
        wish = self.world.inventory.models[name]
        return await model_search.path(
            name, wish, file, self._base(), self.world.folders, self.access, self.tell, number
        )

    def _packaged(self, artifact: Artifact) -> Path:
        with resources.as_file(resources.files("fleet.builds").joinpath(artifact.name)) as path:
            return path

    def _base(self) -> Path:
        return Path(self.world.inventory.path).resolve().parent

    def tell(self, message: str) -> None:
        self.world.say(Notice(ts=self.world.clock.now(), run=self.world.run, host=None, message=message))
