"""A source archive: `archive:FILE` or `archive:URL`, with `sha256` beside it."""

import re
from typing import TYPE_CHECKING

from fleet.core.errors import InventoryError
from fleet.trees.base import Origin, Published, TreeKind, wrong

if TYPE_CHECKING:
    from fleet.core.inventory import LlamaCpp

FORM = "archive:FILE or archive:URL"
ENDS = (".tar.gz", ".tgz", ".tar.xz", ".tar.bz2", ".tar")


def parse(rest: str, wish: "LlamaCpp") -> Origin:
    found = Published(rest, wish.sha256)
    if "://" in rest and not found.is_remote:
        raise wrong(rest, "is neither a file nor an http address", FORM)
    if not re.sub(r"[?#].*", "", rest).endswith(ENDS) and not found.is_remote:
        raise wrong(rest, f"is no archive ({' '.join(ENDS)})", FORM)
    if found.is_remote and wish.sha256 is None:
        raise InventoryError(
            "llama_cpp.sha256 is missing: what comes over the network is checked",
            next="set sha256 under [llama_cpp] to the hash of that file",
        )
    return found


tree = TreeKind(FORM, "a tar archive, here or behind https", parse)
