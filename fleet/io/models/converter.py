"""The converter's Python packages: wheels, fetched by pip for the host's own system and Python."""

import asyncio
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from fleet.core.errors import FleetError
from fleet.core.plan import Artifact
from fleet.io.builds.archive import header
from fleet.io.cache import Cache
from fleet.io.pip import pip_download
from fleet.models.converter import NEWEST, OLDEST, TAGS, Environment

DEADLINE = 3 * 3600.0  # seconds for pip; the largest wheel has 555 MB


def known(id_: str, index: str | None) -> Environment:
    """The environment of an id."""
    for system in TAGS:
        for minor in range(OLDEST[1], NEWEST[1] + 1):
            made = Environment(*system, (OLDEST[0], minor), index)
            if made.id == id_:
                return made
    raise KeyError(id_)


async def make_archive(
    artifact: Artifact, index: str | None, cache: Cache, environment: Mapping[str, str] | None = None
) -> Path:
    """All wheels in one .tar in the cache; made once. Nothing of them is run here.

    Args:
        index: one more package index for pip.
        environment: variables for pip, beside our own.

    Raises:
        FleetError: pip cannot fetch one.
        DeadlineError: pip took too long.
    """

    async def make(to: Path) -> None:
        async with cache.scratch(artifact) as folder:
            await _fetch(known(artifact.id, index), folder, environment)
            await asyncio.to_thread(_pack, sorted(folder.glob("*.whl")), to)

    return await cache.made(artifact, make)


async def _fetch(made: Environment, to: Path, environment: Mapping[str, str] | None) -> None:
    python = "".join(str(number) for number in made.python)
    platforms = [word for tag in made.tags for word in ("--platform", tag)]
    said = await pip_download(
        "--only-binary=:all:", "--implementation", "cp", "--python-version", python, "--abi", f"cp{python}",
        "--abi", "abi3", "--abi", "none", *platforms,
        *(("--extra-index-url", made.index) if made.index else ()), *made.packages,
        to=to, deadline=DEADLINE, environment=environment,
    )  # fmt: skip
    if not said.status:
        return
    text = said.out + said.err
    missing = next(
        (name for name in made.packages if f"for {name}" in text or f"requirement {name}" in text), None
    )
    why = f"the package index does not answer, or has no such wheel of {missing}" if missing else said.last
    raise FleetError(
        f"pip cannot fetch the converter's packages for {made.python_name} on {made.os} {made.arch}: {why}",
        kind="tool",
        next=f"python -m pip download --no-deps --only-binary=:all: {missing or made.packages[0]}",
    )


def _pack(files: Sequence[Path], to: Path) -> None:
    """Uncompressed: wheels are packed already, and half a gigabyte takes a minute to compress."""
    with tarfile.open(to, "w", format=tarfile.PAX_FORMAT) as tar:
        for file in files:
            with open(file, "rb") as data:
                tar.addfile(header(file.name, file.stat().st_size, is_program=False), data)
