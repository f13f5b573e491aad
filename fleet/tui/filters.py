"""Which rows a person wants to see: `/` and `z`."""

import re
from collections.abc import Callable

from fleet.core.state import HostState

Test = Callable[[HostState, str], bool]  # host, its state word
FIELDS = ("state", "backend", "model", "host", "tag")


def everything(host: HostState, word: str) -> bool:
    return True


def matcher(text: str) -> tuple[Test, str | None]:
    """The test that a filter text means.

    Args:
        text: a regular expression over all that a row says; `!x` inverts;
            `state:down`, `backend:cuda`, `model:qwen`, `@tag` look at one field.

    Returns:
        The test, and what is wrong with the text (then it is taken literally).
    """
    text = text.strip()
    if not text:
        return everything, None
    if text.startswith("!") and len(text) > 1:
        inner, problem = matcher(text[1:])
        return lambda host, word: not inner(host, word), problem
    field, _, value = text.partition(":")
    if text.startswith("@"):
        field, value = "tag", text[1:]
    elif field not in FIELDS or not value:
        field, value = "", text
    problem = None
    try:
        pattern = re.compile(value, re.IGNORECASE)
    except re.error as error:
        problem = f"not a regular expression ({error.msg}), taken literally: {value}"
        pattern = re.compile(re.escape(value), re.IGNORECASE)
    return lambda host, word: any(pattern.search(said) for said in _texts(host, word, field)), problem


def _texts(host: HostState, word: str, field: str) -> tuple[str, ...]:
    models = tuple(s.sample.model for s in host.servers.values() if s.sample is not None and s.sample.model)
    if field == "state":
        return (word,)
    if field == "backend":
        return (host.backend or "",)
    if field == "model":
        return models
    if field == "host":
        return (host.name,)
    if field == "tag":
        return host.tags
    return (host.name, word, host.backend or "", *models, *host.tags, *host.servers)
