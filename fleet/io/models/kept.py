"""A model that was made on a host, brought into this machine's cache, from where every host gets it."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from fleet.core.errors import PlanError, StepError
from fleet.core.plan import Artifact
from fleet.io import digest
from fleet.io.cache import full
from fleet.io.exclusive import exclusive
from fleet.io.models.memory import Memory, read_header
from fleet.io.ports import Folders, Transport
from fleet.io.shelltext import placed
from fleet.platforms.base import program

DEADLINE = 24 * 3600.0  # seconds
COPY = 'exec cat "$FLEET_ROOT/$FROM"'


def path(folders: Folders, sha256: str) -> Path:
    return folders.cache / "models" / f"{sha256}.gguf"


async def keep(
    transport: Transport,
    artifact: Artifact,
    source: str,
    root: str,
    folders: Folders,
    report: Callable[[float, float | None], None],
) -> int:
    """The file under its hash, read back and looked at as a model. Returns its bytes.

    Args:
        source: where it lies on the host, below the root.

    Raises:
        StepError: it came with other bytes than its hash says.
        PlanError: it is no whole GGUF file.
    """
    final = path(folders, artifact.id)
    async with exclusive(final.with_suffix(".lock")):
        if final.is_file():
            return final.stat().st_size
        part = final.with_suffix(".kept")
        done = 0
        try:
            with open(part, "wb") as file:

                def write(data: bytes) -> None:
                    nonlocal done
                    done += len(data)
                    if artifact.size is not None and done > artifact.size:
                        raise StepError("it sends more than the model has", kind="too-much-output")
                    file.write(data)
                    report(done, artifact.size)

                status = await transport.drain(
                    placed(program(COPY, FROM=source), root), write, deadline=DEADLINE
                )
            if status or await asyncio.to_thread(digest.sha256, part) != artifact.id:
                raise StepError(
                    f"{artifact.name} came with other bytes than were made there",
                    next="the same command again",
                )
            header = await asyncio.to_thread(read_header, part)
            if not header.tensors:
                raise PlanError(f"{artifact.name} holds no weights", next="look at the log of its conversion")
            part.chmod(0o444)
            part.replace(final)
            async with exclusive(folders.state / "models.lock.held"):
                Memory.load(folders.state).keep(final, artifact.id)
        except OSError as error:
            raise full(folders.cache, error) from error
        finally:
            part.unlink(missing_ok=True)
    return done
