"""A Python source package that carries llama.cpp: `sdist:NAME==VERSION/SUBFOLDER`."""

import re
from typing import TYPE_CHECKING

from fleet.trees.base import Origin, Sdist, TreeKind, wrong

if TYPE_CHECKING:
    from fleet.core.inventory import LlamaCpp

FORM = "sdist:NAME==VERSION/SUBFOLDER"
PATTERN = re.compile(
    r"(?P<name>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)==(?P<version>[0-9][A-Za-z0-9.!+_-]*)"
    r"(?:/(?P<folder>[^\s]*))?"
)


def parse(rest: str, wish: "LlamaCpp") -> Origin:
    found = PATTERN.fullmatch(rest)
    if not found:
        raise wrong(rest, "names no version of a package", FORM)
    folder = (found["folder"] or "").strip("/")
    if ".." in folder.split("/"):
        raise wrong(rest, "leaves the package", FORM)
    name = re.sub(r"[-_.]+", "-", found["name"]).lower()
    return Sdist(name, found["version"], folder, wish.sha256)


tree = TreeKind(FORM, "a Python source package, fetched by pip", parse)
