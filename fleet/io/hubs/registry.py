"""An Ollama registry over http: which layers a model has, and the one that llama.cpp reads."""

from pathlib import Path

import httpx

from fleet.core.edits import Renewed
from fleet.core.errors import FleetError, PlanError
from fleet.core.plan import size_text
from fleet.io.fetch import answers, download
from fleet.io.fetch.answers import Want
from fleet.io.fetch.arrivals import Say
from fleet.io.hubs.access import Access
from fleet.io.hubs.ask import ask
from fleet.io.models import learned
from fleet.io.ports import Folders
from fleet.models.fixed import Fixed
from fleet.models.image import CAP, Manifest, manifest
from fleet.sources.base import Image

DEADLINE = 60.0  # seconds for one answer
MEDIA = "application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json"
SETTING = "FLEET_OLLAMA and at ollama in [defaults]"


async def pinned(
    place: Image, sha256: str | None, base: Path, folders: Folders, access: Access, say: Say
) -> Fixed:
    """What the tag stands for: as fleet.lock says, else asked of the registry now and written there.

    Args:
        sha256: what the inventory wants.
        base: the folder of the inventory.
        say: told what was pinned, and of files beside the model.

    Raises:
        PlanError: another file than the inventory wants, or none that can be served.
        FleetError: neither the lock nor the registry knows it.
    """

    async def resolve() -> Fixed:
        found = await look(place, access)
        fixed = _fixed(found)
        told = f"{place}, manifest {found.digest[:12]}, {size_text(fixed.size)}, sha256 {fixed.sha256}"
        say(f"pinned in fleet.lock: {told}")
        for layer in found.companions:
            at = url(place, layer.sha256, access)
            say(f'it has {_article(layer.kind)} {layer} too; as a model of its own: source = "url:{at}"')
        return fixed

    fixed = await learned.once(str(place), base, folders, resolve)
    if sha256 is not None and sha256 != fixed.sha256:
        raise PlanError(
            f"fleet.lock pins the sha256 {fixed.sha256}, the inventory wants {sha256}",
            kind="wrong-sha256",
            next=f'sha256 = "{fixed.sha256}", or fleet models pin NAME',
        )
    return fixed


async def renewed(place: Image, base: Path, folders: Folders, access: Access) -> Renewed:
    """What the tag means today, which is pinned from now on. Raises as look."""
    found = await look(place, access)
    before, fixed = learned.known(str(place), base), _fixed(found)
    if before is None or before.sha256 != fixed.sha256:  # else a manifest that left the model as it was
        await learned.learn(str(place), fixed, base, folders)
    was = before.sha256 if before else None
    return Renewed(found.digest, str(place), fixed.size, fixed.sha256, was)


def _fixed(found: Manifest) -> Fixed:
    return Fixed(found.model.sha256, found.model.size, {"manifest": f"sha256:{found.digest}"})


async def look(place: Image, access: Access) -> Manifest:
    """What the registry holds under the tag today.

    Raises:
        PlanError: no such model or tag, or it may not be read.
        FleetError: no connection, or an answer that is none.
    """
    endpoint = access.registry()
    page = f"{endpoint}/v2/{place.namespace}/{place.name}/manifests/{place.tag}"
    response, body = await ask(page, deadline=DEADLINE, cap=CAP, setting=SETTING, accept=MEDIA)
    if response.status_code == 404:
        raise PlanError(
            f"{answers.host(endpoint)} has no model {place}",
            kind="no-model",
            next="look at ollama.com/library for its tags",
        )
    if response.status_code == 429:
        wait = answers.retry_after(response)
        raise FleetError(
            f"{answers.host(endpoint)} has had too many questions from here",
            kind="rate-limit",
            next=f"wait{f' {wait} s' if wait else ''}, then the same command again",
        )
    if response.status_code in (401, 403):
        raise PlanError(
            f"{answers.host(endpoint)} does not show {place}; fleet has no key for a registry",
            kind="forbidden",
            next="ollama pull it on a machine that may, and write file: with the path of its blob",
        )
    answers.check(page, response)
    return manifest(body, place)


def url(place: Image, sha256: str, access: Access) -> str:
    """Where a layer is, for as long as the registry keeps it: by its hash, not by the tag."""
    return f"{access.registry()}/v2/{place.namespace}/{place.name}/blobs/sha256:{sha256}"


async def fetch(place: Image, found: Fixed, part: Path, access: Access, say: Say) -> None:
    """The pinned layer under `part`. Raises as download.download."""
    address = url(place, found.sha256, access)
    say(f"fetching {place}, {size_text(found.size)}, from {answers.host(address)}")
    want = Want(check=check(place), size=found.size, connections=access.connections)
    await download.download(address, part, say, want=want)


def _article(word: str) -> str:
    return "an" if word[0] in "aeiou" else "a"


def check(place: Image) -> answers.Check:
    """Judges answers to requests for a layer."""

    def check(url: str, response: httpx.Response) -> None:
        if response.status_code == 404:
            raise PlanError(
                f"the pinned file of {place} is not there any more",
                kind="no-file",
                next="fleet models pin NAME, which asks for what is there today",
            )
        answers.check(url, response)

    return check
