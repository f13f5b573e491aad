"""`url:https://…`: a file behind http or https."""

from urllib.parse import urlsplit

from fleet.sources.base import Address, Place, Source, wrong

FORM = "url:https://HOST/PATH.gguf"


def parse(rest: str) -> Place:
    try:
        parts = urlsplit(rest)
        is_reachable = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:  # a broken IPv6 address, a port that is no number
        raise wrong(f"url:{rest}", "is no address", FORM) from None
    if parts.scheme not in ("http", "https") or not is_reachable or " " in rest:
        raise wrong(f"url:{rest}", "is no http or https address", FORM)
    if parts.username is not None or parts.password is not None:
        # The password must not be repeated in the message.
        raise wrong(f"url: to {parts.hostname}", "holds a password, which fleet would print", FORM)
    return Address(rest.partition("#")[0])


source = Source(FORM, "a file behind http or https; downloads are resumed", parse)
