"""Release archives of finished binaries: `prebuilt:URL` or `prebuilt:FILE`, one or a family of them."""

import re
from typing import TYPE_CHECKING

from fleet.core.errors import InventoryError
from fleet.trees.base import Origin, Release, TreeKind, wrong

if TYPE_CHECKING:
    from fleet.core.inventory import LlamaCpp

FORM = "prebuilt:URL or prebuilt:FILE, in which {asset} may stand for the part that names the host"
ENDS = (".tar.gz", ".tgz", ".zip")
PLACE = "{asset}"


def parse(rest: str, wish: "LlamaCpp") -> Origin:
    is_remote = rest.startswith(("https://", "http://"))
    if "://" in rest and not is_remote:
        raise wrong(rest, "is neither a file nor an http address", FORM)
    if not re.sub(r"[?#].*", "", rest).endswith(ENDS):
        raise wrong(rest, f"is no release archive ({' '.join(ENDS)})", FORM)
    if set(re.findall(r"\{[^}]*\}", rest)) - {PLACE}:
        raise wrong(rest, f"holds another placeholder than {PLACE}", FORM)
    if PLACE in rest and not wish.assets:
        raise InventoryError(
            "llama_cpp.assets is missing: which archives of the release are there, and their hashes",
            next='[llama_cpp.assets] with lines such as "ubuntu-x64" = "sha256 of that archive"',
        )
    if PLACE in rest:
        return Release(rest, tuple(wish.assets.items()))
    if wish.assets:
        raise wrong(rest, f"has no {PLACE} in it, and llama_cpp.assets names several", FORM)
    if wish.sha256 is None:
        raise InventoryError(
            "llama_cpp.sha256 is missing: finished binaries are checked",
            next="set sha256 under [llama_cpp] to the hash of that file",
        )
    return Release(rest, (("", wish.sha256),))


tree = TreeKind(FORM, "finished binaries of a release, here or behind https", parse)
