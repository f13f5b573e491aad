"""The converter's Python packages: wheels, fetched by pip for the host's own system and Python."""

import asyncio
import shutil
import sys
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from fleet.core.errors import FleetError
from fleet.core.plan import Artifact
from fleet.io.builds.archive import header
from fleet.io.cache import Cache, full
from fleet.io.exclusive import exclusive
from fleet.io.tool import run_tool
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
    async with exclusive(cache.folder / "incoming" / f"converter-{artifact.id}.lock"):
        if (there := await asyncio.to_thread(cache.path, artifact)) is not None:
            return there
        made = known(artifact.id, index)
        folder, packed = cache.partial(artifact), cache.partial(artifact)
        folder.mkdir(parents=True)
        try:
            await _fetch(made, folder, environment)
            await asyncio.to_thread(_pack, sorted(folder.glob("*.whl")), packed)
        except OSError as error:
            packed.unlink(missing_ok=True)
            raise full(cache.folder, error) from error
        finally:
            await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
        return await cache.adopt(artifact, packed)


async def _fetch(made: Environment, to: Path, environment: Mapping[str, str] | None) -> None:
    python = "".join(str(number) for number in made.python)
    platforms = [word for tag in made.tags for word in ("--platform", tag)]
    said = await run_tool(
        sys.executable, "-m", "pip", "--no-input", "--disable-pip-version-check", "download", "--no-deps",
        "--only-binary=:all:", "--implementation", "cp", "--python-version", python, "--abi", f"cp{python}",
        "--abi", "abi3", "--abi", "none", *platforms, "--progress-bar", "off",
        *(("--extra-index-url", made.index) if made.index else ()), "-d", str(to), *made.packages,
        deadline=DEADLINE, environment=environment,
    )  # fmt: skip
    if not said.status:
        return
    text = said.out + said.err
    if "No module named pip" in text:
        raise FleetError("this Python has no pip", next=f"{sys.executable} -m ensurepip")
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
