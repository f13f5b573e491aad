"""`hf:OWNER/NAME[@REVISION]/FILE.gguf`: a file of a repository on Hugging Face."""

import re

from fleet.core.errors import PlanError
from fleet.sources.base import Place, Repository, Source, wrong

FORM = "hf:OWNER/NAME[@REVISION]/FILE.gguf"
PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}")
SITE = "https://huggingface.co"


def parse(rest: str) -> Place:
    owner, _, tail = rest.partition("/")
    repository, _, path = tail.partition("/")
    name, at, revision = repository.partition("@")
    if not PART.fullmatch(owner) or not PART.fullmatch(name):
        raise wrong(f"hf:{rest}", "names no repository", FORM)
    if at and not PART.fullmatch(revision):
        raise wrong(f"hf:{rest}", "names no revision", FORM)
    if not path or path.startswith("/") or ".." in path.split("/") or "?" in path or "#" in path:
        raise wrong(f"hf:{rest}", "names no file of the repository", FORM)
    return Repository(owner, name, revision or None, path)


def url(place: Repository) -> str:
    """Where the file is downloaded from."""
    return f"{SITE}/{place.owner}/{place.name}/resolve/{place.revision or 'main'}/{place.path}"


def not_built(place: Repository) -> PlanError:
    """What to do instead, as long as fleet does not speak to the hub."""
    return PlanError(
        f"{place}: fetching from a model hub is not built yet",
        next=f'source = "url:{url(place)}", or download it and write source = "file:PATH"',
    )


source = Source(FORM, "a file of a repository on Hugging Face (not built yet)", parse)
