"""`hf:OWNER/REPO/FILE.gguf`, `hf:OWNER/REPO:QUANT` or `hf:OWNER/REPO`: a model on Hugging Face.

`@REVISION` after the repository takes another branch, tag or commit than `main`.
"""

import re

from fleet.sources.base import Place, Repository, Source, wrong

FORM = "hf:OWNER/REPO[@REVISION]/FILE.gguf, or hf:OWNER/REPO[@REVISION]:QUANT"
PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}")
QUANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")
SITE = "https://huggingface.co"


def parse(rest: str) -> Place:
    owner, _, tail = rest.partition("/")
    repository, slash, path = tail.partition("/")
    repository, colon, quant = (repository, "", "") if slash else repository.partition(":")
    name, at, revision = repository.partition("@")
    if not PART.fullmatch(owner) or not PART.fullmatch(name):
        raise wrong(f"hf:{rest}", "names no repository", FORM)
    if at and not PART.fullmatch(revision):
        raise wrong(f"hf:{rest}", "names no revision", FORM)
    if colon and not QUANT.fullmatch(quant):
        raise wrong(f"hf:{rest}", "names no quantisation", FORM)
    if slash and not is_path(path):
        raise wrong(f"hf:{rest}", "names no file of the repository", FORM)
    return Repository(owner, name, revision or None, path or None, quant or None)


def is_path(text: str) -> bool:
    """Whether a file of a repository may be called so, and nothing outside of it."""
    return not re.search(r"[?#\\]", text) and not {"", ".", ".."} & set(text.split("/"))


source = Source(FORM, "a file of a repository on Hugging Face, pinned in fleet.lock", parse)
