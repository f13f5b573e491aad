"""What matters of a llama-server's /metrics. Asking for them neither wakes it nor keeps it awake."""

import re


def deferred(body: bytes) -> int | None:
    """Requests that wait for a slot; None where it does not say."""
    return _gauge(body, b"requests_deferred")


def processing(body: bytes) -> int | None:
    """Requests that are worked on; None where it does not say."""
    return _gauge(body, b"requests_processing")


def _gauge(body: bytes, name: bytes) -> int | None:
    found = re.search(rb"(?m)^llamacpp:" + name + rb"[ \t]+([0-9]{1,9})(?:\.0*)?[ \t]*\r?$", body)
    return int(found[1]) if found else None
