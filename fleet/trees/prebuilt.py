"""A release archive of finished binaries: `prebuilt:URL`. Not built yet."""

from typing import TYPE_CHECKING

from fleet.core.errors import PlanError
from fleet.trees.base import Origin, TreeKind

if TYPE_CHECKING:
    from fleet.core.inventory import LlamaCpp


def parse(rest: str, wish: "LlamaCpp") -> Origin:
    raise PlanError(
        "prebuilt: sources are not built yet; fleet compiles llama.cpp itself",
        next='source = "git:https://github.com/ggml-org/llama.cpp" under [llama_cpp], with a ref',
    )


tree = TreeKind("prebuilt:URL", "finished binaries of a release", parse)
