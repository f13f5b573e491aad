"""Models in buckets: pinned in fleet.lock by sha256, size and etag or version, and fetched as pinned."""

from collections.abc import Mapping
from pathlib import Path

import httpx

from fleet.core.errors import PlanError
from fleet.core.plan import size_text
from fleet.io.fetch import answers, download
from fleet.io.fetch.answers import Want
from fleet.io.fetch.arrivals import Say
from fleet.io.hubs.access import Access
from fleet.io.hubs.bucket import Bucket, Seen
from fleet.io.models import learned
from fleet.io.ports import Folders
from fleet.models.fixed import Fixed
from fleet.sources.base import Object

TODAY = "fleet models pin NAME, which takes what is there today"


async def pinned(
    place: Object, base: Path, folders: Folders, access: Access, say: Say, *, is_anew: bool = False
) -> Fixed | None:
    """What the source stands for: as fleet.lock says, else as its bucket says now, which is written there.

    Args:
        is_anew: what fleet.lock says is replaced.

    Returns:
        None: neither knows its sha256; it is to be fetched.

    Raises: as Bucket.look.
    """
    found = None if is_anew else learned.known(str(place), base)
    if found is not None:
        return found
    seen = await Bucket(place, access).look()
    if seen.sha256 is None:
        return None
    fixed = Fixed(seen.sha256, seen.size, seen.marks)

    async def resolve() -> Fixed:
        say(f"pinned in fleet.lock: {place}, {size_text(fixed.size)}, sha256 {fixed.sha256}")
        return fixed

    if is_anew:
        await learned.learn(str(place), await resolve(), base, folders)
        return fixed
    return await learned.once(str(place), base, folders, resolve)


async def size(place: Object, sha256: str, access: Access) -> int:
    """Bytes of the object that the inventory wants.

    Raises:
        PlanError: the bucket knows that its sha256 is another.
        Others: as Bucket.look.
    """
    seen = await Bucket(place, access).look()
    if seen.sha256 not in (None, sha256):
        raise PlanError(
            f"{place} has the sha256 {seen.sha256}, wanted is {sha256}",
            kind="wrong-sha256",
            next=f'sha256 = "{seen.sha256}", if that is what its publisher names',
        )
    return seen.size


async def is_same(place: Object, known: Fixed, access: Access) -> bool:
    """Whether the bucket holds today what was pinned. Raises as Bucket.look."""
    return _is_same(await Bucket(place, access).look(), known)


async def link(place: Object, known: Fixed | None, access: Access) -> str:
    """An address of the bytes, of the pinned version where there is one: a secret. Raises as Bucket.look."""
    bucket = Bucket(place, access)
    if known is None:
        await bucket.look()  # a bucket says better than a link why it gives nothing
    return await bucket.link(known.marks.get("version") if known else None)


async def fetch(
    place: Object, known: Fixed | None, part: Path, access: Access, say: Say
) -> Mapping[str, str]:
    """The object under `part`.

    Args:
        known: what is pinned; None: what the bucket holds today is taken.

    Returns:
        What tells this version from another.

    Raises:
        PlanError: the bucket holds another object than was pinned.
        Others: as Bucket.look and download.download.
    """
    bucket = Bucket(place, access)
    version = known.marks.get("version") if known else None
    try:
        seen = await bucket.look(version)
    except PlanError as error:
        if error.kind != "no-file" or known is None:
            raise
        raise _gone(place) from error
    if known is not None and not _is_same(seen, known):
        raise PlanError(f"{place} is not the object any more that was pinned", kind="moved", next=TODAY)
    version = version or seen.marks.get("version")

    async def signed() -> str:
        return await bucket.link(version)

    say(f"fetching {place}, {size_text(seen.size)}, from {bucket.host}")
    want = Want(
        check=check(place),
        size=seen.size,
        connections=access.connections,
        name=f"{place} {dict(sorted(seen.marks.items()))}",
        link=signed,
    )
    await download.download(answers.shown(await signed()), part, say, want=want)
    return seen.marks


def check(place: Object) -> answers.Check:
    """Judges answers to a link that was signed a moment ago."""

    def check(url: str, response: httpx.Response) -> None:
        if response.status_code == 404:
            raise _gone(place)
        if response.status_code in (401, 403):
            raise PlanError(
                f"{answers.host(url)} describes {place}, and does not give its bytes",
                kind="forbidden",
                next="look at what the credentials may: s3:GetObject, and kms:Decrypt where it is encrypted",
            )
        answers.check(url, response)

    return check


def _is_same(seen: Seen, known: Fixed) -> bool:
    """A version names bytes for good; an etag those that are there, whatever it is made of."""
    name = "version" if "version" in known.marks else "etag"
    return seen.size == known.size and seen.marks.get(name) == known.marks.get(name)


def _gone(place: Object) -> PlanError:
    return PlanError(f"the pinned object {place} is not there any more", kind="no-file", next=TODAY)
