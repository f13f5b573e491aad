"""What matters of a llama-server's /metrics."""

import re

DEFERRED = re.compile(rb"(?m)^llamacpp:requests_deferred[ \t]+([0-9]{1,9})(?:\.0*)?[ \t]*\r?$")


def deferred(body: bytes) -> int | None:
    """Requests that wait for a slot; None where it does not say."""
    found = DEFERRED.search(body)
    return int(found[1]) if found else None
