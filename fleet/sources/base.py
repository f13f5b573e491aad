"""Where the file of a model comes from: `prefix:rest`, as the inventory writes it.

One file per prefix. `hf` is typed, `huggingface` is the file: see PREFIXES.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from fleet.core.errors import InventoryError
from fleet.core.names import nearest
from fleet.core.shelf import Shelf

PREFIXES = {"hf": "huggingface"}  # what is typed -> the file's name, where they differ
LONGEST = 4096  # characters of a source


@dataclass(frozen=True, slots=True)
class Repository:
    """A file in a repository of a model hub: by its path, by its quantisation, or the usual one."""

    owner: str
    name: str
    revision: str | None
    path: str | None
    quant: str | None = None

    @property
    def id(self) -> str:
        return f"{self.owner}/{self.name}"

    def __str__(self) -> str:
        at = f"@{self.revision}" if self.revision else ""
        which = f"/{self.path}" if self.path else f":{self.quant}" if self.quant else ""
        return f"hf:{self.id}{at}{which}"


@dataclass(frozen=True, slots=True)
class Address:
    """A file behind http or https."""

    url: str

    def __str__(self) -> str:
        return f"url:{self.url}"


@dataclass(frozen=True, slots=True)
class Local:
    """A file of this machine. Not absolute: below the inventory's folder, or `~`."""

    path: str

    def __str__(self) -> str:
        return f"file:{self.path}"


@dataclass(frozen=True, slots=True)
class Package:
    """Python wheels that carry the file, whole or in parts."""

    name: str
    version: str
    file: str | None = None  # which of several; its path in the wheel, or the end of it

    def __str__(self) -> str:
        which = f"#{self.file}" if self.file else ""
        return f"package:{self.name}=={self.version}{which}"


@dataclass(frozen=True, slots=True)
class Image:
    """A model in an Ollama registry."""

    namespace: str
    name: str
    tag: str

    def __str__(self) -> str:
        owner = "" if self.namespace == "library" else f"{self.namespace}/"
        tag = "" if self.tag == "latest" else f":{self.tag}"
        return f"ollama:{owner}{self.name}{tag}"


@dataclass(frozen=True, slots=True)
class Object:
    """An object in a bucket of S3, or of a server that speaks as S3 does."""

    bucket: str
    key: str
    endpoint: str | None  # address of that server; None: as set for all of them

    def __str__(self) -> str:
        at = f"?endpoint={self.endpoint}" if self.endpoint else ""
        return f"s3:{self.bucket}/{self.key}{at}"


Place = Repository | Address | Local | Package | Image | Object


@dataclass(frozen=True, slots=True)
class Source:
    """One prefix.

    Attributes:
        form: how it is written, for messages: `file:PATH`.
        help: one line.
        parse: the place that the text after the prefix means.
    """

    form: str
    help: str
    parse: Callable[[str], Place]


SOURCES: Shelf[Source] = Shelf("fleet.sources", "source", Source)


def prefixes() -> tuple[str, ...]:
    """Every prefix as it is typed."""
    typed = {file: prefix for prefix, file in PREFIXES.items()}
    return tuple(sorted(typed.get(name, name) for name in SOURCES.names))


def parse(text: str) -> Place:
    """The place that a `source` means.

    Raises:
        InventoryError: no such prefix, or the rest is not of its form; names the form.
    """
    prefix, colon, rest = text.partition(":")
    known = prefixes()
    if not colon or prefix not in known:
        shown = text if len(text) <= 80 else text[:80] + "…"
        near = [name for name in nearest(prefix, known) if name in known]
        raise InventoryError(
            f"no model source like {shown!r}",
            next=f"write it as one of: {', '.join(form(name) for name in near or known)}",
        )
    if len(text) > LONGEST or re.search(r"[\x00-\x1f\x7f]", text):
        raise InventoryError(f"a {prefix}: source that no file has", next=f"write it as {form(prefix)}")
    return SOURCES.take(PREFIXES.get(prefix, prefix)).parse(rest)


def form(prefix: str) -> str:
    """How a source of that prefix is written."""
    return SOURCES.take(PREFIXES.get(prefix, prefix)).form


def wrong(rest: str, why: str, form: str) -> InventoryError:
    """The error of a source that is not of its form."""
    return InventoryError(f"{rest!r} {why}", next=f"write it as {form}")
