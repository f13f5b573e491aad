"""Python source packages, by pip as the user has configured it."""

import contextlib
import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from fleet.core.errors import FleetError
from fleet.io.digest import digest, wrong_hash
from fleet.io.exclusive import exclusive
from fleet.io.pip import pip_download
from fleet.trees.base import Sdist, identity

DEADLINE = 1800.0  # seconds


async def fetch_sdist(origin: Sdist, cache: Path, environment: Mapping[str, str] | None = None) -> Path:
    """The source package, kept below the cache, for its hash is asked again."""
    named = identity(origin.name, origin.version, origin.sha256 or "")
    folder = cache / "downloads" / named
    async with exclusive(cache / "incoming" / f"sdist-{named}.lock"):
        if (there := _only(folder)) is not None:
            if origin.sha256 in (None, await digest(there)):
                return there
            there.unlink()
        incoming = folder.with_name(f"{named}.{os.getpid()}")
        shutil.rmtree(incoming, ignore_errors=True)
        incoming.mkdir(parents=True)
        try:
            await _pip(origin, incoming, environment)
            shutil.rmtree(folder, ignore_errors=True)
            incoming.rename(folder)
        finally:
            shutil.rmtree(incoming, ignore_errors=True)
    there = _only(folder)
    if there is None:
        raise FleetError(f"pip brought no source package of {origin.name}", next=_typed(origin))
    return there


async def _pip(origin: Sdist, folder: Path, environment: Mapping[str, str] | None) -> None:
    wanted = f"{origin.name}=={origin.version}"
    if origin.sha256:
        wanted += f" --hash=sha256:{origin.sha256}"
    listed = folder / "requirements"
    listed.write_text(wanted + "\n", encoding="utf-8")
    # only this package from source: with :all: pip would compile the tools of its build first
    hashed = ("--require-hashes",) if origin.sha256 else ()
    said = await pip_download(
        "--no-binary", origin.name, *hashed, "-r", str(listed),
        to=folder, deadline=DEADLINE, environment=environment,
    )  # fmt: skip
    listed.unlink()
    if not said.status:
        return
    text = said.out + said.err
    if "DO NOT MATCH THE HASHES" in text:
        got = re.search(r"Got\s+([0-9a-f]{64})", text)
        raise wrong_hash(f"{origin.name} {origin.version}", origin.sha256 or "", got[1] if got else None)
    if re.search(r"No matching distribution|Could not find a version", text):
        is_offline = re.search(r"connection broken|refused|Failed to establish|Name or service", text, re.I)
        why = "the package index does not answer" if is_offline else "the package index has no source of it"
    else:
        why = said.last
    raise FleetError(
        f"pip cannot fetch {origin.name}=={origin.version}: {why}", kind="source", next=_typed(origin)
    )


def _typed(origin: Sdist) -> str:
    return f"python -m pip download --no-deps --no-binary {origin.name} {origin.name}=={origin.version}"


def _only(folder: Path) -> Path | None:
    with contextlib.suppress(FileNotFoundError):
        files = [path for path in folder.iterdir() if path.is_file()]
        return files[0] if len(files) == 1 else None
    return None
