"""`file:PATH`: a file of this machine, used where it is."""

from fleet.sources.base import Local, Place, Source, wrong

FORM = "file:PATH"


def parse(rest: str) -> Place:
    if not rest.strip() or rest.endswith("/"):
        raise wrong(f"file:{rest}", "names no file", FORM)
    return Local(rest)


source = Source(FORM, "a file of this machine; relative to the inventory's folder", parse)
