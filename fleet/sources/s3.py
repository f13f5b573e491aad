"""`s3:BUCKET/KEY.gguf[?endpoint=https://HOST]`: an object in a bucket of S3 or of a server like it.

The key is written as it is, with its spaces and other letters. `endpoint` names a server that is not
Amazon's: MinIO, Ceph, R2.
"""

import re

from fleet.core.inventory_words import hub
from fleet.sources.base import Object, Place, Source, wrong

FORM = "s3:BUCKET/KEY.gguf[?endpoint=https://HOST]"
# Source: Amazon S3 User Guide, general purpose bucket naming rules: 3 to 63 of these; capitals and
# underscores are of buckets before 2018, and of other servers.
BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,61}[A-Za-z0-9]")
LONGEST = 1024  # bytes of a key; Source: Amazon S3 User Guide, naming objects
ENDPOINT = "?endpoint="


def parse(rest: str) -> Place:
    path, asked, endpoint = rest.partition(ENDPOINT)
    bucket, _, key = path.partition("/")
    # The endpoint is not repeated: it may hold a password.
    if not BUCKET.fullmatch(bucket):
        raise wrong(f"s3:{path}", "names no bucket", FORM)
    if not is_key(key):
        raise wrong(f"s3:{path}", "names no object that fleet can ask for", FORM)
    if asked:
        try:
            hub(endpoint)
        except ValueError:
            raise wrong(f"s3:{path}", "has an endpoint that is no address of a server", FORM) from None
    return Object(bucket, key, endpoint.rstrip("/") or None)


def is_key(text: str) -> bool:
    """Whether an object may be called so. What a client of http would resolve or cut off is left out."""
    is_short = len(text.encode()) <= LONGEST
    return is_short and "?" not in text and not {"", ".", ".."} & set(text.split("/"))


source = Source(FORM, "an object of S3 or a server like it, pinned in fleet.lock", parse)
