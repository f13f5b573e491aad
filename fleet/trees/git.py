"""A git repository: `git:URL`, and `ref` beside it."""

import re
from typing import TYPE_CHECKING

from fleet.core.errors import InventoryError
from fleet.trees.base import Git, Origin, TreeKind, wrong

if TYPE_CHECKING:
    from fleet.core.inventory import LlamaCpp

FORM = "git:URL"
URL = re.compile(r"(https|ssh|git|file)://[^\s]+|[A-Za-z0-9._-]+@[A-Za-z0-9.-]+:[^\s]+|/.*")
REF = re.compile(r"(?!.*\.\.)[A-Za-z0-9][A-Za-z0-9._/-]{0,199}")


def parse(rest: str, wish: "LlamaCpp") -> Origin:
    if not URL.fullmatch(rest) or "::" in rest:
        raise wrong(rest, "is no address of a repository", FORM)
    if wish.ref is None:
        raise InventoryError(
            "llama_cpp.ref is missing: which commit of the repository?",
            next='ref = "b11434" under [llama_cpp] (a tag, a branch or a commit)',
        )
    if not REF.fullmatch(wish.ref):
        raise InventoryError(f"llama_cpp.ref: {wish.ref[:80]!r} is no ref", next='a tag such as "b11434"')
    return Git(rest, wish.ref)


tree = TreeKind(FORM, "a git repository", parse)
