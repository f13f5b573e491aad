"""The steps that bring a host finished binaries of a release, proven like a build of our own."""

import json
from typing import TYPE_CHECKING

from fleet.backends.base import BACKENDS, Backend
from fleet.builds.assets import BUILD, choose
from fleet.builds.recipe import Recipe
from fleet.core.facts import Facts
from fleet.core.flow import Asset, Tree
from fleet.core.plan import Artifact

if TYPE_CHECKING:
    from fleet.core.inventory import Host

REMEDY = f"take another archive of the release, or build it there: {BUILD}"


def recipe(wish: "Host", facts: Facts, tree: Tree) -> tuple[Recipe, Backend, tuple[str, ...], Asset]:
    """As fleet.builds.recipe.recipe, for a tree that is a release; and its archive for this host.

    Two hosts that take the same archive for the same backend have equal recipes.

    Raises:
        PlanError: the release has no archive for this host.
    """
    asset, backend, notes = choose(wish, facts, tree.assets)
    made = Recipe(
        backend=backend,
        tree=asset.id,
        number=tree.number,
        commit=None,
        options=(),
        targets=(),
        compilers=(),
        os=facts.os,
        arch=facts.arch,
        libc=None,
        cpu="any",
    )
    return made, BACKENDS.take(backend), (*notes, f"finished binaries are taken: {asset.name}"), asset


def artifact(asset: Asset, name: str) -> Artifact:
    """What is sent: the programs of the archive, packed anew."""
    return Artifact("prebuilt", asset.id, name, None)


def record(asset: Asset) -> str:
    """Lines for BUILD.json: where the binaries are from."""
    fields = {"prebuilt": asset.name, "prebuilt_sha256": asset.sha256}
    return "\n".join(f"  {json.dumps(key)}: {json.dumps(value)}," for key, value in fields.items())
